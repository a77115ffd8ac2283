"""Hides the key that was sent in texts, however it is encoded there.

Some servers repeat what they were sent: a key may be in an error, a request id, an address or the model's words, as it
is or in other case, backwards, percent-encoded, as HTML entities, as escapes of JSON, in base64, base85, base32, hex or
rot13, with invisible characters, spaces, marks or tags in it, or only half of it. A run of `RUN` of its characters is
taken for the secret. Left are what no server does by itself: binary digits, uuencode, compression, other ciphers. `redact`
hides what looks like any key; this hides the one that was sent. Time is linear in the length of the text.
"""

from __future__ import annotations

import base64
import codecs
import functools
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import compress
from typing import Any, TypeVar
from urllib.parse import quote

from .escapes import decoded, has_escape, has_escape_in_tag

RUN = 12
"""Characters of a secret in a row that may not be shown."""
SHORTEST = 6
"""A shorter secret could be in a text by chance; one shorter than `RUN` is hidden as a whole only."""
MOST_TEXT = 16 * 1024
"""Characters of a text that are kept: more is no message for a person, and would take long to look through."""
_STRIDE = RUN // 2
_MASK = "..."
_ROUNDS = 3
"""How often an escape may be escaped itself, beside what `escapes` reads in one go."""
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by their category that are shown as nothing."""
_UNSEEN = frozenset(("Cf", "Cc", "Mn", "Me", "Cn", "Co"))
_SEEN = re.compile(r"[^\x00-\x20\x7f]")
_SIGN = re.compile(r"[a-z0-9]")
_ASCII = {
    pattern: bytes(pattern.match(chr(code)) is not None and code < 128 for code in range(256))
    for pattern in (_SEEN, _SIGN)
}
"""For each byte of ASCII 1 where the pattern matches it, else 0."""
_LONG_RUN = re.compile(rb"[A-Za-z0-9+/=_\\-]{4096,}")
"""Base64, also with escaped slashes and line ends."""
_CODED = re.compile(rb"\\[^/nr]")
"""An escape that is neither of these."""
_WINDOW = 256 << 10
"""Bytes that are searched for long runs at a time."""
_EDGE = 512
"""Bytes at both ends of a long run that are looked into with what is beside it."""
_OVERLAP = 2048
"""Characters that are looked through again with the next part of a long text: more than `RUN` take in any spelling."""
MOST_BESIDE = 8 << 20
T = TypeVar("T")


@dataclass(frozen=True)
class _Runs:
    """The spellings of the secrets that a text is searched for."""

    whole: tuple[str, ...] = ()
    """Spellings that are hidden as a whole only."""
    runs: frozenset[str] = frozenset()
    """Every run of `RUN` characters of the others."""
    halves: frozenset[str] = frozenset()
    """Every run of `_STRIDE` characters."""
    half_bytes: frozenset[tuple[bytes]] = frozenset()
    """The same as `struct.iter_unpack` gives them."""


class Scrubber:
    """Hides some secrets in text, bytes and JSON. One for each call; thread-safe."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secrets)
        kept = tuple(dict.fromkeys(secret for secret in self._secrets if len(secret) >= SHORTEST))
        self._runs = _runs_of(kept)
        self._plain = [spelling for secret in kept for spelling in (secret, quote(secret, safe=""))]

    def also(self, secret: str) -> Scrubber:
        """A scrubber that hides this secret, too; itself where it does already."""
        return self if secret in self._secrets else Scrubber([*self._secrets, secret])

    def text(self, text: str) -> str:
        """`text` without the secrets, cut to `MOST_TEXT` characters; itself where that changes nothing, as a message is one."""
        scrubbed = self._scrubbed(text)
        return text if scrubbed == text else scrubbed

    def _scrubbed(self, text: str) -> str:
        if len(text) > MOST_TEXT:
            text = text[: MOST_TEXT - 1].rstrip() + "…"
        if not self._plain:
            return text
        for secret in self._plain:
            text = text.replace(secret, _MASK)
        return _masked(text, set(self._found(text)))

    def body(self, data: bytes) -> bytes:
        """The bytes of an answer without the secrets; see `pieces`."""
        return b"".join(self.pieces(data))

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The bytes of an answer without the secrets, in pieces.

        Long runs of base64, which are pictures, are not looked into. Beside them there are at most `MOST_BESIDE` bytes: an
        answer with more is cut there.
        """
        if not self._plain:
            yield data
            return
        done, remaining = 0, MOST_BESIDE
        for start, end in _long_runs(data, self._runs):
            yield self._bytes(data[done : min(start, done + remaining)])
            remaining -= start - done
            if remaining < 0:
                return
            yield data[start:end]
            done = end
        yield self._bytes(data[done : done + remaining])

    def value(self, value: T) -> T:
        """A step, a failure or plain JSON with every text in it scrubbed; other values stay as they are."""
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
        for secret in self._plain:
            text = text.replace(secret, _MASK)
        spans: set[tuple[int, int]] = set()
        for at in range(0, len(text), MOST_TEXT):
            begin = max(0, at - _OVERLAP)
            found = self._found(text[begin : at + MOST_TEXT])
            spans.update((begin + start, begin + end) for start, end in found)
        return _masked(text, spans).encode("utf-8", "surrogateescape")

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Where in `text` the secrets are in any spelling: first and one past the last."""
        for letters, starts, ends in _readings(text):
            for first, last in _spans(letters, self._runs):
                yield starts[first], ends[last - 1]


def _spans(letters: str, secrets: _Runs) -> Iterator[tuple[int, int]]:
    """Where the secrets are in `letters`: first and one past the last."""
    for secret in secrets.whole:
        at = letters.find(secret)
        while at >= 0:
            yield at, at + len(secret)
            at = letters.find(secret, at + 1)
    # A run of 12 holds six characters that begin at a multiple of six: only those are looked up at each step.
    halves, runs = secrets.halves, secrets.runs
    for at in range(0, len(letters) - _STRIDE + 1, _STRIDE):
        if letters[at : at + _STRIDE] in halves:
            for start in range(max(0, at - _STRIDE), at + 1):
                if letters[start : start + RUN] in runs:
                    yield start, start + RUN


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    shown: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if start > done or not shown:
            shown += [text[done:start], _MASK]
        done = max(done, end)
    return "".join([*shown, text[done:]])


def _long_runs(data: bytes, secrets: _Runs) -> Iterator[tuple[int, int]]:
    """Where the inner parts of long runs of base64 begin and end that hold no run of `secrets`."""
    for window in range(0, len(data), _WINDOW):
        for match in _LONG_RUN.finditer(data, window, window + _WINDOW):
            run = match.group()
            if _CODED.search(run) or b"=" in run.rstrip(b"="):  # those may spell anything
                continue
            if not _holds(run.lower(), secrets):
                yield match.start() + _EDGE, match.end() - _EDGE


def _holds(run: bytes, secrets: _Runs) -> bool:
    """Whether a long run has a part of a secret in it, as it is or without its marks."""
    signs = run.replace(b"\\n", b"").replace(b"\\r", b"") if b"\\" in run else run
    for text in (run, signs.translate(None, b"+/=_\\-")):
        whole = len(text) // _STRIDE * _STRIDE
        # At the speed of C: a kept answer has tens of megabytes. What is found may be there by chance.
        near = not secrets.half_bytes.isdisjoint(struct.iter_unpack(f"{_STRIDE}s", text[:whole]))
        if near and any(True for _ in _spans(text.decode("ascii"), replace(secrets, whole=()))):
            return True
    return False


@functools.lru_cache(maxsize=16)
def _runs_of(secrets: tuple[str, ...]) -> _Runs:
    spellings = list(dict.fromkeys(spelling for secret in secrets for spelling in _spellings(secret)))
    whole = [spelling for spelling in spellings if SHORTEST <= len(spelling) < RUN]
    spellings += ["".join(_SIGN.findall(spelling)) for spelling in spellings]
    long = {way for spelling in spellings if len(spelling) >= RUN for way in (spelling, spelling[::-1])}
    runs = frozenset(spelling[at : at + RUN] for spelling in long for at in range(len(spelling) - RUN + 1))
    halves = frozenset(spelling[at : at + _STRIDE] for spelling in long for at in range(len(spelling) - _STRIDE + 1))
    coded = (half.encode("utf-8", "surrogatepass") for half in halves)
    return _Runs(tuple(whole), runs, halves, frozenset((half,) for half in coded if len(half) == _STRIDE))


def _spellings(secret: str) -> list[str]:
    """The secret as it is, by its numbers, and coded, wherever in a longer text it stood; all in small letters."""
    data = secret.encode("utf-8", "surrogatepass")
    coded = _base64(data)
    found = [
        secret,
        data.hex(),
        data[::-1].hex(),
        "".join(map(str, data)),
        "".join(f"{byte:o}" for byte in data),
        codecs.encode(secret, "rot13"),
        *coded,
        *_base64(data[::-1]),
        *_base32(data),
        *_base85(data),
    ]
    found += [codecs.encode(spelling, "rot13") for spelling in coded]
    for other in (secret.upper(), secret.lower(), codecs.encode(secret, "rot13")):
        found += _base64(other.encode("utf-8", "surrogatepass"))
    for again in (data.hex(), data.hex().upper(), *coded):
        found += _base64(again.encode())
    for order in ("utf-16-le", "utf-16-be"):
        wide = secret.encode(order, "surrogatepass")
        found += [*_base64(wide), wide.hex()]
    found += [spelling.encode().hex() for spelling in coded]
    return ["".join(_letters(c) for c in spelling) for spelling in found]


def _base64(data: bytes) -> list[str]:
    """What is sure to be in the base64 of a text with `data` in it, for each place where it may begin."""
    found = []
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data).decode()
        # The first and the last characters also depend on what is beside it.
        inner = coded[-(-before * 8 // 6) :].rstrip("=")[:-1]
        found += [inner, inner.replace("+", "-").replace("/", "_")]
    return list(dict.fromkeys(found))


def _base32(data: bytes) -> list[str]:
    coded = (base64.b32encode(b"\0" * before + data).decode() for before in range(5))
    return [text[-(-before * 8 // 5) :].rstrip("=")[:-1] for before, text in enumerate(coded)]


def _base85(data: bytes) -> list[str]:
    """The same of both base85 alphabets, Git's and Adobe's: only groups of four bytes that are all of the secret are sure."""
    found = []
    for before in range(4):
        padded = b"\0" * before + data
        padded = padded[: len(padded) // 4 * 4]
        found += [encode(padded).decode()[5 if before else 0 :] for encode in (base64.b85encode, base64.a85encode)]
    return found


def _readings(text: str) -> Iterator[tuple[str, list[int], list[int]]]:
    """The characters that a reader would see, or decode in one to three rounds; where in `text` each begins and ends.

    Each round is looked at by itself: what one takes for an escape may be a part of the secret. Each comes as it is, and
    without marks between the letters and digits.
    """
    yield from _readable(list(text), list(range(len(text))), len(text))
    # A tag is shown as nothing, and what only looks like one may have the secret in it.
    for keep_tags in (False, True) if has_escape_in_tag(text) else (False,):
        letters, starts = list(text), list(range(len(text)))
        for _ in range(_ROUNDS):
            joined = "".join(letters)
            if not has_escape(joined):
                break
            letters, starts = decoded(joined, starts, keep_tags=keep_tags)
            yield from _readable(letters, starts, len(text))


def _readable(letters: list[str], starts: list[int], length: int) -> Iterator[tuple[str, list[int], list[int]]]:
    """`letters` without what can't be seen, and without marks; where each of those left begins and ends in the text."""
    ends = [*starts[1:], length]
    joined = "".join(letters)
    if not joined.isascii():
        plain = [_letters(letter) for letter in letters]
        starts = [start for start, each in zip(starts, plain, strict=True) for _ in each]
        ends = [end for end, each in zip(ends, plain, strict=True) for _ in each]
        joined = "".join(plain)
    else:
        joined = joined.lower()
    for pattern in (_SEEN, _SIGN):
        kept = _matches(pattern, joined)
        yield "".join(compress(joined, kept)), list(compress(starts, kept)), list(compress(ends, kept))


def _matches(pattern: re.Pattern[str], text: str) -> bytes:
    """For each character 1 where the pattern of one character matches it, else 0."""
    if text.isascii():  # at the speed of C: an answer is looked through several times
        return text.encode().translate(_ASCII[pattern])
    return bytes(pattern.match(letter) is not None for letter in text)


def _letters(letter: str) -> str:
    """The plain form of a character, in small letters; "" for one that can't be seen."""
    plain = unicodedata.normalize("NFKD", letter).lower()
    return "".join(c for c in plain if not c.isspace() and c not in _FILLERS and unicodedata.category(c) not in _UNSEEN)
