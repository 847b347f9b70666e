"""docs/dependencies.md and pyproject.toml name the same packages."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([^`]+)` \|(.+)\|(.+)\|(.+)\|$", re.MULTILINE)


def normal(requirement: str) -> str:
    """The name in a requirement, in the normal form of package names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", requirement)[0]).lower()


def declared() -> list[str]:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = data["project"]
    extras = project.get("optional-dependencies", {})
    lists = [data["build-system"]["requires"], project["dependencies"], *extras.values()]
    return sorted(name for names in lists for name in map(normal, names) if name != normal(project["name"]))


def documented() -> list[tuple[str, ...]]:
    return ROW.findall((ROOT / "docs" / "dependencies.md").read_text("utf-8"))


def test_every_dependency_is_explained_and_nothing_else_is():
    assert sorted(row[0] for row in documented()) == sorted(set(declared()))


def test_every_dependency_has_a_job_a_runner_up_and_a_reason():
    assert not [row[0] for row in documented() if not all(cell.strip() for cell in row[1:])]
