"""The live display's picture: pure, from one `View` to lines of styled text.

The lines are made by hand and not from rich's tables: that costs a tenth of the processor time, which the event
loop would otherwise miss four times a second, and the columns stand still while the numbers change.
"""

import textwrap
from collections.abc import Iterable, Sequence

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from crawler.cli.report.view import View, errors, is_sitemap, skips
from crawler.core.printable import printable
from crawler.core.quantity import count, duration, rate, share, short_count, size
from crawler.ring.bottleneck import silent_hosts
from crawler.ring.who_holds import named_holders

__all__ = ["STYLES", "Frame", "frame"]

MAX_WIDTH = 110
"""Wider bars and columns do not say more."""
NARROW = 70
"""Below this some things are shortened or stand in two lines."""
MAX_KINDS = 8
UNDER_WAY_LINES = 3
"""URLs that are shown while they are fetched."""
COMMIT_SCALE = 1_000
"""Results that fill the ledger's bar: about one commit."""

Piece = tuple[str, str]
Line = list[Piece]

STYLES = {
    "": Style.null(),
    "title": Style(bold=True),
    "label": Style(dim=True),
    "value": Style(bold=True),
    "bar": Style(color="cyan"),
    "rest": Style(dim=True),
    "limit": Style(bold=True, color="yellow"),
    "bad": Style(color="red"),
}


class Glyphs(Struct, frozen=True):
    """Characters to draw with; `levels` are nine heights of a column, lowest first."""

    full: str
    empty: str
    line: str
    right: str
    left: str
    up: str
    top_corner: str
    side: str
    bottom_corner: str
    turn: str
    levels: str
    more: str


UNICODE = Glyphs("█", "░", "─", "►", "◄", "▲", "┐", "│", "┘", "└", "▁▁▂▃▄▅▆▇█", "…")
ASCII = Glyphs("#", ".", "-", ">", "<", "^", "+", "|", "+", "+", "012345678", "...")

BOX_OF: dict[str, int] = {
    **dict.fromkeys(("retries", "few URLs", "frontier"), 0),
    **dict.fromkeys(("silent hosts", "per-host", "per-address", "delay", "Crawl-delay", "back-off"), 1),
    **dict.fromkeys(("concurrency", "main process", "memory"), 1),
    "parsers": 2,
    **dict.fromkeys(("consumer", "output", "disk", "ledger"), 3),
}
"""Which box of the ring is lit for a limiting stage."""


class Frame:
    """Lines that rich prints as they are: no markup, no wrapping."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines

    def text(self) -> list[str]:
        """Return the lines without their styles, for what is no terminal."""
        return ["".join(text for text, _ in line).rstrip() for line in self.lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments, lines parted by line feeds."""
        for number, line in enumerate(self.lines):
            if number:
                yield Segment.line()
            for text, style in line:
                yield Segment(text, STYLES[style])


def frame(view: View, width: int, height: int, *, ascii_only: bool = False) -> Frame:
    """Draw `view` for a terminal of `width` columns, in at most `height` lines, the most important ones first."""
    glyphs = ASCII if ascii_only else UNICODE
    inner = max(20, min(width, MAX_WIDTH) - 2)
    head = [_head(view, inner, glyphs), _pages(view, inner, glyphs), _speed(view, inner), *_end(view, inner)]
    shards: list[Line] = [[], *([(printable(line), "")] for line in view.lines)] if view.lines else []
    limit = _limit(view, inner)
    ring = [[], *_ring(view, inner, glyphs)]
    hosts = [_hosts(view), *_holders(view, inner, glyphs), *_silent(view, inner, glyphs)]
    stages = [*_parsers(view, inner, glyphs), *hosts, *_outcomes(view, inner)]
    now = _under_way(view, inner, glyphs)
    room = height - sum(map(len, (head, shards, limit, ring, stages, now)))
    kinds = [[], *_kinds(view, inner, min(MAX_KINDS, room - 2), glyphs)] if room >= 4 else []
    kept = list[list[Line]]()
    for section in (head, shards, limit, ring, stages, now, kinds):
        if sum(map(len, kept)) + len(section) <= height:
            kept.append(section)
    drawn = [line for section in (head, ring, shards, limit, stages, now, kinds) if section in kept for line in section]
    return Frame([_cut([(" ", ""), *line], max(1, width - 1)) for line in (drawn or head)[: max(1, height)]])


def _head(view: View, inner: int, glyphs: Glyphs) -> Line:
    elapsed = duration(view.stats.elapsed_s)
    room = inner - len(elapsed) - 2
    return [(set_cell_size(_short(printable(view.title), room, glyphs), room), "title"), ("  " + elapsed, "label")]


def _pages(view: View, inner: int, glyphs: Glyphs) -> Line:
    s = view.stats
    line: Line = [("pages   ", "label"), (count(s.pages), "value")]
    if s.max_pages:
        done = min(1.0, s.pages / s.max_pages)
        line += [(f" of {count(s.max_pages)}  ", "label")]
        bar = inner - sum(len(text) for text, _ in line) - 6
        line += [*_bar(done, bar, glyphs), (f"{share(done):>6}", "value")]
    else:
        line += [(f"   {count(s.known)} URLs known", "label")]
    return line


def _speed(view: View, inner: int) -> Line:
    recent, overall = view.recent, view.overall
    return [
        ("speed   ", "label"),
        (f"{rate(recent.pages_per_s)} pages/s", "value"),
        (f" ({rate(overall.pages_per_s)} overall)   ", "label"),
        (f"{size(recent.bytes_per_s)}/s", "value"),
        (f"   {size(view.stats.bytes)}{' in all' if inner >= NARROW else ''}", "label"),
    ]


def _end(view: View, inner: int) -> list[Line]:
    if view.state:
        lines = textwrap.wrap(printable(view.state), inner - 8)
        return [[("state   " if number == 0 else " " * 8, "label"), (one, "value")] for number, one in enumerate(lines)]
    end = view.end
    if end.left_s is None:
        return [[("ends in ", "label"), ("unknown", "value"), (f"   ({end.why})", "label")]]
    clock = f" at {view.clock}" if view.clock else ""
    return [[("ends in ", "label"), (duration(end.left_s), "value"), (f"{clock}   ({end.why})", "label")]]


def _ring(view: View, inner: int, glyphs: Glyphs) -> list[Line]:
    """Four boxes in a row and the way back from the ledger to the frontier."""
    s = view.stats
    arrow = f" {glyphs.line}{glyphs.right} "
    box = max(8, (inner - 2 - 3 * len(arrow)) // 4)
    boxes = (
        ("frontier", s.queued / s.known if s.known else 0.0, f"{short_count(s.queued, box - 7)} queued"),
        ("fetching", s.fetching / s.concurrency if s.concurrency else 0.0, _of(s.fetching, s.concurrency, box)),
        ("parsing", s.parsing / s.parse_capacity if s.parse_capacity else 0.0, _of(s.parsing, s.parse_capacity, box)),
        ("ledger", s.committing / COMMIT_SCALE, f"{short_count(s.committing, box)}"),
    )
    lit = BOX_OF.get(view.limit.stage)
    names, bars, values = Line(), Line(), Line()
    for number, (name, part, value) in enumerate(boxes):
        last = number == len(boxes) - 1
        names += [(name, "limit" if number == lit else "title")]
        rail = " " + glyphs.line * (box - len(name) - 1)
        names += [(rail if last else f"{rail}{glyphs.line * 2}{glyphs.right} ", "rest")]
        bars += [*_bar(part, box, glyphs, "limit" if number == lit else "bar"), ("" if last else " " * len(arrow), "")]
        values += [(set_cell_size(value, box + (0 if last else len(arrow))), "value" if number == lit else "")]
    back = f"{glyphs.turn}{glyphs.line}{glyphs.left} {count(s.known)} URLs known, {count(s.retrying)} to be retried "
    width = 4 * box + 3 * len(arrow)
    return [
        [*names, (glyphs.line + glyphs.top_corner, "rest")],
        [*bars, (" " + glyphs.side, "rest")],
        [*values, (" " + glyphs.side, "rest")],
        [(back + glyphs.line * (width + 1 - len(back)) + glyphs.bottom_corner, "rest")],
    ]


def _limit(view: View, inner: int) -> list[Line]:
    """Say it in two lines, always, so that what stands below does not jump."""
    if not view.limit.stage:
        return [[], []]
    lead = "limited by "
    stage, why = view.limit.stage, f": {view.limit.why}"
    first, *rest = textwrap.wrap(f"{lead}{stage}{why}", inner) or [""]
    head: Line = [(lead, "label"), (stage, "limit"), (first[len(lead) + len(stage) :], "label")]
    return [head, [(" ".join(rest), "label")]]


def _parsers(view: View, inner: int, glyphs: Glyphs) -> Iterable[Line]:
    shares = view.recent.parser_shares
    if not shares:
        return
    bar = 10
    line: Line = [("parsers ", "label")]
    if 8 + len(shares) * (bar + 8) <= inner:
        for part in shares:
            line += [*_bar(part, bar, glyphs), (f"{share(part):>6}  ", "")]
    else:
        levels = "".join(glyphs.levels[round(part * 8)] for part in shares)
        mean = f"   {share(sum(shares) / len(shares))} busy on average"
        line += [(_short(levels, inner - 8 - len(mean), glyphs), "bar"), (mean, "")]
    if view.stats.parsers_replaced:
        line += [(f"   {count(view.stats.parsers_replaced)} replaced", "bad")]
    yield line


def _hosts(view: View) -> Line:
    s = view.stats
    line: Line = [
        ("hosts   ", "label"),
        (count(s.active_hosts), "value"),
        (" active, ", "label"),
        (count(s.waiting_hosts), "value"),
        (" waiting", "label"),
    ]
    if s.body_bytes_most:
        line += [
            ("   bodies ", "label"),
            (size(s.body_bytes_held), "value"),
            (f" of {size(s.body_bytes_most)}", "label"),
        ]
    if s.duplicates + s.near_duplicates:
        line += [("   ", ""), (count(s.duplicates + s.near_duplicates), "value"), (" duplicates", "label")]
    if s.bad_seeds:
        line += [(f"   {count(s.bad_seeds)} bad seeds", "bad")]
    return line


def _under_way(view: View, inner: int, glyphs: Glyphs) -> list[Line]:
    """URLs that are fetched now, those first that take longest; always as many lines, so that nothing below jumps."""
    shown = view.stats.under_way
    lines = []
    for number in range(UNDER_WAY_LINES):
        url, seconds = shown[number] if number < len(shown) else ("", 0.0)
        took = duration(seconds).rjust(7) if url else ""
        line: Line = [("now     " if number == 0 else " " * 8, "label"), (took, "value")]
        lines.append([*line, ("  " + _short(printable(url), inner - 17, glyphs), "label")])
    return lines


def _holders(view: View, inner: int, glyphs: Glyphs) -> Iterable[Line]:
    """Name hosts that hold much of what all share."""
    text = named_holders(view.stats)
    if text:
        yield [("held by ", "label"), (_short(text, inner - 8, glyphs), "value")]


def _silent(view: View, inner: int, glyphs: Glyphs) -> Iterable[Line]:
    """Name hosts that do not answer."""
    text = silent_hosts(view.stats)
    if view.stats.offline:
        text = f"no host answers: {text}"
    if text:
        yield [("silent  ", "label"), (_short(text, inner - 8, glyphs), "bad")]


def _outcomes(view: View, inner: int) -> Iterable[Line]:
    """URLs by outcome, each at a fixed place. A sitemap is fetched too, but it is not a page and has no record."""
    totals = dict.fromkeys(("fetched", "redirected", "failed", "skipped"), 0)
    for kind, number in view.stats.outcomes.items():
        outcome = kind.partition(":")[0]
        if not is_sitemap(kind):
            totals[outcome] = totals.get(outcome, 0) + number
    in_line = 2 if inner < NARROW else 4
    cell = (inner - 8) // in_line
    for start in range(0, 4, in_line):
        line: Line = [("URLs    " if start == 0 else " " * 8, "label")]
        for outcome, number in list(totals.items())[start : start + in_line]:
            shown = short_count(number, cell - len(outcome) - 2)
            style = "bad" if outcome == "failed" and number else "value"
            line += [(shown, style), (f" {outcome}".ljust(cell - len(shown)), "label")]
        yield line


def _kinds(view: View, inner: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """Two columns: errors and skipped URLs, each by kind."""
    gap = 4
    cell = (inner - gap) // 2
    left = _column("errors", errors(view.stats), cell, rows, glyphs)
    right = _column("skipped", skips(view.stats), cell, rows, glyphs)
    lines = []
    for number in range(max(len(left), len(right))):
        one = left[number] if number < len(left) else [(" " * cell, "")]
        two = right[number] if number < len(right) else []
        lines.append([*one, (" " * gap, ""), *two])
    return lines


def _column(title: str, kinds: list[tuple[str, int]], cell: int, rows: int, glyphs: Glyphs) -> list[Line]:
    if not kinds:
        return [[(title.ljust(cell), "title")], [("none".ljust(cell), "label")]]
    if len(kinds) > rows:
        others = kinds[rows - 1 :]
        kinds = [*kinds[: rows - 1], (f"{glyphs.more} {len(others)} others", sum(number for _, number in others))]
    lines: list[Line] = [[(title.ljust(cell), "title")]]
    for kind, number in kinds:
        shown = count(number)
        room = cell - len(shown) - 1
        lines.append([(set_cell_size(_short(printable(kind), room, glyphs), room), "label"), (" " + shown, "")])
    return lines


def _bar(part: float, width: int, glyphs: Glyphs, style: str = "bar") -> Line:
    """Draw a bar that is `part` full; anything above 0 shows."""
    width = max(0, width)
    full = min(width, max(round(part * width), 1 if part > 0 else 0))
    return [(glyphs.full * full, style), (glyphs.empty * (width - full), "rest")]


def _of(number: int, limit: int, width: int) -> str:
    """`12 of 256`, shortened to `12/256` and further where the box is narrow."""
    for text in (f"{count(number)} of {count(limit)}", f"{number}/{limit}"):
        if len(text) <= width:
            return text
    return short_count(number, width)


def _short(text: str, width: int, glyphs: Glyphs) -> str:
    """`text`, cut with an ellipsis to at most `width` cells."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - len(glyphs.more))).rstrip() + glyphs.more


def _cut(line: Line, width: int) -> Line:
    """`line` without what passes `width` cells."""
    kept: Line = []
    for text, style in line:
        cells = cell_len(text)
        if cells >= width:
            return [*kept, (set_cell_size(text, width), style)]
        kept.append((text, style))
        width -= cells
    return kept
