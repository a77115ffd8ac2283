"""Reads the errors of providers: refusals, errors that stand inside a success, and successes without any picture.

An error is found in every shape that providers use, also one inside another: gateways pass the error of whoever is behind
them on as text. What kind of failure it is says `error_kinds`. Nothing here decides what a failure costs or whether a
call is repeated.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import Fault
from ...redaction.text import redact
from ..base.step import Reply
from .bot_protection import protection_of
from .error_kinds import (
    MOST_WORDS,
    NO_CODES,
    Codes,
    declines,
    has_no_quota,
    kind_by_codes,
    kind_by_words,
    kind_of,
    seconds_in,
    takes_addresses_only,
)
from .long_text import LongText
from .reading import NotJson, read_json
from .result_images import words_in

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
_STATUS_FIELDS = ("code", "status", "statusCode", "status_code", "error_code")
_GOOD_CODES = frozenset({"", "ok", "success", "succeed", "succeeded", "none", "null"})
_RESULTS = (
    "data",
    "result",
    "results",
    "output",
    "outputs",
    "images",
    "choices",
    "candidates",
    "id",
    "task_id",
    "taskId",
)
"""Fields of an answer that is more than an error."""


_NO_QUOTA = (
    "The provider's own account behind this model has no quota: choose another model or provider, or ask the provider"
)
_ADDRESSES_ONLY = (
    "A provider of your own in providers.yaml can name an upload or another way for its references (references: upload, "
    "multipart, base64 or data_uri, as its dialect has them); else choose another provider"
)
_LONGEST_INNER = 64 << 10
_CODE_ALONE = re.compile(r"[A-Za-z][A-Za-z0-9]*([_.:-][A-Za-z0-9]+)+")


@dataclass
class Said:
    """What an error says, wherever in it that stands."""

    texts: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """The provider's codes, types and reasons, and the names of quotas that are used up."""

    @property
    def text(self) -> str:
        """Its message as it came, to look for phrases in."""
        return "; ".join(self.texts)

    @property
    def words(self) -> str:
        """Its message, without repeats, keys and pictures."""
        return redact("; ".join(dict.fromkeys(self.texts)))


def said_in(value: Any) -> Said:
    """The message and the codes of an error, from any of the shapes that providers use."""
    said = Said()
    _look(value, said, 0)
    return said


def fault_words(value: Any) -> tuple[str, str]:
    """The message of an error and its codes, as two texts."""
    said = said_in(value)
    return said.words, " ".join(said.codes)


def fault_of(reply: Reply, codes: Codes = NO_CODES) -> Fault:
    """What a reply that isn't a success says, by its status, its codes and its words. `codes`: this provider's own."""
    stopped = _stopped_before(reply)
    if stopped is not None:
        return stopped
    try:
        value = read_json(reply.body)
    except NotJson:
        page = page_title(reply.body)
        value = {"message": page}
    return _fault(reply, reply.status, value, codes)


def of_references(fault: Fault, references: int) -> Fault:
    """`fault`, told as what it is where a server refuses references that came inside the request as anything but addresses.

    `references`: how many came along.
    """
    if not references or fault.kind != "invalid" or not takes_addresses_only(fault.words):
        return fault
    opening = "{label} takes addresses only for reference images, not the images themselves{status}."
    return replace(fault, opening=opening, cure=_ADDRESSES_ONLY)


def error_in(reply: Reply, value: Any, codes: Codes = NO_CODES) -> Fault | None:
    """The error that stands inside a success; None where there is none.

    Read as an error are: a `code` that is an HTTP status, in the answer or in its `error`; an `error` that isn't empty;
    `success: false`; and a code with a message where nothing else comes with them. An answer that has pictures is a
    success whatever stands beside them, and a task says by its status how it stands: callers look for both before.
    `value` is the JSON of the answer, or the part of it that is asked about.
    """
    if not isinstance(value, dict):
        return None
    status = claimed_status(value)
    if status:
        return _fault(reply, status, value, codes)
    error = next((value[name] for name in ("error", "errors", "Error") if value.get(name)), None)
    if not error and not _failed(value) and not _only_code(value):
        return None
    said = said_in(value)
    if error is True and not said.texts:
        return None
    kind = kind_by_words(said.text, "server", said.codes, codes, reply.prompt)
    words = said.words or redact(" ".join(said.codes), 80)
    return Fault(kind, words, reply.status, request_id=reply.request_id)


def claimed_status(value: Any) -> int:
    """The HTTP status of an error that a body claims in its `code`, or in that of its `error`; 0 when it claims none."""
    if not isinstance(value, dict):
        return 0
    error = value.get("error")
    for place in (value, error if isinstance(error, dict) else {}):
        for name in _STATUS_FIELDS:
            code = place.get(name)
            if isinstance(code, str) and code.strip().isdecimal() and len(code) < 9:
                code = int(code)
            if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
                return code
    return 0


def unreadable(reply: Reply) -> Fault:
    """A success that can't be read, or one that is a challenge of what stands in front of the API."""
    return _stopped_before(reply) or Fault(
        "unreadable", page_title(reply.body), reply.status, request_id=reply.request_id
    )


def no_picture(reply: Reply, value: Any, codes: Codes = NO_CODES) -> Fault:
    """A success without any picture: the error inside it, or the model's or provider's own words where there are some."""
    fault = error_in(reply, value, codes)
    if fault is not None:
        return fault
    words = words_in(value)
    said = said_in(_without_prose(value))
    kind = kind_by_words(
        said.text, "content" if declines(words, reply.prompt) else "empty", said.codes, codes, reply.prompt
    )
    return Fault(kind, redact(words) or said.words, reply.status, request_id=reply.request_id)


def _without_prose(value: Any) -> Any:
    """An answer without what may be the words of a picture: a caption that speaks of money says nothing about an account."""
    if not isinstance(value, dict):
        return value
    return {name: _without_prose(item) for name, item in value.items() if name not in ("description", "title")}


def page_title(body: bytes) -> str:
    """What a web page in place of JSON calls itself, or the first words of anything else."""
    text = body[:4000].decode("utf-8", "replace")
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    if title:
        return redact("a web page titled " + title[1])
    return redact(re.sub(r"<[^>]+>", " ", text), 160)


# --------------------------------------------------------------------------------------------------- inside


def _stopped_before(reply: Reply) -> Fault | None:
    """The fault of an answer that isn't the API's but of bot protection in front of it; None for any other."""
    found = protection_of(reply)
    if found is None:
        return None
    kind, opening = found
    try:
        words = fault_words(read_json(reply.body))[0]
    except NotJson:
        words = page_title(reply.body)
    return Fault(kind, words, reply.status, request_id=reply.request_id, opening=opening)


def _fault(reply: Reply, status: int, value: Any, codes: Codes) -> Fault:
    """What the JSON of an error says under an HTTP status, which may be one that the JSON claims."""
    said = said_in(value)
    kind = kind_of(status, said.codes, said.text, codes, reply.prompt)
    opening = ""
    if kind == "proxy":
        opening = "The proxy between this machine and {label} wants a user name and a password, or others{status}."
    if status == 511:  # RFC 6585: a network that wants its own log-in first
        opening = "The network between this machine and {label} wants a log-in of its own first{status}."
        return Fault(
            kind, said.words, status, cure="Log in to this network in a browser, then queue again", opening=opening
        )
    cure = _NO_QUOTA if kind == "quota" and has_no_quota(" ".join([*said.codes, said.text])) else ""
    wait = _wish(value)
    if wait is None and kind in ("rate", "busy") and not {"retry-after", "retry-after-ms"} & set(reply.headers):
        wait = seconds_in(said.text)
    return Fault(kind, said.words, status, retry_after=wait, request_id=reply.request_id, cure=cure, opening=opening)


def _look(node: Any, said: Said, depth: int) -> None:
    """Collects the words and the codes of `node` and of what stands in it."""
    if depth > 7 or len(said.texts) > 6:
        return
    if isinstance(node, LongText):
        node = node.text()
    if isinstance(node, str):
        _listen(node.strip(), said, depth)
    elif isinstance(node, list):
        for item in node[:5]:
            _look(item, said, depth + 1)
    elif isinstance(node, dict):
        said.codes.extend(str(node[name])[:200] for name in _CODE_FIELDS if isinstance(node.get(name), (str, int)))
        _look_into_details(node.get("details"), said)
        if isinstance(node.get("data"), dict):
            _look(node["data"], said, depth + 1)  # a task tells its failure there
        for name in _WORD_FIELDS:
            if name in node:
                _look(_by_field(node[name]) if name == "errors" else node[name], said, depth + 1)
        if isinstance(node.get("loc"), list):
            said.texts.append(".".join(str(part) for part in node["loc"][:9]))
        metadata = node.get("metadata")
        if isinstance(metadata, dict) and ("message" in node or "code" in node):
            _look_into_raw(metadata.get("raw"), said, depth + 1)


def _by_field(errors: Any) -> Any:
    """`{"prompt": ["is too long"]}` as sentences; any other shape as it is."""
    if not isinstance(errors, dict) or any(name in errors for name in _WORD_FIELDS):
        return errors
    lists = {name: told if isinstance(told, list) else [told] for name, told in list(errors.items())[:5]}
    return [f"{name}: {each}" for name, told in lists.items() for each in told[:3] if isinstance(each, str)] or errors


def _listen(text: str, said: Said, depth: int) -> None:
    """A message; one that is, or ends in, the JSON of another error says what that error says."""
    inner = _inner_error(text)
    if inner is None:
        if text:
            said.texts.append(text[:MOST_WORDS])
        if _CODE_ALONE.fullmatch(text):
            said.codes.append(text)
        return
    before, value = inner
    if before:
        said.texts.append(before)
    _look(value, said, depth + 1)


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
    found = said_in(value) if isinstance(value, (dict, list)) else None
    return (text[:start].strip(" :,-"), value) if found and found.texts else None


def _look_into_raw(raw: Any, said: Said, depth: int) -> None:
    """OpenRouter's `metadata.raw`: the answer of whoever runs the model, as text, or as an object with that in `data`."""
    if isinstance(raw, dict) and "data" in raw:
        raw = raw["data"]
    _look(raw, said, depth)


def _look_into_details(details: Any, said: Said) -> None:
    """The reasons and the quotas in Google's `details`."""
    for detail in details[:9] if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        violations = detail.get("violations")
        for place in (detail, *(violations[:9] if isinstance(violations, list) else ())):
            if isinstance(place, dict):
                named = (place.get(name) for name in ("reason", "quotaId", "quotaMetric"))
                said.codes.extend(text[:200] for text in named if isinstance(text, str) and text)


def _failed(value: dict[str, Any]) -> bool:
    """Whether an answer says by a field of its own that it is a failure."""
    return value.get("success") is False or value.get("ok") is False


def _only_code(value: dict[str, Any]) -> bool:
    """Whether an answer is a code that isn't a good one, and a message, and nothing else that it could be about."""
    if any(value.get(name) for name in _RESULTS):
        return False
    code = value.get("code")
    if isinstance(code, str) and not code.strip().isdecimal():
        known = kind_by_codes([code]) is not None
        good = code.strip().lower() in _GOOD_CODES
        return not good and (known or any(isinstance(value.get(name), str) for name in ("message", "msg")))
    if isinstance(code, bool) or not isinstance(code, (int, str)) or code == "":
        return False
    number = code if isinstance(code, int) else int(code.strip()[:18])
    return number not in (0, 1) and not 200 <= number < 300


def _wish(value: Any) -> float | None:
    """Seconds that a body asks to wait; None for what is no sensible number."""
    wait = value.get("retry_after") if isinstance(value, dict) else None
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait < 1e9:
        return None
    return float(wait)
