"""What reaches files, the disk and the terminal. `test_machine.py` runs the same through the command line."""

import json
import random
import re

from tests.hostile.ask import html
from tests.hostile.registry import behaviour

NAMES = (
    "/../../x",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/%2e%2e/tmp/x",
    "/..\\..\\x",
    "/a%00b",
    "/" + "n" * 5000,
    "/" + "d/e" * 1500,
    "/CON",
    "/a:b|c",
    "/~root/.ssh/authorized_keys",
    "/%ff%fe",
    "/-rf",
    "/$(touch%20x)",
    "/`touch%20x`;touch%20x",
    "/%0a%0d",
)
FILES = re.compile(r"job\d?(/(lock|stdin|pages\.jsonl|summary\.json|state(/[A-Za-z0-9.-]+)?))?")


def only_known_files(seen):
    """Nothing but the files of a job."""
    root = seen.job.parent
    for file in root.rglob("*"):
        assert FILES.fullmatch(str(file.relative_to(root))), file


@behaviour(
    row=42,
    does="../../x, NUL, 5,000-character names in URLs",
    must="never reach a file name",
    expects={"/*": "fetched | skipped: trap"},
    check=only_known_files,
)
async def file_names(ask):
    if ask.path == "/":
        await ask.page(*NAMES)
    await ask.answer("<title>x</title>", 'Content-Disposition: attachment; filename="../../../x"')


TEXT = "".join(random.Random(1).choices("abcdefghijklmnop ", k=20_000))


@behaviour(
    row=44,
    does="so much text that the disk is full in the middle of a record",
    must="stop with a message and a distinct exit code; resumes cleanly when there is room",
    expects={"/": "fetched", "/*": "fetched"},
    shows="exit code 5 and one line; the same command goes on when there is room; without a limit `fetched`",
)
async def fills_the_disk(ask):
    await ask.page(*(f"/{n}" for n in range(60)), text=TEXT)


ATTACKS = (
    "\x1b]0;pwned\x07",  # title of the window
    "\x1b[2J\x1b[1;1H",  # clears the screen
    "\x1b[31m",
    "\x9b31m",  # CSI in 8 bits
    "\x1bP+q544e\x1b\\",  # device control
    "\r\nINFO all is well",
    "\x08\x08\x7f\x00",
    "\u202epwned",
    "\ud800",
    "\u2028",
)


def nothing_breaks_a_record(seen):
    """One line a record, JSON in UTF-8, without a control character that a terminal would obey."""
    written = (seen.job / "pages.jsonl").read_bytes()
    assert written.endswith(b"\n")
    for line in written.splitlines():
        json.loads(line.decode("utf-8"))
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", written)


@behaviour(
    row=46,
    does="control characters, terminal escapes and lone surrogates in headers, bodies and links",
    must="nothing reaches the terminal or breaks a record",
    expects={"/": "fetched", "/*": "fetched | redirected | failed: redirects | failed: protocol"},
    check=nothing_breaks_a_record,
    both=True,
)
async def terminal_escapes(ask):
    attack = "".join(ATTACKS[:7])
    if ask.path == "/":
        await ask.answer(html(*map(ask.at, ("/headers", "/entities", "/raw", "/links", "/status", "/to"))))
    elif ask.path == "/headers":
        lines = [f"X-{n}: {one}" for n, one in enumerate(ATTACKS) if one.isprintable() or "\x1b" in one]
        await _raw(ask, *lines, kind=f"text/html\x1b[2J; charset={ATTACKS[0]}")
    elif ask.path == "/entities":
        await ask.answer(html(title="".join(f"&#{ord(c)};" for one in ATTACKS for c in one)))
    elif ask.path == "/raw":
        body = html(title="".join(ATTACKS), text=attack).encode("utf-8", "surrogatepass")
        await ask.answer(body, kind="text/html; charset=utf-8")
    elif ask.path == "/links":
        await ask.answer(html(f"{ask.at('/l')}{attack}", f"{ask.at('/m')}\u202e?{ATTACKS[0]}"))
    elif ask.path == "/status":
        await ask.send(b"HTTP/1.1 200 \x1b[2J\r\nContent-Length: 0\r\n\r\n")
    elif ask.path == "/to":
        await _raw(ask, f"Location: {ask.at('/l')}\x1b[2J", status="302 Found")
    else:
        await ask.page()


async def _raw(ask, *lines: str, status: str = "200 OK", kind: str = "text/html"):
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Content-Length: 0", *lines, "", ""])
    await ask.send(head.encode("utf-8", "surrogatepass"))
