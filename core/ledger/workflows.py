"""Workflows are stored with their pictures, without secrets, so that they can be opened again.

This pack's nodes hold no secrets; nodes of other packs do. Values that are named like a secret, or look like one, are removed.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from ..redaction.text import hide_keys
from . import interruptible_json

_SECRET_NAME = re.compile(r"(?i)(api[-_ ]?key|secret|token|password|passwd|authorization|credential)s?$")
_LONGEST_STRING = 64 << 10
MAX_CHARACTERS = 4 << 20
"""A longer graph is not stored: it contains an embedded file."""


def pack(graph: Mapping[str, Any] | None, *, untrusted: bool = False) -> tuple[str, bytes]:
    """The id of a graph and its compressed JSON; ("", b"") for none, and for one that is no JSON or too long.

    `untrusted`: it is from a file that others may have written. It is encoded without holding the interpreter lock, and long
    strings, which are embedded files, become empty.
    """
    if not graph:
        return "", b""
    dumps = interruptible_json.dumps if untrusted else json.dumps
    try:
        clean = without_secrets(_without_files(graph) if untrusted else graph)
        text = dumps(clean, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return "", b""
    if len(text) > MAX_CHARACTERS:
        return "", b""
    data = text.encode("utf-8", "surrogatepass")  # a lone surrogate is decoded as it was
    return hashlib.sha256(data).hexdigest(), zlib.compress(data, 6)


def _without_files(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_files(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_files(inner) for inner in value]
    return "" if isinstance(value, str) and len(value) > _LONGEST_STRING else value


def unpack_json(data: bytes) -> str:
    """The JSON of a packed graph, unparsed, because parsing holds the interpreter lock. "" where it is damaged."""
    try:
        return zlib.decompress(data).decode("utf-8", "surrogatepass")
    except (zlib.error, ValueError):
        return ""


def unpack(data: bytes) -> dict[str, Any] | None:
    """The packed graph; None where it is damaged."""
    try:
        value = interruptible_json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
    except (zlib.error, ValueError):
        return None
    return value if isinstance(value, dict) else None


def without_secrets(graph: Mapping[str, Any]) -> Any:
    """A copy of `graph` without secrets. A value under a secret's name is removed from all other places, too."""
    secrets: set[str] = set()
    _collect_secrets(graph, secrets)
    return _cleaned(graph, secrets)


def _collect_secrets(value: Any, secrets: set[str]) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, str) and len(inner) >= 6 and _SECRET_NAME.search(str(name)):
                secrets.add(inner)
            _collect_secrets(inner, secrets)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _collect_secrets(inner, secrets)


def _cleaned(value: Any, secrets: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _cleaned(inner, secrets) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(inner, secrets) for inner in value]
    if isinstance(value, str):
        return "" if value in secrets else hide_keys(value)
    return value
