"""Keeps secrets and pictures out of every text that leaves this process.

Used for the words of a provider before they become part of an error, a log line or a journal row. A key is never known
here: what looks like one is hidden whatever it is.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=_-]*")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{120,}={0,2}")
_SECRET_WORD = re.compile(
    r"(?i)\b(bearer|key|token|api[-_ ]?key|authorization|secret)(['\"]?(?: ?[:=] ?| ))"
    r"(['\"]?)([A-Za-z0-9_\-.:/+=*]{8,})"
)
_KEY_SHAPE = re.compile(
    r"\b(?:sk|rf|afk|r8|fal|key|pk|AIza|ghp|hf|sim)[-_][A-Za-z0-9_\-]{12,}|\bAIza[\w-]{20,}"
    r"|\b[0-9a-f]{8}-[0-9a-f-]{27}:[0-9a-f]{16,}"
)
_URL = re.compile(r"https?://[^\s\"'<>\\]+")

WORDS = 400
"""How many characters of a provider's words are kept."""
MOST_TEXT = 16 * 1024
"""How many characters of a text are looked at."""
_MOST_PICTURE = 200_000
"""How far into a text pictures are looked for."""


def redact(text: str, limit: int = WORDS) -> str:
    """`text` on one line without keys, signed query strings and pictures, cut to `limit` characters.

    No more than `MOST_TEXT` characters are looked at, and the time it takes is linear in them.
    """
    # Pictures first, or one would take the place of the words behind it; then one space for many, for the patterns' sake.
    text = _DATA_URI.sub("data:...", text[:_MOST_PICTURE])[:MOST_TEXT]
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = _URL.sub(lambda match: public_url(match.group()), text)
    text = _SECRET_WORD.sub(
        lambda match: f"{match[1]}{match[2]}{match[3]}..." if _looks_secret(match[4]) else match[0], text
    )
    text = _KEY_SHAPE.sub("...", text)
    text = _BASE64.sub("...", text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def hide_keys(text: str) -> str:
    """`text` as it is, but for what looks like a key."""
    return _KEY_SHAPE.sub("...", text)


def public_url(url: str) -> str:
    """`url` without user name, password, query and fragment: what may be shown."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if ":" in host:
            host = f"[{host}]"
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(unreadable address)"
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def _looks_secret(word: str) -> bool:
    # "key is missing", "token limit exceeded" are words; keys have digits or are long.
    return len(word) >= 20 or any(c.isdigit() for c in word) or "*" in word
