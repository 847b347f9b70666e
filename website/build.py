"""Build the documentation as a site: `make site`, then open output/site/index.html.

    python -m website.build [FOLDER]        (default: output/site)

The pages are the Markdown files of this repository, where they stand: README.md is the front page, docs/README.md says
in which order the others come. What they link to beside pages, mostly code, becomes a page with its text, so that every
link leads somewhere. Nothing is fetched from elsewhere, neither now nor by whoever reads the site.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).resolve().parent.parent
FRONT, CONTENTS = PurePosixPath("README.md"), PurePosixPath("docs/README.md")
PICTURES = {".png", ".svg", ".jpg"}

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(?=[)#\s])")
_SECTION = re.compile(r"^\| (?:\*\*(?P<section>[^*]+)\*\*[^|]*)?\| \[(?P<title>[^\]]+)\]\((?P<target>[^)#]+)\)")
_LANGUAGES = {".py": "python", ".sh": "bash", ".toml": "toml", ".json": "json", ".ipynb": "json"}


def staged(page: PurePosixPath, folder: Path) -> Iterator[PurePosixPath]:
    """Write one page as the generator wants it, and give the files that it links to."""
    lines = []
    fence = ""
    for line in (REPOSITORY / page).read_text().splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        elif not fence:
            targets = [(target, place(page, target)) for target in _LINK.findall(line)]
            yield from (there for _, there in targets)
            line = _LINK.sub(lambda link: link[1] + ending(place(page, link[1])), line)  # noqa: PLW2901
        lines.append(line)
    put(folder / page, "\n".join(lines) + "\n")


def place(page: PurePosixPath, target: str) -> PurePosixPath:
    """Return what a page links to, from the top of the repository. Raises `SystemExit` if it is not there."""
    there = (REPOSITORY / page.parent / target).resolve()
    if not there.is_relative_to(REPOSITORY) or not there.is_file():
        raise SystemExit(f"{page}: links to {target}, which is no file here: mend the link")
    return PurePosixPath(there.relative_to(REPOSITORY).as_posix())


def ending(target: PurePosixPath) -> str:
    """Return what the name of a file gets behind it to be that of its page."""
    return "" if target.suffix in {".md", *PICTURES} else ".md"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def stage(folder: Path) -> None:
    """Write all pages that can be reached from the front page, and what they show."""
    waiting, seen = [FRONT, CONTENTS], {FRONT, CONTENTS}
    while waiting:
        file = waiting.pop()
        found: list[PurePosixPath] = []
        if file.suffix == ".md":
            found = list(staged(file, folder))
        elif file.suffix in PICTURES:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / file, folder / file)
        else:
            text = (REPOSITORY / file).read_text()
            language = _LANGUAGES.get(file.suffix, "text")
            put(folder / f"{file}.md", f"# {file}\n\n``````{language}\n{text}``````\n")
        waiting += [one for one in found if one not in seen]
        seen.update(found)


def contents() -> list[dict[str, object]]:
    """Return the pages by sections, in the order of docs/README.md."""
    sections: dict[str, list[dict[str, str]]] = {}
    section = ""
    for line in (REPOSITORY / CONTENTS).read_text().splitlines():
        row = _SECTION.match(line)
        if row:
            section = row["section"] or section
            there = place(CONTENTS, row["target"])
            sections.setdefault(section.capitalize(), []).append({row["title"]: f"{there}{ending(there)}"})
    if not sections:
        raise SystemExit(f"{CONTENTS}: has no table of pages: each row is `| **section** | [Title](page.md): what |`")
    return [
        {"crawler": str(FRONT)},
        *({name: pages} for name, pages in sections.items()),
        {"All pages": str(CONTENTS)},
    ]


def toml(value: object) -> str:
    """Write text, lists and tables as TOML has them; text is the same in JSON."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def build(target: Path) -> None:
    """Build the site in a folder, in the place of what an earlier build left there."""
    if target.exists() and not (target / "sitemap.xml").exists() and any(target.iterdir()):
        raise SystemExit(f"{target}: holds something else than a site: choose another folder")
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        stage(work / "pages")
        shutil.copyfile(REPOSITORY / "website/style.css", work / "pages/style.css")
        settings = (REPOSITORY / "website/zensical.toml").read_text()
        settings = settings.replace("[project]\n", f"[project]\nnav = {toml(contents())}\n", 1)
        put(work / "zensical.toml", settings)
        subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=work, check=True)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(work / "site", target)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "output/site")
