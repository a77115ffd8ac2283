"""Reads and writes JSON of any origin without holding the interpreter lock for long.

The C code of `json` holds the lock throughout: half a second for 16 MB. Its Python implementation gives the same values and
lets other threads run. A garbage collection can't be interrupted either, so the number of objects and lists is limited.
"""

from __future__ import annotations

import json
import json.scanner
import re
from typing import Any

ONE_PASS_CHARACTERS = 256 << 10
"""Up to this length the C code parses the text."""
MAX_CONTAINERS = 200_000
"""Objects and lists in one text; a workflow of a thousand nodes has 30,000."""
_STEP = 1 << 20
_LONG_TOKEN = re.compile(r"[0-9]{1000}|[ \t\r\n]{50000}")


def loads(text: str, **options: Any) -> Any:
    """The value of a JSON text. Raises ValueError, also above the limits, and RecursionError."""
    if len(text) <= ONE_PASS_CHARACTERS:
        return json.loads(text, **options)
    if text.count("[") + text.count("{") > MAX_CONTAINERS:
        raise ValueError("too many objects and lists")
    for at in range(0, len(text), _STEP):
        if _LONG_TOKEN.search(text, at, at + _STEP + 50_000):
            raise ValueError("a number or a gap without end")
    decoder = json.JSONDecoder(**options)
    decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    return decoder.decode(text)


def dumps(value: Any, **options: Any) -> str:
    """A value as JSON. Raises TypeError, ValueError or RecursionError."""
    return "".join(json.JSONEncoder(**options).iterencode(value))
