"""Reads the escapes of a text: of addresses, HTML, JSON, programs, mail, and what a terminal or a browser doesn't show.

Used by `sent_key` to find a secret however it is spelled, never to show a text. Time is linear in the length of the text.
"""

from __future__ import annotations

import html
import re

_TAG = "|<[^<>]{0,60}>"
_PATTERN = (
    # A character of several bytes in UTF-8, then single ones. The sign in front may be escaped itself, many times.
    r"(?i:(?P<utf8>(?:%(?:25)*|(?<!\\)\\+x|=)[c-f][0-9a-f](?:(?:%(?:25)*|\\+x|=)[89ab][0-9a-f]){1,3})"
    r"|%(?:25)*u(?P<percent_u>[0-9a-f]{4})|%(?:25)*(?P<percent>[0-9a-f]{2})"
    r"|&(?:amp;)*(?:#x0*(?P<hex_entity>[0-9a-f]{1,6});?|#0*(?P<entity>[0-9]{1,7});?|(?P<named>[a-z]{2,32});)"
    r"|(?<!\\)\\+(?:(?-i:U)(?P<long>[0-9a-f]{8})|u(?P<u>[0-9a-f]{4})|u\{0*(?P<braces>[0-9a-f]{1,6})\}|x(?P<x>[0-9a-f]{2})"
    r"|(?P<octal>[0-3][0-7]{2})|(?P<css>(?:0000)?[2-7][0-9a-f])\s?|(?P<sign>[\\/nrtbfv]))"
    r"|=(?P<quoted>[0-9a-f]{2})|0x(?P<zero_x>[0-9a-f]{2})(?![0-9a-f])"
    r"|(?P<unseen>\x1b\[[0-9;]{0,20}[a-z]{TAG}))"
)
_ESCAPE, _ESCAPE_NOT_TAG = (re.compile(_PATTERN.replace("{TAG}", tag)) for tag in (_TAG, ""))
_TAG_WITH_ESCAPE = re.compile(r"<[^<>\\%&=]{0,60}[\\%&=][^<>]{0,60}>")
_BYTE = re.compile(r"(?i)(?:%(?:25)*|x|=)([0-9a-f]{2})")
_UNSEEN = "\u200b"


def has_escape(text: str) -> bool:
    """Whether there is anything to decode."""
    return _ESCAPE.search(text) is not None


def has_escape_in_tag(text: str) -> bool:
    """Whether there is what looks like a tag with something to decode in it."""
    return _TAG_WITH_ESCAPE.search(text) is not None


def decoded(text: str, starts: list[int], *, keep_tags: bool = False) -> tuple[list[str], list[int]]:
    """The letters of `text` with its escapes decoded once, and those in tags where the tags are kept. `starts`: where each
    letter of `text` begins; given for the decoded ones, too."""
    letters: list[str] = []
    kept: list[int] = []
    done = 0
    for match in (_ESCAPE_NOT_TAG if keep_tags else _ESCAPE).finditer(text):
        letter = _letter(match)
        if not letter:
            continue
        letters += text[done : match.start()]
        kept += starts[done : match.start()]
        letters.append(letter)
        kept.append(starts[match.start()])
        done = match.end()
    return letters + list(text[done:]), kept + starts[done:]


def _letter(match: re.Match[str]) -> str:
    """The character that an escape stands for; "" for one that stands for none."""
    kind = match.lastgroup or ""
    value = match[kind]
    if kind == "utf8":
        try:
            letter = bytes.fromhex("".join(_BYTE.findall(value))).decode("utf-8")
        except UnicodeDecodeError:
            return ""
        return letter if len(letter) == 1 else ""
    if kind == "unseen":
        return _UNSEEN
    if kind == "sign":
        return value if value in "\\/" else " "
    if kind == "named":
        letter = html.unescape(f"&{value};")
        return letter if len(letter) == 1 else ""
    code = int(value, {"entity": 10, "octal": 8}.get(kind, 16))
    return chr(code) if code < 0x110000 else ""
