"""The error codes that many providers share: code -> kind of failure. Each table names its source.

Codes of one provider alone are in its dialect, and are given as `own`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import Kind

Codes = Mapping[str, Kind]
"""A provider's code, in lower case -> the kind of failure."""

NO_CODES: Codes = {}

_OPENAI: Codes = {
    # OpenAI's list of error codes and its public error samples; resellers of the images API copy them.
    "invalid_api_key": "key",
    "invalid_authentication": "key",
    "account_deactivated": "account",
    "insufficient_quota": "credit",
    "billing_hard_limit_reached": "credit",
    "billing_not_active": "credit",
    "unsupported_country_region_territory": "region",
    "content_policy_violation": "content",
    "moderation_blocked": "content",
    "content_filter": "content",
    "model_not_found": "model",
    "rate_limit_exceeded": "rate",
    "invalid_parameter": "invalid",
    "invalid_value": "invalid",
    "missing_required_parameter": "invalid",
    "unknown_parameter": "invalid",
    "string_above_max_length": "invalid",
}
_NEW_API: Codes = {
    # QuantumNous/new-api, types/error.go (the gateway that most resellers run).
    "insufficient_user_quota": "credit",
    "pre_consume_token_quota_failed": "credit",
    "token_quota_exhausted": "credit",
    "entitlement_required": "credit",
    "entitlement_inactive": "credit",
    "entitlement_total_limit_exceeded": "credit",
    "entitlement_daily_limit_exceeded": "quota",
    "token_concurrency_limit_reached": "rate",
    "sensitive_words_detected": "content",
    "prompt_blocked": "content",
    "violation_fee.grok.csam": "content",
    "model_price_error": "model",
    "bad_request_body": "invalid",
}
_ANTHROPIC: Codes = {
    # Anthropic's error types, which chat gateways use for every model behind them.
    "authentication_error": "key",
    "billing_error": "credit",
    "rate_limit_error": "rate",
    "overloaded_error": "busy",
    "request_too_large": "too_large",
}
_GOOGLE: Codes = {
    # Reasons in google.rpc.ErrorInfo, which resellers pass on inside their own errors.
    "api_key_invalid": "key",
    "api_key_service_blocked": "key",
    "billing_disabled": "credit",
    "consumer_suspended": "account",
}
_SPELLINGS: Codes = {
    # The same in words of their own, as clients of smaller gateways list them.
    "insufficient_credit": "credit",
    "insufficient_credits": "credit",
    "insufficient_balance": "credit",
    "insufficient_funds": "credit",
    "credits_exhausted": "credit",
    "payment_required": "credit",
    "arrearage": "credit",
    "invalid_token": "key",
    "unauthorized": "key",
    "unauthenticated": "key",
    "too_many_requests": "rate",
    "unsupported_region": "region",
    "region_not_supported": "region",
    "content_moderation": "content",
    "content_policy": "content",
    "nsfw": "content",
    "nsfw_content": "content",
    "unsafe_content": "content",
    "model_unavailable": "model",
    "model_not_supported": "model",
    "unsupported_model": "model",
}
GENERAL: Codes = {**_OPENAI, **_NEW_API, **_ANTHROPIC, **_GOOGLE, **_SPELLINGS}

_RANK: tuple[Kind, ...] = (
    "credit",
    "quota",
    "region",
    "account",
    "key",
    "content",
    "model",
    "too_large",
    "rate",
    "busy",
    "server",
    "empty",
    "task",
    "invalid",
)
"""Of several codes in one error the first in this list counts: a type is vaguer than the code beside it."""


def kind_by_codes(codes: Sequence[str], own: Codes = NO_CODES) -> Kind | None:
    """The kind that a provider's codes say; None where none of them is known."""
    found = {kind for code in codes if (kind := own.get(code.lower()) or GENERAL.get(code.lower())) is not None}
    return next((kind for kind in _RANK if kind in found), None)
