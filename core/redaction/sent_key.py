"""Takes one known secret out of texts, however it is spelled there.

Some servers repeat what they were sent: a key may stand in an error, a request id, an address or the model's words, as it
is or percent-encoded, as HTML entities, as escapes of JSON, in base64 or hex, with invisible characters or spaces in it,
or only half of it. A run of `RUN` of its characters is taken for the secret. `redact` hides what looks like any key;
this hides the one that was sent. Time is linear in the length of the text.
"""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

RUN = 12
"""Characters of a secret in a row that may not be shown."""
SHORTEST = 6
"""A shorter secret could stand in a text by chance; one shorter than `RUN` is hidden as a whole only."""
MOST_TEXT = 16 * 1024
"""Characters of a text that are kept: more is no message for a person, and would take long to look through."""
_STRIDE = RUN // 2
_MASK = "..."
_ROUNDS = 3
"""How often an escape may be escaped itself."""
_ESCAPE = re.compile(
    r"&#x[0-9a-fA-F]{1,6};?|&#[0-9]{1,7};?|&[a-zA-Z]{2,12};|%[0-9a-fA-F]{2}"
    r"|\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\}|\\x[0-9a-fA-F]{2}|\\[\\/]|=[0-9A-F]{2}"
)
_LONG_RUN = re.compile(rb"[A-Za-z0-9+/=_\\-]{4096,}")
"""Base64, also with escaped slashes and line ends."""
_WINDOW = 256 << 10
"""Bytes that are searched for long runs at a time."""
MOST_BESIDE = 8 << 20
T = TypeVar("T")


class Scrubber:
    """Hides some secrets. Made once for a call; safe to be used from any thread."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secrets)
        kept = list(dict.fromkeys(secret for secret in self._secrets if len(secret) >= SHORTEST))
        spelled = [form for secret in kept for form in _spellings(secret)]
        self._whole = [form for form in spelled if len(form) < RUN]
        long = [form for form in spelled if len(form) >= RUN]
        self._runs = {form[at : at + RUN] for form in long for at in range(len(form) - RUN + 1)}
        self._halves = {run[at : at + _STRIDE] for run in self._runs for at in range(RUN - _STRIDE + 1)}
        self._plain = [spelling for secret in kept for spelling in (secret, quote(secret, safe=""))]

    def also(self, secret: str) -> Scrubber:
        """One that hides this secret, too; itself where it does already."""
        return self if secret in self._secrets else Scrubber([*self._secrets, secret])

    def text(self, text: str) -> str:
        """`text` without the secrets, cut to `MOST_TEXT` characters."""
        if len(text) > MOST_TEXT:
            text = text[: MOST_TEXT - 1].rstrip() + "…"
        if not self._runs and not self._whole:
            return text
        for secret in self._plain:
            text = text.replace(secret, _MASK)
        spans: set[tuple[int, int]] = set()
        for letters, starts, ends in _readings(text):
            spans.update((starts[first], ends[last - 1]) for first, last in self._spans(letters))
        shown: list[str] = []
        done = 0
        for start, end in sorted(spans):
            if start > done or not shown:
                shown += [text[done:start], _MASK]
            done = max(done, end)
        return "".join([*shown, text[done:]])

    def body(self, data: bytes) -> bytes:
        """The bytes of an answer without the secrets; see `pieces`."""
        return b"".join(self.pieces(data))

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The bytes of an answer without the secrets, in pieces.

        Long runs of base64, which are pictures, are not looked into. Beside them there are at most `MOST_BESIDE` bytes: an
        answer with more is cut there.
        """
        if not self._runs and not self._whole:
            yield data
            return
        done, left = 0, MOST_BESIDE
        for start, end in _long_runs(data):
            yield self._bytes(data[done : min(start, done + left)])
            left -= start - done
            if left < 0:
                return
            yield data[start:end]
            done = end
        yield self._bytes(data[done : done + left])

    def value(self, value: T) -> T:
        """A step, a fault or plain JSON with every text in it scrubbed; other values stay as they are."""
        if isinstance(value, str):
            return self.text(value)  # type: ignore[return-value]
        if isinstance(value, dict):
            return {self.value(name): self.value(item) for name, item in value.items()}  # type: ignore[return-value]
        if isinstance(value, (list, tuple)):
            return type(value)(self.value(item) for item in value)
        if is_dataclass(value) and not isinstance(value, type):
            changed: dict[str, Any] = {}
            for each in fields(value):
                now = getattr(value, each.name)
                if isinstance(now, (str, dict, list, tuple)) or is_dataclass(now):
                    changed[each.name] = self.value(now)
            return replace(value, **changed)
        return value

    def _bytes(self, data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        parts = [text[at : at + MOST_TEXT] for at in range(0, len(text), MOST_TEXT)]
        return "".join(self.text(part) for part in parts).encode("utf-8", "surrogateescape")

    def _spans(self, letters: str) -> Iterable[tuple[int, int]]:
        """Where the secrets stand in `letters`: first and one past the last."""
        for secret in self._whole:
            at = letters.find(secret)
            while at >= 0:
                yield at, at + len(secret)
                at = letters.find(secret, at + 1)
        # A run of 12 holds six characters that begin at a multiple of six: only those are looked up at each step.
        for at in range(0, len(letters) - _STRIDE + 1, _STRIDE):
            if letters[at : at + _STRIDE] in self._halves:
                for start in range(max(0, at - _STRIDE), at + 1):
                    if letters[start : start + RUN] in self._runs:
                        yield start, start + RUN


def _long_runs(data: bytes) -> Iterator[tuple[int, int]]:
    """Where long runs of base64 begin and end; one that is longer than a window comes in parts."""
    for window in range(0, len(data), _WINDOW):
        for match in _LONG_RUN.finditer(data, window, window + _WINDOW):
            if b"\\u" not in match.group() and b"\\x" not in match.group():  # those may spell anything
                yield match.start(), match.end()


def _spellings(secret: str) -> list[str]:
    """The secret as it is, in hex, and in base64 wherever in a longer text it stood."""
    data = secret.encode("utf-8", "surrogatepass")
    found = [_letters(secret), data.hex(), data.hex().upper()]
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data).decode()
        # The first and the last characters also depend on what stands beside the secret.
        inner = coded[-(-before * 8 // 6) :].rstrip("=")[:-1]
        found += [inner, inner.replace("+", "-").replace("/", "_")]
    return [form for form in dict.fromkeys(found) if len(form) >= SHORTEST]


def _readings(text: str) -> Iterable[tuple[str, list[int], list[int]]]:
    """The characters that a reader would see, or decode in one to three rounds; where in `text` each begins and ends.

    Each round is looked at by itself: what one takes for an escape may be a part of the secret.
    """
    letters, starts = list(text), list(range(len(text)))
    yield _readable(letters, starts, len(text))
    for _ in range(_ROUNDS):
        joined = "".join(letters)
        if not _ESCAPE.search(joined):
            return
        letters, starts = _decoded(joined, starts)
        yield _readable(letters, starts, len(text))


def _readable(letters: list[str], starts: list[int], length: int) -> tuple[str, list[int], list[int]]:
    """`letters` without what can't be seen; where each of those left begins and ends in a text of this length."""
    seen: list[str] = []
    begins: list[int] = []
    ends: list[int] = []
    for letter, start, end in zip(letters, starts, [*starts[1:], length], strict=False):
        for plain in _letters(letter):
            seen.append(plain)
            begins.append(start)
            ends.append(end)
    return "".join(seen), begins, ends


def _decoded(text: str, starts: list[int]) -> tuple[list[str], list[int]]:
    letters: list[str] = []
    kept: list[int] = []
    done = 0
    for match in _ESCAPE.finditer(text):
        letter = _unescaped(match.group())
        if not letter:
            continue
        letters += text[done : match.start()]
        kept += starts[done : match.start()]
        letters.append(letter)
        kept.append(starts[match.start()])
        done = match.end()
    return letters + list(text[done:]), kept + starts[done:]


def _unescaped(escape: str) -> str:
    """The character that an escape stands for; "" for one that stands for none."""
    if escape[0] == "&":
        letter = html.unescape(escape if escape.endswith(";") else f"{escape};")
        return letter if len(letter) == 1 else ""
    if escape[-1] in "\\/":
        return escape[-1]
    digits = escape.lstrip("\\%=").lstrip("ux").strip("{}")
    code = int(digits, 16)
    return chr(code) if code < 0x110000 else ""


def _letters(text: str) -> str:
    """`text` without what can't be seen, in the plain form of each character."""
    if text.isascii():
        return "".join(text.split()) if not text.isprintable() or " " in text else text
    plain = unicodedata.normalize("NFKC", text)
    return "".join(c for c in plain if not c.isspace() and unicodedata.category(c) not in ("Cf", "Cc", "Mn", "Cn"))
