"""Redacts keys, signed addresses and pictures in text, by their shape.

Used for a provider's messages before they become part of an error, a log line or a row of the journal. The key itself isn't
known here; `sent_key` hides the one that was sent.
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

MAX_MESSAGE = 400
"""Characters of a provider's message that are kept."""
MOST_TEXT = 16 * 1024
"""Characters of a text that are searched."""
_MOST_PICTURE = 200_000
"""Characters of a text that are searched for pictures."""


def redact(text: str, limit: int = MAX_MESSAGE) -> str:
    """`text` on one line without keys, signed query strings and pictures, cut to `limit` characters.

    No more than `MOST_TEXT` characters are looked at, and the time it takes is linear in them. Gives `text` itself where
    nothing changes: a message stays one.
    """
    redacted = _redacted(text, limit)
    return text if redacted == text else redacted


def _redacted(text: str, limit: int) -> str:
    # Pictures first, or one would use up the limit; then single spaces, because the patterns expect them.
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
