"""Text in charsets that are missing, wrong, or lied about."""

from tests.hostile.registry import behaviour

WORD = "Übermäßig"
CYRILLIC = "Съешь же ещё этих мягких французских булок да выпей чаю"


def _all_readable(seen):
    assert {*LIES, "/found"} <= set(seen.records)
    lines = (seen.job / "pages.jsonl").read_bytes().splitlines()
    for line in lines:
        line.decode("utf-8")


def page(charset: str | None, text: str, meta: str = "") -> tuple[bytes, str]:
    head = f"<meta charset={meta}>" if meta else ""
    document = f"<html><head>{head}<title>{text}</title></head><body>{text}</body></html>"
    return document.encode(charset or "utf-8"), text


PAGES: dict[str, tuple[str, bytes, str]] = {
    # path: (Content-Type, body, title)
    "/header": ("text/html; charset=iso-8859-1", *page("latin-1", WORD)),
    "/latin1-is-windows-1252": ("text/html; charset=latin1", *page("windows-1252", "1 €")),
    "/meta": ("text/html", *page("windows-1251", CYRILLIC, "windows-1251")),
    "/bom-beats-header": ("text/html; charset=utf-8", b"\xff\xfe" + page("utf-16-le", WORD)[0], WORD),
    "/bom-beats-all": ("text/html; charset=koi8-r", b"\xef\xbb\xbf" + page("utf-8", WORD, "shift_jis")[0], WORD),
    "/header-beats-meta": ("text/html; charset=utf-8", *page("utf-8", WORD, "windows-1251")),
    "/meta-utf-16-is-utf-8": ("text/html", *page("utf-8", WORD, "utf-16")),
    "/late-meta-guessed": ("text/html", b" " * 2000 + page("utf-8", WORD)[0], WORD),
    "/unknown-label": ("text/html; charset=klingon", *page("utf-8", WORD)),
}
LIES = {
    "/invalid-utf-8": ("text/html; charset=utf-8", b"<title>a\xff\xfeb\xc3</title><a href=/found>x"),
    "/odd-utf-16": ("text/html; charset=utf-16", b"\xff\xfe<\0t\0i\0t\0l\0e\0>\0a\0\xd8"),
    "/surrogates-in-utf-8": ("text/html; charset=utf-8", b"<title>\xed\xa0\x80\xed\xb0\x80</title>"),
    "/surrogates-in-utf-16": ("text/html; charset=utf-16le", "<title>a</title>".encode("utf-16-le") + b"\0\xd8" * 50),
    "/utf-7": ("text/html; charset=utf-7", b"+ADw-a href=+ACI-/none+ACI-+AD4-x"),
    "/utf-32": ("text/html; charset=utf-32", "<title>a</title>".encode("utf-32")),
    "/gb18030": ("text/html; charset=gb18030", b"<title>\x81\x30\x81\x30\xff\xff</title>"),
    "/iso-2022-jp": ("text/html; charset=iso-2022-jp", b"<title>\x1b$B\x1b(B\x1b$\xff</title>"),
    "/hz": ("text/html; charset=hz-gb-2312", b"<title>~{VPND~}</title>"),
    "/zip-as-charset": ("text/html; charset=zip", b"<title>a</title>"),
    "/hex-as-charset": ("text/html; charset=hex", b"<title>a</title>"),
    "/long-label": ("text/html; charset=" + "x" * 5000, b"<title>a</title>"),
    "/idna-label": ("text/html; charset=idna", b"<title>xn--a\xff</title>"),
    "/empty-label": ('text/html; charset=""', b"<title>a</title>"),
    "/binary": ("text/html", bytes(range(256)) * 40),
}
ORDER = "never an exception; BOM > header > meta > guess"


@behaviour(
    row=29,
    does="charsets by BOM, header, meta and none",
    must=ORDER,
    expects={"/": "fetched", "/*": "fetched"},
    records={path: {"title": title} for path, (_, _, title) in PAGES.items()},
)
async def charsets(ask):
    if ask.path == "/":
        await ask.page(*PAGES)
    else:
        kind, body, _ = PAGES[ask.path]
        await ask.answer(body, kind=kind)


@behaviour(
    row=29,
    does="invalid UTF-8 and UTF-16, labels that lie or name other codecs of Python",
    must=ORDER,
    expects={"/": "fetched", "/*": "fetched"},
    check=_all_readable,
)
async def lying_charsets(ask):
    if ask.path == "/":
        await ask.page(*LIES)
    elif ask.path == "/found":
        await ask.page()
    else:
        kind, body = LIES[ask.path]
        await ask.answer(body, kind=kind)
