"""What `make build` makes installs where nothing of the crawler is, and nobody is sent to somebody else's package."""

import json
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest

import crawler

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAME = PROJECT["name"].replace("-", "_")


def test_nobody_is_told_to_install_what_the_package_index_has_under_our_name():
    """`crawler` is somebody else's there, and nothing of ours is there at all."""
    told = re.compile(rf"pip install (?:-\S+ )*[\"']?(?:crawler|{PROJECT['name']})\b(?!-)")
    places = [ROOT, *(ROOT / folder for folder in ("crawler", "docs", "examples"))]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for place in places
        for path in (place.glob("*") if place == ROOT else place.rglob("*"))
        if path.suffix in {".md", ".py", ".ipynb", ".toml"}
        for match in told.finditer(path.read_text("utf-8"))
        if path.name != "install.md"  # it warns of this
    ]
    assert not found


def run(*command: object, where: Path) -> str:
    """Run a command that must succeed, far from the clone; return what it printed."""
    done = subprocess.run(list(map(str, command)), cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_of(folder: Path) -> set[Path]:
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if path.suffix != ".pyc"}


def needs(requirements: list[str]) -> set[str]:
    """The packages that these requirements bring, by name, with what those need in turn; markers apart, as pip does."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    left = [(Requirement(one), "") for one in requirements]
    while left:
        one, extra = left.pop()
        if one.marker is not None and not one.marker.evaluate({"extra": extra}):
            continue
        if one.name not in found or one.extras:
            found.add(one.name)
            further = map(Requirement, distribution(one.name).requires or ())
            left += [(each, name) for each in further for name in one.extras or {""}]
    return found


class Environment:
    """A virtual environment with nothing in it but links to some of the packages of this one: no download."""

    def __init__(self, folder: Path, packages: set[str]) -> None:
        venv.create(folder, with_pip=True)
        self.bin = folder / "bin"
        site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
        for name in packages:
            one = distribution(name)
            for top in {file.parts[0] for file in one.files or () if file.parts[0] not in ("..", "__pycache__")}:
                link = site / top
                if not link.exists():
                    link.symlink_to(one.locate_file(top))

    def install(self, package: Path) -> None:
        run(self.bin / "pip", "install", "-q", "--no-index", "--no-build-isolation", package, where=self.bin)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["whl", "tar.gz"])
def test_what_is_built_installs_in_a_clean_environment_and_runs(tmp_path, kind):
    """All that it needs is what it says it needs, and its data files are in it."""
    built = tmp_path / "dist"
    run(sys.executable, "-m", "hatchling", "build", "-d", built, where=ROOT)
    (package,) = built.glob(f"{NAME}-*.{kind}")
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    clean = Environment(tmp_path / "clean", needs([*PROJECT["dependencies"], *(build if kind == "tar.gz" else ())]))
    clean.install(package)

    python = clean.bin / "python"
    place = Path(run(python, "-c", "import crawler; print(crawler.__file__)", where=tmp_path).strip())
    assert place.is_relative_to(tmp_path / "clean")
    assert files_of(place.parent) == files_of(ROOT / "crawler")  # the marker of types and the templates too
    assert run(clean.bin / "crawler", "--version", where=tmp_path).startswith(f"crawler {crawler.__version__}\n")
    run(clean.bin / "crawler", "new", "spider", "shop", where=tmp_path)
    if kind == "whl":
        run(clean.bin / "crawler", "demo", "--quiet", where=tmp_path)
        assert json.loads((tmp_path / "output/demo/summary.json").read_bytes())["ended"] == "done"
