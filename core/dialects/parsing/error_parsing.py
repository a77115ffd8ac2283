"""Reads the errors of providers: refusals, errors that are inside a success, and successes without any picture.

`error_message` finds the message, `error_kinds` says what kind of failure it is by `error_kinds`. Nothing here decides what
a failure costs or whether a call is repeated.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ...errors import ProviderFailure
from ...errors.messages import msg
from ...redaction.text import redact
from ..base.step import Reply
from .bot_protection import protection_of
from .error_codes import NO_CODES, Codes, kind_by_codes
from .error_kinds import kind_by_message, kind_of
from .error_message import error_message, message_and_codes
from .error_phrases import declines, has_no_quota, seconds_in, takes_addresses_only
from .reading import NotJson, read_json
from .result_images import says_failure, text_beside_images

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


_NO_QUOTA = msg("error_parsing.provider_account_has_no_quota")
_ADDRESSES_ONLY = msg("error_parsing.use_another_reference_transport")


def failure_of(reply: Reply, codes: Codes = NO_CODES) -> ProviderFailure:
    """What a reply that isn't a success says, by its status, its codes and its words. `codes`: this provider's own."""
    stopped = _stopped_before(reply)
    if stopped is not None:
        return stopped
    try:
        value = read_json(reply.body)
    except NotJson:
        page = page_title(reply.body)
        value = {"message": page}
    return _failure(reply, reply.status, value, codes)


def explain_refused_references(failure: ProviderFailure, references: int) -> ProviderFailure:
    """`failure`, explained where a server refuses references that came inside the request as anything but addresses.

    `references`: how many came along.
    """
    if not references or failure.kind != "invalid" or not takes_addresses_only(failure.message):
        return failure
    opening = msg("error_parsing.references_by_address_only")
    return replace(failure, opening=opening, cure=_ADDRESSES_ONLY)


def error_in(reply: Reply, value: Any, codes: Codes = NO_CODES) -> ProviderFailure | None:
    """The error that is inside a success; None where there is none.

    Read as an error are: a `code` that is an HTTP status, in the answer or in its `error`; an `error` that isn't empty;
    `success: false`; and a code with a message where nothing else comes with them. An answer that has pictures is a
    success whatever is beside them, and a task says by its status how it is: callers look for both before.
    `value` is the JSON of the answer, or the part of it that is asked about.
    """
    if not isinstance(value, dict):
        return None
    status = claimed_status(value)
    if status:
        return _failure(reply, status, value, codes)
    error = next((value[name] for name in ("error", "errors", "Error") if value.get(name)), None)
    if not error and not says_failure(value) and not _only_code(value):
        return None
    message = error_message(value)
    if error is True and not message.texts:
        return None
    kind = kind_by_message(message.text, "server", message.codes, codes, reply.prompt)
    text = message.shown or redact(" ".join(message.codes), 80)
    return ProviderFailure(kind, text, reply.status, request_id=reply.request_id)


def claimed_status(value: Any) -> int:
    """The HTTP status of an error that a body claims in its `code`, or in that of its `error`; 0 when it claims none."""
    if not isinstance(value, dict):
        return 0
    error = value.get("error")
    for part in (value, error if isinstance(error, dict) else {}):
        for name in _STATUS_FIELDS:
            code = part.get(name)
            if isinstance(code, str) and code.strip().isdecimal() and len(code) < 9:
                code = int(code)
            if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
                return code
    return 0


def unreadable(reply: Reply) -> ProviderFailure:
    """A success that can't be read, or one that is a challenge of what is in front of the API."""
    return _stopped_before(reply) or ProviderFailure(
        "unreadable", page_title(reply.body), reply.status, request_id=reply.request_id
    )


def no_picture(reply: Reply, value: Any, codes: Codes = NO_CODES) -> ProviderFailure:
    """A success without any picture: the error inside it, or the model's or provider's own words where there are some."""
    failure = error_in(reply, value, codes)
    if failure is not None:
        return failure
    model_text = text_beside_images(value)
    message = error_message(_without_prose(value))
    kind = kind_by_message(
        message.text, "content" if declines(model_text, reply.prompt) else "empty", message.codes, codes, reply.prompt
    )
    return ProviderFailure(kind, redact(model_text) or message.shown, reply.status, request_id=reply.request_id)


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
        return redact(msg("error_parsing.web_page_titled") + title[1])
    return redact(re.sub(r"<[^>]+>", " ", text), 160)


# --------------------------------------------------------------------------------------------------- inside


def _stopped_before(reply: Reply) -> ProviderFailure | None:
    """The failure of an answer that isn't the API's but of bot protection in front of it; None for any other."""
    found = protection_of(reply)
    if found is None:
        return None
    kind, opening = found
    try:
        message = message_and_codes(read_json(reply.body))[0]
    except NotJson:
        message = page_title(reply.body)
    return ProviderFailure(kind, message, reply.status, request_id=reply.request_id, opening=opening)


def _failure(reply: Reply, status: int, value: Any, codes: Codes) -> ProviderFailure:
    """What the JSON of an error says under an HTTP status, which may be one that the JSON claims."""
    message = error_message(value)
    kind = kind_of(status, message.codes, message.text, codes, reply.prompt)
    opening = ""
    if kind == "proxy":
        opening = msg("error_parsing.proxy_wants_user_name")
    if status == 511:  # RFC 6585: a network that wants its own log-in first
        opening = msg("error_parsing.network_wants_login")
        return ProviderFailure(
            kind, message.shown, status, cure=msg("error_parsing.log_in_with_browser"), opening=opening
        )
    cure = _NO_QUOTA if kind == "quota" and has_no_quota(" ".join([*message.codes, message.text])) else ""
    wait = _seconds_to_wait(value)
    if wait is None and kind in ("rate", "busy") and not {"retry-after", "retry-after-ms"} & set(reply.headers):
        wait = seconds_in(message.text)
    return ProviderFailure(
        kind, message.shown, status, retry_after=wait, request_id=reply.request_id, cure=cure, opening=opening
    )


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


def _seconds_to_wait(value: Any) -> float | None:
    """Seconds that a body asks to wait; None for what is no sensible number."""
    wait = value.get("retry_after") if isinstance(value, dict) else None
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait < 1e9:
        return None
    return float(wait)
