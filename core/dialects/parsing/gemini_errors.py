"""What Gemini says when there is no picture: errors, and answers of HTTP 200 that decline.

Documents: Google's API reference, the enums FinishReason and BlockedReason of its SDK (google-genai 3.6.1), and replies of
the live API as clients report them: a bad key is a 400, a key without billing gets 429 for ever, used up prepaid credit
and a project's spending cap are a 429, too, and an error may stand in a list. Resellers of the same API put errors of
their own in between: those are read as everybody's. Decides nothing about money or repeating. Called by `gemini.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ...errors import Fault, Kind
from ...redaction.text import redact
from ..base.step import Reply
from .error_kinds import kind_by_words
from .error_parsing import claimed_status, fault_of, no_picture
from .error_phrases import declines
from .reading import NotJson, read_object
from .result_images import named as named

_SAFETY = "change the prompt or the references; a higher safety_tolerance may help"
_AGAIN = "queue again with another seed"
REASONS: dict[str, tuple[Kind, str]] = {
    "SAFETY": ("content", f"Its safety filter stopped it: {_SAFETY}"),
    "IMAGE_SAFETY": ("content", f"Its safety filter held the picture back: {_SAFETY}"),
    "PROHIBITED_CONTENT": ("content", "The prompt or a reference is of a kind it never works on: change that"),
    "IMAGE_PROHIBITED_CONTENT": ("content", "The picture would have been of a kind it never makes: change the prompt"),
    "BLOCKLIST": ("content", "A word of the prompt is on its list of forbidden ones: use another"),
    "SPII": ("content", "It saw personal data, such as numbers of cards or identity papers: take them out"),
    "RECITATION": ("content", "It came too close to existing work: ask for something less like it"),
    "IMAGE_RECITATION": ("content", "The picture came too close to an existing one: ask for something less like it"),
    "MODEL_ARMOR": (
        "content",
        "The Google Cloud project's own Model Armor rules stopped it: change the prompt or them",
    ),
    "JAILBREAK": ("content", "It took the prompt for an attempt to get around its rules: put it plainly"),
    "NO_IMAGE": ("empty", f"The model made no picture: ask plainly for one, or {_AGAIN}"),
    "IMAGE_OTHER": ("empty", f"The picture failed for a reason it doesn't give: {_AGAIN}, or change the prompt"),
    "OTHER": ("empty", f"It stopped for a reason it doesn't give: {_AGAIN}, or change the prompt"),
    "MALFORMED_FUNCTION_CALL": (
        "empty",
        "The model tripped over its own tools: switch enable_web_search off, or queue again",
    ),
    "UNEXPECTED_TOOL_CALL": (
        "empty",
        "The model called a tool that it was not given: switch enable_web_search off, or queue again",
    ),
    "TOO_MANY_TOOL_CALLS": (
        "empty",
        "The model searched until its limit and made no picture: switch enable_web_search off",
    ),
    "MALFORMED_RESPONSE": ("empty", "The model's own answer was malformed: queue again"),
    "CONTINUATION": (
        "empty",
        "It reached the limit of one answer before the picture: shorten the prompt, or lower thinking",
    ),
    "MISSING_THOUGHT_SIGNATURE": (
        "invalid",
        "A turn of the conversation came without its thought signature: begin a new conversation with the last picture",
    ),
    "ESCALATION": ("content", "One of Google's rules held the request back: change the prompt or the references"),
    "PUP_LIMITED_DISABLED": (
        "account",
        "Google has limited or disabled it for violations of its Prohibited Use Policy: see the account's mail and "
        "Google AI Studio, or choose another provider",
    ),
    "MAX_TOKENS": ("empty", "It ran out of words before the picture: shorten the prompt, or lower thinking"),
    "LANGUAGE": ("empty", "It doesn't know the language of the prompt: write it in another"),
    "STOP": ("empty", "The model answered in words alone: ask plainly for a picture, or queue again with another seed"),
}
"""Reasons why there is no picture -> what kind of failure that is, and what it means."""

_UNNAMED = frozenset({"", "STOP", "FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"})
"""Reasons that give none: the model's words count."""
_FORBIDDING = re.compile(r"SAFETY|PROHIBITED|BLOCK|RECITATION|SPII|JAILBREAK|ARMOR|POLICY|FILTER|VIOLAT|SENSITIVE")
_ACCOUNT = re.compile(r"ACCOUNT|(USER|PROJECT|CONSUMER)_(LIMITED|DISABLED|SUSPENDED|BLOCKED)|DISABLED$")
_PER_DAY = re.compile(r"per[-_ ]?day", re.IGNORECASE)
_NO_FREE_TIER = re.compile(r"free[-_ ]?tier|\blimit: 0\b", re.IGNORECASE)
_SPENDING_CAP = re.compile(r"(?i)\bspend(ing)? (cap|limit)")
_TOO_LARGE = re.compile(r"(?i)payload size|request (entity )?too large|exceeds the (maximum|limit).{0,40}bytes")
_UNFIT_FILE = re.compile(r"(?i)\bfile\b.{0,80}(may not exist|not in an active state)")

_BILLING_CURE = (
    "The key is fine, but the image models have no free tier: enable billing for the key's project in Google AI Studio, "
    "or choose another provider"
)


def text_of(node: Any, name: str) -> str:
    """A field that is a string, stripped; "" for anything else."""
    found = named(node, name)
    return found.strip() if isinstance(found, str) else ""


def objects(node: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a field that is a list."""
    found = named(node, name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


# --------------------------------------------------------------------------------------------------- declined


def declined(reply: Reply, value: dict[str, Any], model_text: str) -> Fault:
    """Why an answer has no picture. `model_text`: the model's own words."""
    feedback = named(value, "promptFeedback")
    candidate = next(iter(objects(value, "candidates")), None)
    if isinstance(named(value, "error"), dict) and (feedback is not None or candidate is not None):
        # It broke off while it was being made: whatever status it names, work had begun.
        return replace(fault(replace(reply, status=claimed_status(value) or 500)), status=reply.status)
    if feedback is None and candidate is None:
        status = claimed_status(value)
        return fault(replace(reply, status=status)) if status else no_picture(reply, value)
    reason = text_of(feedback, "blockReason") or text_of(candidate, "finishReason")
    message = text_of(feedback, "blockReasonMessage") or text_of(candidate, "finishMessage")
    kind, cure = REASONS.get(reason) or (_kind_of_unknown_reason(reason), "")
    if reason in _UNNAMED:
        kind = "content" if declines(model_text, reply.prompt) else kind_by_words(message, kind, prompt=reply.prompt)
        reason = ""
    words = "; ".join(part for part in (reason, message, model_text) if part)
    return Fault(kind, redact(words), reply.status, request_id=request_id(reply, value), cure=cure)


def _kind_of_unknown_reason(reason: str) -> Kind:
    """The kind of a reason that isn't in `REASONS`, by its words."""
    if _ACCOUNT.search(reason):
        return "account"
    return "content" if _FORBIDDING.search(reason) else "empty"


def request_id(reply: Reply, value: dict[str, Any]) -> str:
    """The id by which Google finds the request."""
    return reply.request_id or redact(text_of(value, "responseId"), 80)


# --------------------------------------------------------------------------------------------------- errors


def fault(reply: Reply, spec_id: str = "") -> Fault:
    """What an error says. `spec_id`: the provider, because what helps with an account at Google is no help at a reseller."""
    general = fault_of(reply)
    if general.kind in ("bot_protection", "proxy"):
        return general
    try:
        error = named(read_object(reply), "error")
    except NotJson:
        return replace(general, kind="server") if reply.status == 499 else general
    status = text_of(error, "status")
    if not status:
        return general  # a reseller's own words
    details = objects(error, "details")
    reasons = {text_of(detail, "reason") for detail in details}
    message = text_of(error, "message")
    kind, cure = _kind_and_cure(reply.status, status, message, reasons, _quotas(details), general)
    wait = _retry_delay(details)
    return replace(
        general,
        kind=kind or general.kind,
        message=redact(message) or general.message,
        retry_after=general.retry_after if wait is None else wait,
        cure=_reseller_cure(kind, general.cure) if cure and spec_id not in _GOOGLE_PROVIDERS else cure or general.cure,
    )


_GOOGLE_PROVIDERS = frozenset({"google", "vertex", ""})


def _reseller_cure(kind: Kind | None, otherwise: str) -> str:
    """What helps where the account at Google is a reseller's: nothing that the user could do there."""
    if kind == "quota":
        return (
            "The provider's own account at Google has no quota left for it: choose another model or provider, or ask it"
        )
    return otherwise


def _kind_and_cure(
    code: int, status: str, message: str, reasons: set[str], quotas: str, general: Fault
) -> tuple[Kind | None, str]:
    """The kind of an error and its cure; None and "" where the general reading of it says enough."""
    if code == 429:
        return _limited(message, quotas, general)
    if code == 499:
        return "server", ""
    if any(reason.startswith("API_KEY") for reason in reasons):
        return "key", ""
    if "CONSUMER_SUSPENDED" in reasons:
        return "account", ""
    if code == 403:
        return _denied(message, reasons)
    if code != 400:
        return None, ""
    if general.kind == "region":
        return "region", _REGION_CURE
    if general.kind == "key":
        return "key", ""
    if status == "FAILED_PRECONDITION" and re.search(r"(?i)billing|billed", message):
        return "credit", _BILLING_CURE
    if _TOO_LARGE.search(message):
        return "too_large", ""
    # Names of fields such as safety_settings stand in these words: they say nothing about content.
    return ("content" if general.kind == "content" else "invalid"), ""


_REGION_CURE = (
    "Google does not serve this API where this machine is; the key is fine: use the provider vertex or another one, or "
    "reach it through a proxy in a place that it serves (NANO_BANANA_PROXY)"
)


def _limited(message: str, quotas: str, general: Fault) -> tuple[Kind | None, str]:
    """A 429. Google's words for it name quota, plan and billing whatever the reason is."""
    if _NO_FREE_TIER.search(f"{quotas} {message}"):
        return "quota", _BILLING_CURE
    if _PER_DAY.search(quotas):
        return (
            "quota",
            "The key is fine, but the quota of the day is used up: wait for the next, or ask Google for more",
        )
    if general.kind == "credit":
        if _SPENDING_CAP.search(message):
            return (
                "credit",
                "The spending cap of the key's project is reached: raise it in Google AI Studio, or choose another provider",
            )
        return (
            "credit",
            "Top up the prepaid credit of the key's project in Google AI Studio, or choose another provider",
        )
    return "rate", ""


def _denied(message: str, reasons: set[str]) -> tuple[Kind | None, str]:
    """A 403."""
    if _UNFIT_FILE.search(message):
        return (
            "invalid",
            "An uploaded reference is gone at Google: queue again in half an hour, when it is sent anew",
        )
    if "SERVICE_DISABLED" in reasons:
        return (
            "key",
            "The key's project has not enabled this API: enable it in the Google Cloud console, then queue again",
        )
    return ("credit" if "BILLING_DISABLED" in reasons else None), ""


def _quotas(details: list[dict[str, Any]]) -> str:
    """Everything that names a quota which is used up, in one text."""
    found = [
        text_of(violation, name)
        for detail in details
        for violation in objects(detail, "violations")
        for name in ("quotaId", "quotaMetric", "description")
    ]
    return " ".join(found)


def _retry_delay(details: list[dict[str, Any]]) -> float | None:
    """`retryDelay`, "37s" or "0.5s", in seconds."""
    for detail in details:
        number = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", text_of(detail, "retryDelay"))
        if number:
            return float(number[1])
    return None
