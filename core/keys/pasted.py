"""Text as people paste it: a line of a shell, of a settings file or of a header, where a bare value was asked for.

Pure functions. None of them raises, and none keeps what it cuts off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_ASSIGNMENT = re.compile(
    rf"(?:(?:export|set|setx|declare -x|env|const|let|var|ENV)\s+)?\$?(?:env:)?[\"']?(?P<name>{_NAME})[\"']?\s*"
    r"(?:=|:(?=[\s\"'])|\s(?=\"))\s*(?P<value>.*)",
    re.DOTALL,
)
_HEADER = re.compile(
    r"(?i)(?:(?:-H|--header)\s+)?[\"']?(?:x-goog-api-key|x-api-key|api-key|authorization)\s*:\s*(?P<value>.*)",
    re.DOTALL,
)
_KEY_NAME = re.compile(
    r"(?i)(?:.*[_.-])?(?:api_?-?key|key|token|secret|credentials?(?:_json)?|authorization|password)(?:_json)?"
)
_NAMED_ADDRESS = re.compile(
    rf"(?i)(?:(?:export|set|curl(?: -X \w+)?)\s+)?(?:\$?{_NAME}\s*[=:]\s*)?[\"'<]?(https?://.*)", re.DOTALL
)
_QUOTES = ("'", '"', "`", "“", "‘")
_CLOSING = {"“": "”", "‘": "’"}
_VERSION = r"/(?:v1|v1beta\d?|v1alpha)"
_ENDPOINT = re.compile(
    rf"(?:/upload)?{_VERSION}(?:/openai)?(?:/(?:images(?:/(?:generations|edits|variations))?|chat/completions|chat|completions"
    r"|responses|embeddings|files|models(?:/[^/]+)?|models/.+/(?:runs|predictions)|projects(?:/.*)?))?$|/images/(?:generations|edits|variations)$"
    r"|/chat/completions$",
    re.IGNORECASE,
)
"""What may follow a base URL where a whole endpoint was pasted: the routes of OpenAI, Gemini and Vertex."""


def without_assignment(text: str) -> str:
    """The value of `NAME=value`, `export NAME="value"`, `NAME: value`, `"name": "value",`, `-H "Authorization: value"`.

    Only where the name is that of a key: a key may have = and : in itself. Text of any other shape is given back as it is.
    """
    text = text.strip().strip("\ufeff").strip()
    found = _HEADER.fullmatch(text)
    if found is None:
        found = _ASSIGNMENT.fullmatch(text)
        if found is None or not _KEY_NAME.fullmatch(found["name"]) or not found["value"].strip():
            return text
    return unquoted(re.sub(r"\s+#\s.*$", "", found["value"].strip()).rstrip(",; \t"))


def unquoted(text: str) -> str:
    """`text` without the spaces and the one pair of quotes around it, also where only the closing one is there."""
    text = text.strip()
    if len(text) >= 2 and text[0] in _QUOTES and text[-1] == _CLOSING.get(text[0], text[0]):
        return text[1:-1].strip()
    if len(text) >= 2 and text[-1] in "'\"" and text[-1] not in text[:-1]:
        return text[:-1].strip()
    return text


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
