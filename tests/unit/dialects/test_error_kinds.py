"""Kinds of errors by status, code and whole phrases; what only looks like a phrase, and what is only repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialect_driver import reply
from hypothesis import given
from hypothesis import strategies as st
from pack.core.dialects.parsing.error_codes import GENERAL
from pack.core.dialects.parsing.error_kinds import kind_of
from pack.core.dialects.parsing.error_message import ErrorMessage
from pack.core.dialects.parsing.error_parsing import error_in, failure_of, no_picture
from pack.core.dialects.parsing.error_phrases import declines, seconds_in, takes_addresses_only

PHRASES = {
    "Insufficient credits": "credit",
    "Your account has insufficient balance": "credit",
    "Not enough credits": "credit",
    "Your credit balance is too low to access the API": "credit",
    "You have run out of credits. Please top up.": "credit",
    "用户额度不足, 剩余额度: 0": "credit",
    "Billing hard limit has been reached": "credit",
    "Token quota exhausted": "credit",
    "User location is not supported for the API use.": "region",
    "This service is not available in your region": "region",
    "Country, region, or territory not supported": "region",
    "Access from your country is restricted": "region",
    "Requests from your current location are not permitted": "region",
    "Not available in your jurisdiction": "region",
    "当前地区不支持": "region",
    "Incorrect API key provided": "key",
    "API key not valid. Please pass a valid API key.": "key",
    "Invalid token": "key",
    "无效的令牌": "key",
    "Your request was rejected as a result of our safety system": "content",
    "The prompt was blocked": "content",
    "content policy violation": "content",
    "This violates our usage policy": "content",
    "NSFW content detected": "content",
    "model: x-image does not exist": "model",
    "Unknown model": "model",
    "google/x is not a valid model ID": "model",
}


@pytest.mark.parametrize("words", PHRASES)
def test_a_whole_phrase_says_the_kind_of_a_400(words: str) -> None:
    assert kind_of(400, (), words) == PHRASES[words]


@pytest.mark.parametrize(
    "words",
    [
        "safety_tolerance must be between 1 and 6",
        'Unknown name "safety_settings": cannot find field',
        "See our billing page for which models know 4K",
        "The balance between prompt and references is off: guidance must be positive",
        "credit must be a string",
        "image_size 4K is not supported by sensitive-free-tier-model",
        "aspect_ratio 21:9 is not supported",
        "The region of the mask is not inside the picture",
        "mask region must be square",
        "the location of the file must be a string",
        "response_format token is not a string",
        "top_p must be below 1",
        "key frame missing",
        "The violin model is not a field",
        "blocked must be a boolean",
        "A prompt of moderate length is needed",
        "country must be an ISO code",
    ],
)
def test_what_only_holds_such_a_word_is_an_input_to_change(words: str) -> None:
    assert kind_of(400, (), words) == "invalid"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 503])
@pytest.mark.parametrize("words", PHRASES)
def test_what_the_prompt_says_is_not_taken_for_the_provider_s_words(words: str, status: int) -> None:
    """Whatever the case, the spaces and the words around it."""
    plain = kind_of(status, (), "no such luck")
    for echo in (words, words.upper(), f"bad prompt: {words} and more", words.replace(" ", "  ")):
        assert kind_of(status, (), echo, prompt=f"A sign that says: {words}. And a fox.") == plain


@given(st.text(max_size=60), st.sampled_from(sorted(PHRASES)), st.text(max_size=60), st.sampled_from([400, 403, 422]))
def test_no_prompt_makes_a_provider_say_something(before: str, phrase: str, after: str, status: int) -> None:
    """An error that is the prompt and nothing else says nothing about keys, money, places or content."""
    prompt = before + phrase + after
    assert kind_of(status, (), prompt, prompt=prompt) == kind_of(status, (), "")


def test_a_provider_s_own_words_count_beside_an_echo() -> None:
    """The prompt says one thing, the provider another."""
    sent = "a sign: insufficient credits"
    assert kind_of(400, (), f"Prompt {sent!r} was blocked by our safety system", prompt=sent) == "content"


@pytest.mark.parametrize(
    ("status", "codes", "kind"),
    [
        (401, ["insufficient_user_quota", "new_api_error"], "credit"),
        (403, ["pre_consume_token_quota_failed"], "credit"),
        (429, ["insufficient_quota"], "credit"),
        (429, ["rate_limit_exceeded"], "rate"),
        (429, ["model_not_found"], "rate"),
        (403, ["unsupported_country_region_territory"], "region"),
        (400, ["invalid_request_error", "content_policy_violation"], "content"),
        (400, ["CONTENT_FILTER"], "content"),
        (503, ["model_not_found"], "model"),
        (500, ["invalid_parameter"], "server"),
        (500, ["sensitive_words_detected"], "content"),
        (402, ["invalid_api_key"], "credit"),
        (407, ["invalid_api_key"], "proxy"),
        (413, [], "too_large"),
        (401, ["insufficient_user_quota_of_next_year"], "key"),
    ],
)
def test_the_status_goes_first_and_then_the_code(status: int, codes: list[str], kind: str) -> None:
    assert kind_of(status, codes, "Sorry") == kind


def test_codes_are_in_lower_case() -> None:
    """They are looked up so."""
    assert all(code == code.lower() for code in GENERAL)


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please retry in 2.1s.", 2.1),
        ("Please try again in 6m0s", 360.0),
        ("try again in 1h2m3.5s", 3723.5),
        ("try again in 120ms", 0.12),
        ("Your rate limit resets in ~30s.", 30.0),
        ("Retry after 30 seconds", 30.0),
        ("wait for 2 hours", 7200.0),
        ("try again in 1.5 min", 90.0),
        ("try again later", None),
        ("retry 3 times", None),
        ("", None),
    ],
)
def test_the_pause_in_a_sentence(words: str, seconds: float | None) -> None:
    assert seconds_in(words) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("You exceeded your current quota, please check your plan and billing details.", "rate"),
        ("Quota exhausted for this minute", "rate"),
        ("Resource has been exhausted (e.g. check quota).", "rate"),
        ("Add a payment method on the billing page for higher limits", "rate"),
        ("Your prepayment credits are depleted.", "credit"),
        ("Insufficient balance", "credit"),
        ("Insufficient balance. Please retry in 2s.", "rate"),
        ("Quota exceeded for metric: free_tier_requests, limit: 0. Please retry in 2s.", "quota"),
        ("Quota exceeded for metric: generate_content_free_tier_requests, limit: 15. Please retry in 2s.", "rate"),
    ],
)
def test_a_429_is_a_rate_limit_unless_waiting_does_not_help(words: str, kind: str) -> None:
    assert kind_of(429, (), words) == kind


def test_a_pause_at_the_end_of_a_long_message_is_kept() -> None:
    """Google names every metric first."""
    long = "Quota exceeded for metric: requests per minute per model. " * 12 + "Please retry in 15.25s."
    failure = failure_of(reply(429, {"error": {"message": long, "code": 429}}))
    assert (failure.kind, failure.retry_after) == ("rate", 15.25)
    assert failure_of(reply(429, {"error": {"message": long}}, retry_after="7")).retry_after is None, (
        "the header is first"
    )


@pytest.mark.parametrize(
    ("value", "kind", "status"),
    [
        ({"error": {"message": "do request failed", "type": "upstream_error"}}, "server", 200),
        ({"error": {"message": "x", "code": 429}}, "rate", 429),
        ({"error": {"message": "x", "code": "402"}}, "credit", 402),
        ({"error": "Insufficient credits"}, "credit", 200),
        ({"error": True, "message": "no"}, "server", 200),
        ({"errors": [{"message": "content policy violation"}]}, "content", 200),
        ({"code": 401, "message": "bad"}, "key", 401),
        ({"status": 503, "message": "later"}, "busy", 503),
        ({"statusCode": 500, "message": "oops"}, "server", 500),
        ({"code": 1001, "msg": "oops"}, "server", 200),
        ({"code": "INSUFFICIENT_CREDIT", "message": "x"}, "credit", 200),
        ({"success": False, "message": "it broke"}, "server", 200),
        ({"error": {"code": "invalid_parameter", "message": "bad ratio"}}, "invalid", 200),
        ({"error": {"message": json.dumps({"error": {"message": "no", "code": "content_filter"}})}}, "content", 200),
    ],
)
def test_an_error_that_stands_inside_a_success(value: Any, kind: str, status: int) -> None:
    """In every shape; the status that it claims is the one that counts."""
    failure = error_in(reply(200, value), value)
    assert failure is not None and (failure.kind, failure.status) == (kind, status)
    assert no_picture(reply(200, value), value) == failure


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        "error",
        {"error": None, "data": []},
        {"error": {}, "errors": []},
        {"error": "", "status": "processing"},
        {"error": False},
        {"code": 200, "msg": "success", "data": {"taskId": "t"}},
        {"code": 0, "message": "ok"},
        {"code": "success", "message": "", "data": {}},
        {"code": 22, "description": "In queue", "result": "1400"},
        {"success": True},
        {"created": 1, "data": []},
        {"candidates": [{"finishReason": "STOP"}]},
        {"status": "running", "id": "t-1"},
    ],
)
def test_what_is_no_error_inside_a_success(value: Any) -> None:
    assert error_in(reply(200, value), value) is None


PAGE = {"content_type": "text/html"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (522, b"<html><title>x | 522: Connection timed out</title><span class=cf-error-code>522</span>", "server"),
        (502, b"<html><title>502 Bad Gateway</title>cloudflare", "server"),
        (503, b"<html><title>503 Service Temporarily Unavailable</title>nginx", "busy"),
        (429, b"<html><title>429 Too Many Requests</title>nginx", "rate"),
        (429, b'<html><title>Access denied</title><span class="cf-error-code">1015</span>', "rate"),
        (401, b"<html><title>401 Authorization Required</title>nginx", "key"),
        (404, b"<html><title>Just a lake</title>", "model"),
        (403, b'{"error": {"message": "Just a moment...", "code": 403}}', "key"),
        (403, b'{"error": {"message": "error code: 1010"}}', "key"),
    ],
)
def test_what_is_no_bot_protection(status: int, body: bytes, kind: str) -> None:
    """A server's own failure, a rate limit, and the API's own JSON."""
    assert failure_of(reply(status, raw=body, **PAGE)).kind == kind


def test_the_model_s_own_words_say_nothing_about_money() -> None:
    """It may write about credits; it may also decline."""
    value = {"data": [{"text": "The sign says: insufficient credits, top up your account, invalid api key"}]}
    assert no_picture(reply(200, value), value).kind == "empty"
    assert declines("I can't make that: it violates the content policy.")


@pytest.mark.parametrize(
    ("words", "only"),
    [
        ("image_urls must be http(s) URLs", True),
        ("URL scheme should be 'http' or 'https'", True),
        ("Only public URLs are allowed", True),
        ("data URI is not supported", True),
        ("The image must be a publicly accessible URL", True),
        ("aspect_ratio must be one of 1:1, 16:9", False),
        ("file size must be under 5 MB", False),
        ("image must be valid", False),
    ],
)
def test_servers_that_take_addresses_only(words: str, only: bool) -> None:
    assert takes_addresses_only(words) is only


@pytest.mark.parametrize("status", [500, 502, 503, 529, 777])
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Content moderation failed", "content"),
        ("Your request was rejected by our safety system", "content"),
        ("Internal error: NSFW content detected", "content"),
        ("upstream: the prompt was blocked due to prohibited content", "content"),
        ("内容违规", "content"),
        ("The moderation service is unavailable", ""),
        ("content filter: connection timed out", ""),
        ("safety_tolerance must be between 1 and 6", ""),
        ("An internal error has occurred", ""),
    ],
)
def test_a_refusal_of_the_content_in_a_server_s_error_is_one(status: int, words: str, kind: str) -> None:
    """Resellers answer so for what their own provider refused; that the check itself is down is the server's fault."""
    assert kind_of(status, (), words) == (kind or ("busy" if status in (503, 529) else "server"))


def test_the_user_s_own_words_in_a_server_s_error_are_no_refusal() -> None:
    assert kind_of(500, (), "failed for: nsfw content detected", prompt="a sign: NSFW content detected") == "server"


def test_two_sentences_of_an_error_have_no_semicolon_between_them() -> None:
    """Other parts have one, and repeats are said once."""
    said = ErrorMessage(["It failed.", "Internal error", "No reason", "It failed."])
    assert said.shown == "It failed. Internal error; No reason"
