"""Finds the JSON document of a Google service account in text as it is pasted: escaped, encoded, quoted, broken into lines.

Pure functions. No error repeats anything of the document; it names what is missing. Used by `google_service_account`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from ..errors.messages import msg
from .pasted_key import unquoted

_LONGEST = 64_000
_PEM = re.compile(r"-----BEGIN (?P<kind>(?:RSA |EC )?PRIVATE KEY)-----(?P<body>.*?)-----END (?P=kind)-----", re.DOTALL)
_NAME_BEFORE = re.compile(r"(?:(?:export|set)\s+)?\$?(?:env:)?[A-Za-z_]\w*\s*[=:]\s*(?=['\"`]?[\[{A-Za-z0-9+/])")
_STRING = r"(?:'(?:[^'\\]|\\.|\\\Z)*(?:'|\Z)|\"(?:[^\"\\]|\\.|\\\Z)*(?:\"|\Z))"
"""Of Python. One that never ends is one, too, so that each character is looked at once."""
_PYTHON = re.compile(rf"{_STRING}(?:\s+{_STRING})*|\b(?:True|False|None)\b|,(?=\s*[}}\]])", re.DOTALL)
"""Strings, those side by side being one; the constants that JSON spells otherwise; a comma after the last entry."""
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}|.)|\"", re.DOTALL)
_SPELLED = {"True": "true", "False": "false", "None": "null", ",": ""}
_API_KEY = re.compile(r"\s*['\"]?(AIza[\w-]{20,}|AQ\.[\w.-]{20,})['\"]?\s*")


def looks_like_document(text: str) -> bool:
    """Whether text is meant as a document rather than as the path of one."""
    plain = _unwrapped(text)
    has_names = ("private_key" in plain or "service_account" in plain) and any(mark in plain for mark in "{\"'\n")
    return plain[:1] in ("{", "[") or has_names or bool(_decoded(plain))


def is_api_key(text: str) -> bool:
    """Whether text is an API key of Google's, which stands for no account."""
    return _API_KEY.fullmatch(text) is not None


def parsed(text: str) -> dict[str, Any] | str:
    """The document as a dictionary, its private key on proper lines; or what is wrong, as a clause that follows "it"."""
    plain = _unwrapped(text)
    plain = plain if plain[:1] in ("{", "[", '"') else _decoded(plain) or plain
    problem = msg("account_document.not_a_service_account")
    for attempt in (plain, _unescaped(plain), _with_straight_quotes(plain)):
        value, detail = _read(attempt)
        if isinstance(value, str):
            value, detail = _read(value)  # a JSON text inside a JSON text
        if isinstance(value, dict):
            key = value.get("private_key")
            return {**value, "private_key": _with_pem_lines(key)} if isinstance(key, str) else value
        problem = detail if detail and problem.startswith("is not the JSON document") else problem
    return problem


def _unwrapped(text: str) -> str:
    """`text` without a byte order mark, quotes, and the name of a variable before it."""
    text = text[: 4 * _LONGEST].strip().strip("\ufeff").strip()
    named = _NAME_BEFORE.match(text)
    text = text[named.end() :] if named else text
    inner = unquoted(text)
    # A JSON text inside a JSON text keeps its quotes: they say how to read what is in it.
    return inner if text[:1] != '"' or not inner.startswith("{\\") else text


def _decoded(text: str) -> str:
    """The document that `text` holds as base64; "" for anything else."""
    packed = "".join(text.split())
    if len(packed) < 100 or not re.fullmatch(r"[A-Za-z0-9+/_-]+={0,2}", packed):
        return ""
    packed = packed.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        found = base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-8-sig").strip()
    except (binascii.Error, ValueError):
        return ""
    return found if found.startswith("{") else ""


def _read(text: str) -> tuple[Any, str]:
    """What `text` says as JSON, or as Python writes a dictionary; and what is wrong with it, where it is neither."""
    if len(text) > _LONGEST:
        return None, ""
    try:
        return json.loads(text, strict=False), ""  # a line may end inside a string
    except RecursionError:
        return None, ""
    except ValueError as error:
        position = getattr(error, "pos", 0)
        ended = position >= len(text.rstrip()) - 1 or str(error).startswith("Unterminated")
    try:
        return json.loads(_from_python(text), strict=False), ""
    except (ValueError, RecursionError):
        pass
    if not text.startswith("{"):
        return None, ""
    where = (
        msg("account_document.ends_too_early")
        if ended
        else msg("account_document.not_json_from_character", position=position + 1)
    )
    return None, msg("account_document.not_a_service_account_because", where=where)


def _from_python(text: str) -> str:
    """A dictionary as Python writes it, as JSON: its quotes, its constants, a comma before the end.

    Python's own reader would do, but for the warnings that it prints about what it is given.
    """
    return _PYTHON.sub(_token, text)


def _token(found: re.Match[str]) -> str:
    word = found[0]
    if word[0] not in "'\"":
        return _SPELLED[word]
    parts = re.findall(_STRING, word, re.DOTALL)
    inner = "".join(part[1:-1] if len(part) > 1 and part[-1] == part[0] else part[1:] for part in parts)
    return f'"{_ESCAPE.sub(_escape, inner)}"'


def _escape(found: re.Match[str]) -> str:
    """An escape of Python, or a bare double quote, as JSON has it."""
    word = found[0]
    if len(word) > 2:  # by number
        return json.dumps(chr(int(word[2:], 16)))[1:-1]
    return {'"': '\\"', "\\'": "'"}.get(word, word)


def _unescaped(text: str) -> str:
    """`text` after one round of backslashes, as where a whole document was escaped once more."""
    if re.match(r"\{\s*\\+[nr]", text):
        text = re.sub(r"\\+r?\\*n|\\+r", "\n", text)
    return re.sub(r"\\([\"\\/])", r"\1", text) if '\\"' in text else text


def _with_straight_quotes(text: str) -> str:
    """`text` with the straight quotes that a word processor bent."""
    return text.translate({0x201C: '"', 0x201D: '"', 0x201E: '"', 0x2018: "'", 0x2019: "'", 0xA0: " "})


def _with_pem_lines(key: str) -> str:
    """A private key whose lines were escaped twice, joined or indented, on lines of its own."""
    found = _PEM.search(key)
    if found is None:
        return key
    body = re.sub(r"\\+[nr]|\s", "", found["body"])
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {found['kind']}-----", *lines, f"-----END {found['kind']}-----", ""])
