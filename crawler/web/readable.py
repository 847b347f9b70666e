"""Which answers may hold a page that links, texts and selectors are found in. Pure."""

import re

__all__ = ["is_readable", "names_a_file"]

_READABLE = re.compile(r"text/|.*(html|xml|octet-stream)|[^/]*(;|$)|\*|unknown/", re.IGNORECASE)
_ENDINGS = """
pdf ps djvu epub mobi doc docx xls xlsx ppt pptx odt ods odp rtf csv tsv bib ris ics vcf kml gpx json zip gz tgz bz2 xz
zst 7z rar tar jar deb rpm apk exe msi dmg iso jpg jpeg png gif webp avif svg tif tiff bmp ico mp3 m4a ogg flac wav mp4
m4v webm mov avi mkv ttf otf woff woff2
"""
_FILES = frozenset(_ENDINGS.split())


def names_a_file(url: str) -> bool:
    """Whether the path of a URL in normal form ends as that of a file does which is no page."""
    return url.partition("?")[0].rpartition(".")[2].lower() in _FILES


def is_readable(content_type: str | None) -> bool:
    """Whether a page may come under this Content-Type, honest or not: a missing or malformed one too.

    Pages of other types (JSON, PDF, images) are for spiders alone: nothing else reads their bodies.
    """
    return _READABLE.match((content_type or "").strip()) is not None
