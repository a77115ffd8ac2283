"""Takes the answer of a known API out of the envelope that a gateway puts around it.

Seen: `{"response": {"candidates": ...}}` of Google's Code Assist API and its proxies, `{"code": 0, "data": {...}}` and
`{"success": true, "result": {...}}` of resellers, `{"statusCode": 200, "body": "..."}` of functions behind AWS's gateway.
"""

from __future__ import annotations

from typing import Any

from ...http.long_json import LongJson
from ...http.long_text import LongText

_ENVELOPES = ("response", "data", "result", "output", "body", "payload")
_DEEPEST = 4


def unwrapped(value: Any, depth: int = 0) -> Any:
    """The answer inside `value`, or `value` where it is in no envelope."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, (str, LongText)):
        inner = json_in(value)
        return value if inner is None else unwrapped(inner, depth + 1)
    if not isinstance(value, dict) or _is_answer(value):
        return value
    for name in _ENVELOPES:
        inner = value.get(name)
        if name == "body" and isinstance(inner, (str, LongText)):
            inner = json_in(inner)
        if not isinstance(inner, dict):
            continue
        inner = unwrapped(inner, depth + 1)
        if name == "body" or _is_answer(inner):
            status = value.get("statusCode")
            return {**inner, "statusCode": status} if isinstance(status, int) and status >= 400 else inner
    return value


def json_in(text: Any) -> Any:
    """The JSON object or list that a text is, also one in a fenced block; None for anything else."""
    if not isinstance(text, (str, LongText)):
        return None
    head = (text[:200] if isinstance(text, str) else text.head(200).decode("utf-8", "replace")).lstrip()
    if not head.startswith(("{", "[", "```")):
        return None
    try:
        body = text.encode("utf-8", "replace") if isinstance(text, str) else text.read()
        if head.startswith("```"):
            body = body.strip().removesuffix(b"```")
            body = body[body.find(b"\n") + 1 :]
        source = LongJson(body)
        value = source.parse(source.text().lstrip())[0]
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def _is_answer(value: dict[str, Any]) -> bool:
    return any(isinstance(value.get(name), list) for name in ("candidates", "choices")) or "promptFeedback" in value
