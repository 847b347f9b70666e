"""The colours of a report, light and dark: on each ground all of them can be told apart, text at 4.5 to 1 and more.

Charts are drawn with the light ones, each of which stands for its part; in SVG it becomes a property of CSS, so that
the reader's scheme decides.
"""

from typing import Final

__all__ = ["DARK", "GRID", "INK", "LIGHT", "MUTED", "SERIES", "style_of"]

LIGHT: Final = {
    "ground": "#ffffff",
    "card": "#f6f8fa",
    "ink": "#1b1f24",
    "muted": "#57606a",
    "grid": "#d8dee4",
    "c1": "#0a6ebd",
    "c2": "#b85c00",
    "c3": "#0f7b5f",
    "c4": "#8e4a9e",
    "c5": "#c32f3a",
    "c6": "#1d7f8c",
    "c7": "#7d6608",
    "c8": "#6a737d",
}
DARK: Final = {
    "ground": "#0d1117",
    "card": "#161b22",
    "ink": "#e6edf3",
    "muted": "#9aa4af",
    "grid": "#30363d",
    "c1": "#58a6f2",
    "c2": "#ee9a4d",
    "c3": "#3fbf95",
    "c4": "#cf93de",
    "c5": "#ff7b80",
    "c6": "#5cc5d3",
    "c7": "#d6b94a",
    "c8": "#98a2ad",
}
INK: Final = LIGHT["ink"]
MUTED: Final = LIGHT["muted"]
GRID: Final = LIGHT["grid"]
SERIES: Final = tuple(LIGHT[f"c{number}"] for number in range(1, 9))


def style_of(selector: str) -> str:
    """Return CSS that gives an element the colours as properties, by the scheme of the reader."""
    light, dark = (";".join(f"--{name}:{value}" for name, value in one.items()) for one in (LIGHT, DARK))
    return f"{selector}{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{{selector}{{{dark}}}}}"
