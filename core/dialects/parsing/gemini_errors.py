"""What Gemini says when there is no picture: errors, and answers of HTTP 200 that decline.

Documents: Google's API reference, the enums FinishReason and BlockedReason of its SDK (google-genai 3.6.1), and replies of
the live API as clients report them: a bad key is a 400, a key without billing gets 429 for ever, used up prepaid credit
and a project's spending cap are a 429, too, and an error may be in a list. Resellers of the same API put errors of
their own in between: those are read as everybody's. Decides nothing about money or repeating. Called by `gemini.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ...errors import Kind, ProviderFailure
from ...errors.messages import msg
from ...redaction.text import redact
from ..base.step import Reply
from .error_kinds import kind_by_message
from .error_parsing import claimed_status, failure_of, no_picture
from .error_phrases import declines
from .reading import NotJson, read_object
from .result_images import named as named

_SAFETY = msg("gemini_errors.change_prompt_or_safety")
_AGAIN = msg("gemini_errors.queue_with_another_seed")
REASONS: dict[str, tuple[Kind, str]] = {
    "SAFETY": ("content", msg("gemini_errors.safety_filter_stopped_it", safety=_SAFETY)),
    "IMAGE_SAFETY": ("content", msg("gemini_errors.safety_filter_withheld_picture", safety=_SAFETY)),
    "PROHIBITED_CONTENT": ("content", msg("gemini_errors.prompt_kind_prohibited")),
    "IMAGE_PROHIBITED_CONTENT": ("content", msg("gemini_errors.picture_kind_prohibited")),
    "BLOCKLIST": ("content", msg("gemini_errors.forbidden_word_in_prompt")),
    "SPII": ("content", msg("gemini_errors.personal_data_found")),
    "RECITATION": ("content", msg("gemini_errors.too_close_to_existing_work")),
    "IMAGE_RECITATION": ("content", msg("gemini_errors.picture_too_close_to_existing")),
    "MODEL_ARMOR": (
        "content",
        msg("gemini_errors.model_armor_stopped_it"),
    ),
    "JAILBREAK": ("content", msg("gemini_errors.taken_for_jailbreak")),
    "NO_IMAGE": ("empty", msg("gemini_errors.no_picture_made", again=_AGAIN)),
    "IMAGE_OTHER": ("empty", msg("gemini_errors.picture_failed_without_reason", again=_AGAIN)),
    "OTHER": ("empty", msg("gemini_errors.stopped_without_reason", again=_AGAIN)),
    "MALFORMED_FUNCTION_CALL": (
        "empty",
        msg("gemini_errors.tool_use_failed"),
    ),
    "UNEXPECTED_TOOL_CALL": (
        "empty",
        msg("gemini_errors.tool_was_not_given"),
    ),
    "TOO_MANY_TOOL_CALLS": (
        "empty",
        msg("gemini_errors.search_limit_reached"),
    ),
    "MALFORMED_RESPONSE": ("empty", msg("gemini_errors.answer_malformed")),
    "CONTINUATION": (
        "empty",
        msg("gemini_errors.answer_limit_before_picture"),
    ),
    "MISSING_THOUGHT_SIGNATURE": (
        "invalid",
        msg("gemini_errors.thought_signature_missing"),
    ),
    "ESCALATION": ("content", msg("gemini_errors.blocked_by_google_rule")),
    "PUP_LIMITED_DISABLED": (
        "account",
        msg("gemini_errors.account_limited_for_violations"),
    ),
    "MAX_TOKENS": ("empty", msg("gemini_errors.token_limit_before_picture")),
    "LANGUAGE": ("empty", msg("gemini_errors.prompt_language_unknown")),
    "STOP": ("empty", msg("gemini_errors.only_text_came")),
}
"""Reasons why there is no picture -> what kind of failure that is, and what it means."""

_UNNAMED = frozenset({"", "STOP", "FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"})
"""Reasons that give none: the model's words count."""
_BEGUN = ("promptFeedback", "usageMetadata", "modelVersion")
"""What an answer has beside its candidates once the model is at work; an error alone has none of it."""
_FORBIDDING = re.compile(r"SAFETY|PROHIBITED|BLOCK|RECITATION|SPII|JAILBREAK|ARMOR|POLICY|FILTER|VIOLAT|SENSITIVE")
_ACCOUNT = re.compile(r"ACCOUNT|(USER|PROJECT|CONSUMER)_(LIMITED|DISABLED|SUSPENDED|BLOCKED)|DISABLED$")
_PER_DAY = re.compile(r"per[-_ ]?day", re.IGNORECASE)
_NO_FREE_TIER = re.compile(r"free[-_ ]?tier|\blimit: 0\b", re.IGNORECASE)
_SPENDING_CAP = re.compile(r"(?i)\bspend(ing)? (cap|limit)")
_TOO_LARGE = re.compile(r"(?i)payload size|request (entity )?too large|exceeds the (maximum|limit).{0,40}bytes")
_UNFIT_FILE = re.compile(r"(?i)\bfile\b.{0,80}(may not exist|not in an active state)")

_SIGNATURE = re.compile(r"(?i)thought[ _-]?signature")
"""Reported words of a 400: "Image part is missing a thought_signature in content position 2", "Corrupted thought signature.",
and of Vertex "Thought signature is not valid" (open_webui_functions issue 225, gemini-cli issue 13467, 9router issue 301)."""

_BILLING_CURE = msg("gemini_errors.no_free_tier_for_images")


def text_of(node: Any, name: str) -> str:
    """A field that is a string, stripped; "" for anything else."""
    found = named(node, name)
    return found.strip() if isinstance(found, str) else ""


def objects(node: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a field that is a list."""
    found = named(node, name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


# --------------------------------------------------------------------------------------------------- declined


def declined(reply: Reply, value: dict[str, Any], model_text: str) -> ProviderFailure:
    """Why an answer has no picture. `model_text`: the model's own words."""
    feedback = named(value, "promptFeedback")
    candidate = next(iter(objects(value, "candidates")), None)
    answered = any(named(value, name) is not None for name in _BEGUN)
    if isinstance(named(value, "error"), dict) and (candidate is not None or answered):
        # It broke off while it was being made: whatever status it names, work had begun.
        return replace(failure(replace(reply, status=claimed_status(value) or 500)), status=reply.status)
    if feedback is None and candidate is None:
        status = claimed_status(value)
        return failure(replace(reply, status=status)) if status else no_picture(reply, value)
    reason = text_of(feedback, "blockReason") or text_of(candidate, "finishReason")
    message = text_of(feedback, "blockReasonMessage") or text_of(candidate, "finishMessage")
    kind, cure = REASONS.get(reason) or (_kind_of_unknown_reason(reason), "")
    if reason in _UNNAMED:
        kind = "content" if declines(model_text, reply.prompt) else kind_by_message(message, kind, prompt=reply.prompt)
        reason = ""
    full_message = "; ".join(part for part in (reason, message, model_text) if part)
    return ProviderFailure(kind, redact(full_message), reply.status, request_id=request_id(reply, value), cure=cure)


def _kind_of_unknown_reason(reason: str) -> Kind:
    """The kind of a reason that isn't in `REASONS`, by its words."""
    if _ACCOUNT.search(reason):
        return "account"
    return "content" if _FORBIDDING.search(reason) else "empty"


def request_id(reply: Reply, value: dict[str, Any]) -> str:
    """The id by which Google finds the request."""
    return reply.request_id or redact(text_of(value, "responseId"), 80)


# --------------------------------------------------------------------------------------------------- errors


def failure(reply: Reply, spec_id: str = "") -> ProviderFailure:
    """What an error says. `spec_id`: the provider, because what helps with an account at Google is no help at a reseller."""
    found = _failure(reply, spec_id)
    about_signature = _SIGNATURE.search(found.message) and not _SIGNATURE.search(reply.prompt)
    if reply.status == 400 and about_signature:
        return replace(found, kind="invalid", cure=msg("gemini_errors.thought_signature_refused"))
    return found


def _failure(reply: Reply, spec_id: str) -> ProviderFailure:
    general = failure_of(reply)
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
        return msg("gemini_errors.provider_account_has_no_quota")
    return otherwise


def _kind_and_cure(
    code: int, status: str, message: str, reasons: set[str], quotas: str, general: ProviderFailure
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
    # Names of fields such as safety_settings are in these words: they say nothing about content.
    return ("content" if general.kind == "content" else "invalid"), ""


_REGION_CURE = msg("gemini_errors.region_not_served")


def _limited(message: str, quotas: str, general: ProviderFailure) -> tuple[Kind | None, str]:
    """A 429. Google's words for it name quota, plan and billing whatever the reason is."""
    if _NO_FREE_TIER.search(f"{quotas} {message}"):
        return "quota", _BILLING_CURE
    if _PER_DAY.search(quotas):
        return (
            "quota",
            msg("gemini_errors.daily_quota_used_up"),
        )
    if general.kind == "credit":
        if _SPENDING_CAP.search(message):
            return (
                "credit",
                msg("gemini_errors.project_spending_cap_reached"),
            )
        return (
            "credit",
            msg("gemini_errors.top_up_prepaid_credit"),
        )
    return "rate", ""


def _denied(message: str, reasons: set[str]) -> tuple[Kind | None, str]:
    """A 403."""
    if _UNFIT_FILE.search(message):
        return (
            "invalid",
            msg("gemini_errors.uploaded_reference_gone"),
        )
    if "SERVICE_DISABLED" in reasons:
        return (
            "key",
            msg("gemini_errors.api_not_enabled"),
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
