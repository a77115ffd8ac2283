"""Addresses as people paste them: a line of a shell or of a settings file, a whole endpoint where its beginning was asked for.

Pure functions that raise nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_NAMED_ADDRESS = re.compile(
    rf"(?i)(?:(?:export|set|curl(?: -X \w+)?)\s+)?(?:\$?{_NAME}\s*[=:]\s*)?[\"'<]?(https?://.*)", re.DOTALL
)
_VERSION = r"/(?:v1|v1beta\d?|v1alpha)"
_ENDPOINT = re.compile(
    rf"(?:/upload)?{_VERSION}(?:/openai)?(?:/(?:images(?:/(?:generations|edits|variations))?|chat/completions|chat|completions"
    r"|responses|embeddings|files|models(?:/[^/]+)?|models/.+/(?:runs|predictions)|projects(?:/.*)?))?$|/images/(?:generations|edits|variations)$"
    r"|/chat/completions$",
    re.IGNORECASE,
)
"""What may follow a base URL where a whole endpoint was pasted: the routes of OpenAI, Gemini and Vertex."""


def without_name(text: str) -> str:
    """The address in `NAME=https://...`, `base_url: https://...` or `curl https://...`; any other text as it is."""
    found = _NAMED_ADDRESS.fullmatch(text.strip())
    return found[1].rstrip("\"',;> ") if found else text


def prefix_of(path: str, routes: Sequence[str] = ()) -> str:
    """The path of a base URL in the path of an address, which may be that of a whole endpoint.

    `routes` are the paths that the provider's own requests have below its base URL; `{model}` and the like stand for
    anything.
    """
    path = path.rstrip("/")
    while True:
        shorter = _ENDPOINT.sub("", _without_route(path, routes)).rstrip("/")
        if shorter == path:
            return path
        path = shorter


def _without_route(path: str, routes: Sequence[str]) -> str:
    """`path` without a route at its end, or the first segments of one down to its version."""
    for route in routes:
        segments = [segment for segment in route.split("/") if segment]
        for count in range(len(segments), 0, -1):
            beginning = segments[:count]
            if count < len(segments) and not re.match(r"v\d", beginning[-1]):
                continue
            pattern = "".join("/" + _segment(segment) for segment in beginning)
            shorter = re.sub(pattern + "$", "", path, flags=re.IGNORECASE)
            if shorter != path:
                return shorter
    return path


def _segment(segment: str) -> str:
    """A pattern for one segment of a route."""
    parts = re.split(r"\{\w+\}", segment)
    return "[^/]+(?:/[^/]+)*?".join(re.escape(part) for part in parts) if len(parts) > 1 else re.escape(segment)
