"""Keys as people paste them: a line of a shell, of a settings file or of a header, where the key alone was asked for.

Pure functions. None of them raises.
"""

from __future__ import annotations

import re

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
_QUOTES = ("'", '"', "`", "“", "‘")
_CLOSING = {"“": "”", "‘": "’"}


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
