"""Finds the message and the codes of an error in the JSON of an answer.

They are found in every shape that providers use, also in an error inside another: gateways pass the error of whoever is
behind them on as text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ...http.long_text import LongText
from ...redaction.text import redact
from .error_phrases import MOST_CHARACTERS

_WORD_FIELDS = (
    "message",
    "msg",
    "detail",
    "error",
    "error_message",
    "fail_reason",
    "failure_message",
    "failReason",
    "failMsg",
    "reason",
    "title",
    "description",
    "errors",
    "errMsg",
    "err_msg",
    "errmsg",
    "error_msg",
    "errorMessage",
    "error_description",
    "statusMessage",
    "userMessage",
)
_CODE_FIELDS = (
    "code",
    "type",
    "status",
    "failure_code",
    "error_type",
    "failCode",
    "error_code",
    "errorCode",
)
_LONGEST_INNER = 64 << 10
_SENTENCE_END = re.compile(r"(?<=[.!?。！？]); ")
"""A semicolon behind a whole sentence."""
_CODE_ALONE = re.compile(r"[A-Za-z][A-Za-z0-9]*([_.:-][A-Za-z0-9]+)+")


@dataclass
class ErrorMessage:
    """What an error says, wherever in it that is."""

    texts: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """The provider's codes, types and reasons, and the names of quotas that are used up."""

    @property
    def text(self) -> str:
        """Its message as it came, to look for phrases in."""
        return "; ".join(self.texts)

    @property
    def shown(self) -> str:
        """Its message, without repeats, keys and pictures."""
        return redact(_SENTENCE_END.sub(" ", "; ".join(dict.fromkeys(self.texts))))


def error_message(value: Any) -> ErrorMessage:
    """The message and the codes of an error, from any of the shapes that providers use."""
    message = ErrorMessage()
    _look(value, message, 0)
    return message


def message_and_codes(value: Any) -> tuple[str, str]:
    """The message of an error and its codes, as two texts."""
    message = error_message(value)
    return message.shown, " ".join(message.codes)


def _look(node: Any, message: ErrorMessage, depth: int) -> None:
    """Collects the words and the codes of `node` and of what is in it."""
    if depth > 7 or len(message.texts) > 6:
        return
    if isinstance(node, LongText):
        node = node.text()
    if isinstance(node, str):
        _read_text(node.strip(), message, depth)
    elif isinstance(node, list):
        for item in node[:5]:
            _look(item, message, depth + 1)
    elif isinstance(node, dict):
        message.codes.extend(str(node[name])[:200] for name in _CODE_FIELDS if isinstance(node.get(name), (str, int)))
        _look_into_details(node.get("details"), message)
        if isinstance(node.get("data"), dict):
            _look(node["data"], message, depth + 1)  # a task's failure is there
        for name in _WORD_FIELDS:
            if name in node:
                _look(_by_field(node[name]) if name == "errors" else node[name], message, depth + 1)
        if isinstance(node.get("loc"), list):
            message.texts.append(".".join(str(part) for part in node["loc"][:9]))
        metadata = node.get("metadata")
        if isinstance(metadata, dict) and ("message" in node or "code" in node):
            _look_into_raw(metadata.get("raw"), message, depth + 1)


def _by_field(errors: Any) -> Any:
    """`{"prompt": ["is too long"]}` as sentences; any other shape as it is."""
    if not isinstance(errors, dict) or any(name in errors for name in _WORD_FIELDS):
        return errors
    lists = {name: texts if isinstance(texts, list) else [texts] for name, texts in list(errors.items())[:5]}
    return [f"{name}: {each}" for name, texts in lists.items() for each in texts[:3] if isinstance(each, str)] or errors


def _read_text(text: str, message: ErrorMessage, depth: int) -> None:
    """A message; one that is, or ends in, the JSON of another error says what that error says."""
    inner = _inner_error(text)
    if inner is None:
        if text:
            message.texts.append(text[:MOST_CHARACTERS])
        if _CODE_ALONE.fullmatch(text):
            message.codes.append(text)
        return
    before, value = inner
    if before:
        message.texts.append(before)
    _look(value, message, depth + 1)


def _inner_error(text: str) -> tuple[str, Any] | None:
    """The words before an error that a message holds as JSON text, and that error; None without one."""
    start = text.find("{")
    if start < 0 or '"' not in text or len(text) > _LONGEST_INNER:
        return None
    start = start - 1 if start and text[start - 1] == "[" else start
    try:
        value = json.JSONDecoder().raw_decode(text[start:])[0]
    except (ValueError, RecursionError):
        return None
    found = error_message(value) if isinstance(value, (dict, list)) else None
    return (text[:start].strip(" :,-"), value) if found and found.texts else None


def _look_into_raw(raw: Any, message: ErrorMessage, depth: int) -> None:
    """OpenRouter's `metadata.raw`: the answer of whoever runs the model, as text, or as an object with that in `data`."""
    if isinstance(raw, dict) and "data" in raw:
        raw = raw["data"]
    _look(raw, message, depth)


def _look_into_details(details: Any, message: ErrorMessage) -> None:
    """The reasons and the quotas in Google's `details`."""
    for detail in details[:9] if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        violations = detail.get("violations")
        for part in (detail, *(violations[:9] if isinstance(violations, list) else ())):
            if isinstance(part, dict):
                named = (part.get(name) for name in ("reason", "quotaId", "quotaMetric"))
                message.codes.extend(text[:200] for text in named if isinstance(text, str) and text)
