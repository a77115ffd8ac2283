"""The workflow that asked for a picture, kept without anything secret so that it can be opened again.

The pack's own nodes hold no secrets; other packs' do. What is named like a secret, or looks like one, is taken out.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from ..redaction.text import hide_keys
from . import interruptible_json as interruptible_json

_SECRET_NAME = re.compile(r"(?i)(api[-_ ]?key|secret|token|password|passwd|authorization|credential)s?$")
_LONGEST_STRING = 64 << 10
MAX_CHARACTERS = 4 << 20
"""A graph with more characters isn't kept: that is an embedded file and not a workflow."""


def pack(graph: Mapping[str, Any] | None, *, foreign: bool = False) -> tuple[str, bytes]:
    """Its id and its compressed JSON; ("", b"") for none.

    `foreign`: it comes out of a file that anybody may have written. It is written with pauses, and without the long strings
    that are embedded files.
    """
    if not graph:
        return "", b""
    dumps = interruptible_json.dumps if foreign else json.dumps
    try:
        clean = without_secrets(_without_files(graph) if foreign else graph)
        text = dumps(clean, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return "", b""
    if len(text) > MAX_CHARACTERS:
        return "", b""
    data = text.encode("utf-8", "surrogatepass")  # half a character comes back as it was: `json` reads it so
    return hashlib.sha256(data).hexdigest(), zlib.compress(data, 6)


def _without_files(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_files(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_files(inner) for inner in value]
    return "" if isinstance(value, str) and len(value) > _LONGEST_STRING else value


def unpack_json(data: bytes) -> str:
    """The JSON that was packed, which is not parsed: that would hold the interpreter. "" where it is damaged."""
    try:
        return zlib.decompress(data).decode("utf-8", "surrogatepass")
    except (zlib.error, ValueError):
        return ""


def unpack(data: bytes) -> dict[str, Any] | None:
    try:
        value = interruptible_json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
    except (zlib.error, ValueError):
        return None
    return value if isinstance(value, dict) else None


def without_secrets(graph: Mapping[str, Any]) -> Any:
    """A copy of `graph`; a value that stands under a secret's name is taken out wherever else it stands, too."""
    found: set[str] = set()
    _collect(graph, found)
    return _cleaned(graph, found)


def _collect(value: Any, found: set[str]) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, str) and len(inner) >= 6 and _SECRET_NAME.search(str(name)):
                found.add(inner)
            _collect(inner, found)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _collect(inner, found)


def _cleaned(value: Any, secrets: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _cleaned(inner, secrets) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(inner, secrets) for inner in value]
    if isinstance(value, str):
        return "" if value in secrets else hide_keys(value)
    return value
