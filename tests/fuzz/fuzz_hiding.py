"""Feeds `scrub` and `redact`: the key that was sent may not be in what they give, and neither may be slow.

An input is a text that holds the secret `SECRET` in some spelling, or doesn't.
"""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Sequence
from random import Random

import inputs
from harness import Harness
from pack.core.errors import ProviderFailure
from pack.core.redaction.sent_key import RUN, Scrubber
from pack.core.redaction.text import MOST_TEXT, hide_keys, redact

SECRET = "sk-Zq7/Xw+9_rT4=vB2mK8~pL5"
SCRUBBER = Scrubber([SECRET])
assert SCRUBBER.body(SECRET.encode()) == b"...", "the secret alone"
_PIECES = inputs.words("hiding", "pieces")


def run(data: bytes) -> None:
    """Hides the secret in a text, in bytes and in a failure."""
    text = data.decode("utf-8", "replace")
    shown = SCRUBBER.text(text)
    assert len(shown) <= MOST_TEXT + 1, "too much text"
    _hidden(shown)
    # Long runs of base64 are pictures, in which nothing is looked for.
    body = SCRUBBER.body(data)
    assert SECRET.encode() not in body or b"A" * 4000 in body or len(data) > 4096, "the secret is in a body"
    short = text[:300]
    value = SCRUBBER.value({"a": [short, {text[:50]: 1}], "c": None})
    _hidden(json.dumps(value, ensure_ascii=False))
    _hidden(SCRUBBER.value(ProviderFailure("server", text[-300:], request_id=text[-100:])).message)
    words = redact(text)
    assert len(words) <= 400 and "\n" not in words, "more than one short line"
    hide_keys(text[:20000])


def _hidden(text: str) -> None:
    assert SECRET not in text, "the secret is shown"
    for start in range(len(SECRET) - RUN + 1):
        assert SECRET[start : start + RUN] not in text, "a part of the secret is shown"


def _spelled(rng: Random) -> str:
    """The secret, or a part of it, in a spelling that a server might repeat."""
    secret = SECRET if rng.random() < 0.8 else SECRET[rng.randrange(8) :][: rng.randrange(8, 26)]
    ways = (
        lambda: secret,
        lambda: urllib.parse.quote(secret, safe=""),
        lambda: html.escape(secret),
        lambda: "".join(f"&#{ord(c)};" for c in secret),
        lambda: "".join(f"\\u{ord(c):04x}" for c in secret),
        lambda: base64.b64encode(("x" * rng.randrange(3) + secret + "y" * rng.randrange(3)).encode()).decode(),
        lambda: secret.encode().hex(),
        lambda: "\u200b".join(secret),
        lambda: " ".join(secret),
        lambda: json.dumps(json.dumps(secret)),
        lambda: "".join(f"%{ord(c):02X}" for c in secret),
    )
    return rng.choice(ways)()


def make(rng: Random) -> bytes:
    parts = []
    for _ in range(rng.randrange(1, 6)):
        draw = rng.random()
        parts.append(_spelled(rng) if draw < 0.4 else rng.choice(_PIECES) if draw < 0.7 else inputs.text(rng))
    text = "".join(parts)
    if rng.random() < 0.003:
        text = (rng.choice(_PIECES) * 3000)[:40000] + text
    return text.encode("utf-8", "surrogatepass")


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    if rng.random() < 0.5:
        at = rng.randrange(len(data) + 1)
        return data[:at] + _spelled(rng).encode("utf-8", "surrogatepass") + data[at:]
    return inputs.mutated_bytes(data, rng, others, 20000)


HARNESS = Harness(
    "hiding",
    run,
    make,
    mutate,
    ("core/redaction/sent_key.py", "core/redaction/escapes.py", "core/redaction/text.py"),
    inputs_in_suite=1500,
)
