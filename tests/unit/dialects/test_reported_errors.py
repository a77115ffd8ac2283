"""Errors as they are reported of real providers, over a real socket through the engine: whose fault, what it costs, what to do.

Each row of the table is one answer: what kind of failure it is, whether it is charged, how many paid requests it took, and
words that its sentence and its cure have to have. The sources of the answers are those of the tables in
`core/dialects/parsing/error_phrases.py` and `core/dialects/parsing/bot_protection.py`; texts and numbers are made up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import request
from engine_play import GEMINI_IMAGE, IMAGE, answering, assert_said, assert_unsaid, engine_at, error_of, play

HTML = {"content-type": "text/html; charset=UTF-8"}


@dataclass(frozen=True)
class Reported:
    """One answer of a provider, and what the user has to be told."""

    provider: str
    status: int
    body: Any
    """JSON, or bytes as they are."""
    kind: str
    words: str
    """Regular expression for what the error says happened."""
    cure: str = ""
    charged: str = "no"
    paid: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    operation: str = "generate"
    not_said: str = ""
    """Regular expression for what must not be said."""

    @property
    def reply(self) -> dict[str, Any]:
        content = {"raw": self.body} if isinstance(self.body, bytes) else {"body": self.body}
        return {"status": self.status, "headers": dict(self.headers), **content}


def page(title: str, text: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{text}</body></html>".encode()


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def openai(message: str, code: Any = None, kind: str = "") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": "", "code": code}}


def wrapped(raw: Any, code: int = 400) -> dict[str, Any]:
    """OpenRouter's shape for an error of whoever runs the model."""
    metadata = {"raw": raw if isinstance(raw, str) else json.dumps(raw, indent=2), "provider_name": "Google AI Studio"}
    return {"error": {"message": "Provider returned error", "code": code, "metadata": metadata}}


NOT_LOOKED_AT = r"bot protection .*turned the request away.*the key was not looked at"
BOT_CURE = "another network or a proxy.*ask the provider"
BOTS = {
    "Cloudflare's challenge": Reported(
        "nanobanana",
        403,
        page("Just a moment..."),
        "bot_protection",
        NOT_LOOKED_AT,
        BOT_CURE,
        headers={**HTML, "server": "cloudflare", "cf-mitigated": "challenge"},
        not_said="[Cc]heck the key",
    ),
    "Cloudflare's challenge with 503": Reported(
        "google",
        503,
        page("Just a moment...", "Checking your browser before accessing api.example."),
        "bot_protection",
        NOT_LOOKED_AT,
        BOT_CURE,
        headers=HTML,
    ),
    "Cloudflare's block with 429": Reported(
        "openrouter",
        429,
        page("Attention Required! | Cloudflare"),
        "bot_protection",
        NOT_LOOKED_AT,
        BOT_CURE,
        headers=HTML,
    ),
    "Cloudflare 1010 as text": Reported(
        "onerouter",
        403,
        b"error code: 1010",
        "bot_protection",
        "Cloudflare, error 1010.*turned the request away",
        BOT_CURE,
        headers={"content-type": "text/plain"},
    ),
    "Cloudflare 1020 as a page": Reported(
        "runflow",
        403,
        page("Access denied | x used Cloudflare to restrict access", '<span class="cf-error-code">1020</span>'),
        "bot_protection",
        "error 1020.*turned the request away",
        BOT_CURE,
        headers=HTML,
    ),
    "Cloudflare 1010 as JSON": Reported(
        "wavespeed",
        403,
        {"title": "Error 1010: Access denied", "status": 403, "error_code": 1010, "cloudflare_error": True},
        "bot_protection",
        "error 1010.*turned the request away",
        BOT_CURE,
    ),
    "Akamai": Reported(
        "fal",
        403,
        page(
            "Access Denied",
            "You don't have permission to access this on this server. Reference #18.2 errors.edgesuite.net",
        ),
        "bot_protection",
        r"\(Akamai\) turned the request away",
        BOT_CURE,
        headers=HTML,
    ),
    "Imperva with 200": Reported(
        "kie",
        200,
        page("", "Request unsuccessful. Incapsula incident ID: 12-34"),
        "bot_protection",
        NOT_LOOKED_AT,
        BOT_CURE,
        headers=HTML,
    ),
    "AWS WAF's challenge with 202": Reported(
        "apiframe",
        202,
        b"",
        "bot_protection",
        r"\(AWS WAF\) turned the request away",
        BOT_CURE,
        headers={**HTML, "x-amzn-waf-action": "challenge"},
    ),
    "DataDome as JSON": Reported(
        "replicate",
        403,
        {"url": "https://geo.captcha-delivery.com/captcha/?initialCid=1"},
        "bot_protection",
        r"\(DataDome\) turned the request away",
        BOT_CURE,
    ),
    "a page that nobody signed": Reported(
        "apiframe_v2",
        403,
        page("403 Forbidden"),
        "bot_protection",
        "turned the request away.*the key was not looked at",
        BOT_CURE,
        headers=HTML,
    ),
}

NOT_SERVED = "not served where this machine is"
ELSEWHERE = "another.*proxy"
LOCATION = "User location is not supported for the API use."
REGIONS = {
    "Google": Reported(
        "google",
        400,
        google(400, "FAILED_PRECONDITION", LOCATION),
        "region",
        NOT_SERVED,
        "vertex.*proxy",
        not_said="did not accept",
    ),
    "wrapped as text": Reported(
        "openrouter", 400, wrapped({"error": {"message": LOCATION}}), "region", NOT_SERVED, ELSEWHERE
    ),
    "wrapped with Google's status": Reported(
        "openrouter", 400, wrapped(google(400, "FAILED_PRECONDITION", LOCATION)), "region", NOT_SERVED, ELSEWHERE
    ),
    "wrapped as an object": Reported(
        "openrouter",
        403,
        {
            "error": {
                "message": "Provider returned error",
                "code": 403,
                "metadata": {
                    "raw": {
                        "__kind": "OK",
                        "data": json.dumps(
                            openai(
                                "Country, region, or territory not supported",
                                "unsupported_country_region_territory",
                                "request_forbidden",
                            )
                        ),
                    }
                },
            }
        },
        "region",
        NOT_SERVED,
        ELSEWHERE,
    ),
    "OpenAI's code": Reported(
        "nanobanana",
        403,
        openai("Country, region, or territory not supported", "unsupported_country_region_territory"),
        "region",
        NOT_SERVED,
        ELSEWHERE,
    ),
    "a reseller's message with Google's JSON in it": Reported(
        "nanobanana",
        500,
        openai(f"upstream error: {json.dumps(google(400, 'FAILED_PRECONDITION', LOCATION))}", "bad_response"),
        "region",
        NOT_SERVED,
        ELSEWHERE,
    ),
    "in words": Reported(
        "replicate", 403, {"detail": "This model is not available in your country."}, "region", NOT_SERVED, ELSEWHERE
    ),
    "for legal reasons": Reported(
        "onerouter", 451, {"code": 451, "message": "Your region is not supported"}, "region", NOT_SERVED, ELSEWHERE
    ),
    "Cloudflare 1009": Reported(
        "runflow",
        403,
        page("Access denied", '<span class="cf-error-code">1009</span> banned the country or region'),
        "region",
        NOT_SERVED,
        ELSEWHERE,
        headers=HTML,
    ),
}

NO_CREDIT = "no credit left"
TOP_UP = "[Tt]op up"
CREDITS = {
    "a spent token called unauthorised": Reported(
        "nanobanana",
        401,
        openai("This token's quota is exhausted", "insufficient_user_quota", "new_api_error"),
        "credit",
        NO_CREDIT,
        TOP_UP,
        not_said="wrong, revoked",
    ),
    "a spent token called forbidden": Reported(
        "nanobanana",
        403,
        openai("token quota is not enough", "pre_consume_token_quota_failed", "new_api_error"),
        "credit",
        NO_CREDIT,
        TOP_UP,
    ),
    "a spent token in Chinese": Reported(
        "nanobanana", 401, openai("该令牌额度已用尽", "", "new_api_error"), "credit", NO_CREDIT, TOP_UP
    ),
    "a spent token at a reseller of Gemini's API": Reported(
        "google",
        401,
        openai("This token's quota is exhausted", "insufficient_user_quota", "new_api_error"),
        "credit",
        NO_CREDIT,
        TOP_UP,
    ),
    "inside a 200": Reported(
        "onerouter",
        200,
        {"code": 402, "message": "insufficient balance"},
        "credit",
        NO_CREDIT,
        TOP_UP,
        not_said="may have charged",
    ),
    "inside a 200 without a status": Reported(
        "nanobanana",
        200,
        openai("user quota is not enough", "insufficient_user_quota"),
        "credit",
        NO_CREDIT,
        TOP_UP,
        not_said="may have charged",
    ),
    "inside a 200 as a string": Reported(
        "apiframe", 200, {"error": "Insufficient credits"}, "credit", NO_CREDIT, TOP_UP, not_said="may have charged"
    ),
    "prepaid credit": Reported(
        "google",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
        "credit",
        NO_CREDIT,
        "Top up the prepaid credit.*AI Studio",
        not_said="max_parallel",
    ),
    "a project's spending cap": Reported(
        "google",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap."),
        "credit",
        NO_CREDIT,
        "spending cap.*raise it",
    ),
    "prepaid credit of a reseller's": Reported(
        "openrouter",
        429,
        wrapped(google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), 429),
        "credit",
        NO_CREDIT,
        TOP_UP,
    ),
    "OpenAI's code on 429": Reported(
        "nanobanana", 429, openai("You exceeded your current quota.", "insufficient_quota"), "credit", NO_CREDIT, TOP_UP
    ),
    "fal's locked user": Reported(
        "fal",
        403,
        {"detail": "User is locked. Reason: Exhausted balance. Top up your balance."},
        "credit",
        NO_CREDIT,
        TOP_UP,
    ),
    "kie's code": Reported("kie", 200, {"code": 402, "msg": "Credits insufficient"}, "credit", NO_CREDIT, TOP_UP),
    "kie's limit of a key": Reported(
        "kie",
        200,
        {"code": 433, "msg": "The points used by this apiKey have exceeded the daily limit", "data": None},
        "credit",
        NO_CREDIT,
        TOP_UP,
    ),
    "an account that is not verified": Reported(
        "runflow",
        403,
        {"code": "EMAIL_NOT_VERIFIED", "message": "Verify your email", "errors": None},
        "account",
        "limited or disabled this account",
        "mail from the provider",
        not_said="[Cc]heck the key",
    ),
    "Runflow's code": Reported(
        "runflow",
        402,
        {"code": "INSUFFICIENT_CREDIT", "message": "Not enough", "errors": None},
        "credit",
        NO_CREDIT,
        TOP_UP,
    ),
    "APIFRAME v2": Reported(
        "apiframe_v2",
        402,
        {"error": "Insufficient credits", "creditsRequired": 9, "creditsAvailable": 1},
        "credit",
        NO_CREDIT,
        TOP_UP,
    ),
}

LIMIT_0 = "Quota exceeded for metric: generate_content_free_tier_requests, limit: 0. Please retry in 15.3s."
NO_QUOTAS = {
    "Google's free tier": Reported(
        "google", 429, google(429, "RESOURCE_EXHAUSTED", LIMIT_0), "quota", "quota is used up", "no free tier.*billing"
    ),
    "a reseller's free tier": Reported(
        "nanobanana", 429, openai(LIMIT_0, 429, "upstream_error"), "quota", "quota is used up", "provider's own account"
    ),
    "a free tier behind OpenRouter": Reported(
        "openrouter",
        429,
        wrapped(google(429, "RESOURCE_EXHAUSTED", LIMIT_0), 429),
        "quota",
        "quota is used up",
        "own account",
    ),
    "a free tier by its quota's name": Reported(
        "onerouter",
        429,
        {
            "code": 429,
            "message": json.dumps(
                google(
                    429,
                    "RESOURCE_EXHAUSTED",
                    "Quota exceeded.",
                    {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
                )
            ),
        },
        "quota",
        "quota is used up",
        "own account",
    ),
}

ITS_FAULT = "failed.*the fault is on its side"
FAILURES = {
    "an error inside a 200": Reported(
        "nanobanana",
        200,
        openai("do request failed", None, "upstream_error"),
        "server",
        ITS_FAULT,
        "Queue again",
        not_said="[Cc]hange the prompt",
    ),
    "an error inside a 200, free only where it is documented": Reported(
        "onerouter",
        200,
        {"error": {"message": "upstream timeout", "type": "upstream_error"}},
        "server",
        ITS_FAULT,
        "Queue again",
        charged="maybe",
        not_said="[Cc]hange the prompt",
    ),
    "an error inside Gemini's 200": Reported(
        "google",
        200,
        {"error": {"message": "do request failed", "type": "new_api_error"}},
        "server",
        ITS_FAULT,
        "Queue again",
        charged="maybe",
    ),
    "an error inside OpenRouter's 200": Reported(
        "openrouter",
        200,
        {"error": {"message": "Upstream went away"}},
        "server",
        ITS_FAULT,
        "Queue again",
        charged="maybe",
    ),
    "a failure with a message alone": Reported(
        "apiframe", 200, {"success": False, "message": "it broke"}, "server", ITS_FAULT, "Queue again", charged="maybe"
    ),
    "an id beside an error": Reported(
        "nanobanana",
        200,
        {"id": "abc", "created": 1, "data": [], "error": {"message": "upstream timeout", "code": "upstream_error"}},
        "server",
        ITS_FAULT,
        "Queue again",
    ),
    "an error at the end of Gemini's events": Reported(
        "google",
        200,
        b'data: {"candidates": [{"content": {"parts": [{"text": "Sure"}]}, "index": 0}]}\n\n'
        b'data: {"error": {"code": 500, "message": "An internal error.", "status": "INTERNAL"}}\n\n',
        "server",
        ITS_FAULT,
        charged="maybe",
    ),
    "an error at the end of a chat's events": Reported(
        "openrouter",
        200,
        b'data: {"choices": [{"index": 0, "delta": {"content": ""}}]}\n\n'
        b'data: {"error": {"code": 502, "message": "Provider went away"}, "choices": [{"index": 0, "delta": {}, '
        b'"finish_reason": "error"}]}\n\n',
        "server",
        "Provider went away",
        charged="maybe",
    ),
    "a caption about money": Reported(
        "nanobanana",
        200,
        {"created": 1, "data": [], "description": "a poster: top up your account, payment required"},
        "empty",
        "without a picture",
        charged="maybe",
    ),
    "Cloudflare's 521": Reported(
        "onerouter", 521, page("api.example | 521: Web server is down"), "server", ITS_FAULT, headers=HTML
    ),
    "a network's own log-in": Reported(
        "onerouter", 511, page("Network Authentication Required"), "proxy", "log-in of its own", "browser", headers=HTML
    ),
    "no account behind a gateway": Reported(
        "nanobanana",
        503,
        openai("No available channel for model x under group default", "", "new_api_error"),
        "model",
        "does not know this model",
    ),
    "errors by field": Reported(
        "onerouter", 400, {"errors": {"prompt": ["is too long"]}}, "invalid", "prompt: is too long"
    ),
    "an error of another spelling": Reported(
        "onerouter", 400, {"errMsg": "the seed is too large"}, "invalid", "the seed is too large"
    ),
    "a 500 that has no id": Reported(
        "google",
        500,
        google(500, "INTERNAL", "An internal error has occurred."),
        "server",
        ITS_FAULT,
        "ask the provider",
        charged="maybe",
        not_said="request id",
    ),
    "a 500 with its id": Reported(
        "google",
        500,
        google(500, "INTERNAL", "An internal error."),
        "server",
        ITS_FAULT,
        "with the request id",
        charged="maybe",
        headers={"x-request-id": "req-17"},
    ),
}

ADDRESSES = "takes addresses only for reference images"
WAYS = "providers.yaml.*upload.*multipart"
ONLY_ADDRESSES = {
    "in words": Reported(
        "onerouter",
        400,
        {"error": {"message": "image_urls must be http(s) URLs"}},
        "invalid",
        ADDRESSES,
        WAYS,
        operation="edit",
    ),
    "pydantic's": Reported(
        "fal",
        422,
        {
            "detail": [
                {
                    "loc": ["body", "image_urls", 0],
                    "msg": "URL scheme should be 'http' or 'https'",
                    "type": "url_scheme",
                }
            ]
        },
        "invalid",
        ADDRESSES,
        WAYS,
        operation="edit",
    ),
    "base64 refused": Reported(
        "apiframe",
        400,
        {"errors": [{"msg": "base64 images are not supported"}]},
        "invalid",
        ADDRESSES,
        WAYS,
        operation="edit",
    ),
}

PROMPT = "a neon sign: top up of insufficient credits, user location is not supported, invalid api key, nsfw"
ECHOES = {
    "an echo beside a code": Reported(
        "nanobanana",
        400,
        openai(f"Invalid value: '{PROMPT}'", "invalid_value", "invalid_request_error"),
        "invalid",
        "did not accept",
    ),
    "an echo without a code": Reported("nanobanana", 400, openai(f"too long: {PROMPT}"), "invalid", "did not accept"),
    "an echo in another case": Reported(
        "onerouter", 400, {"message": f"BAD PROMPT {PROMPT.upper()}"}, "invalid", "did not accept"
    ),
    "an echo in a forbidden": Reported("openrouter", 403, openai(f"no: {PROMPT}", 403), "key", "denied access"),
    "an echo in a server's fault": Reported(
        "runflow", 500, {"code": "INTERNAL", "message": f"failed for {PROMPT}"}, "server", ITS_FAULT, charged="maybe"
    ),
    "an echo in Google's words": Reported(
        "google",
        400,
        google(400, "INVALID_ARGUMENT", f"Invalid value at 'contents[0].parts[0].text': {PROMPT}"),
        "invalid",
        "did not accept",
    ),
    "a field called safety": Reported(
        "onerouter", 400, {"message": "safety_tolerance must be between 1 and 6"}, "invalid", "did not accept"
    ),
    "billing in prose": Reported(
        "nanobanana", 400, openai("See our billing page for models that know 4K"), "invalid", "did not accept"
    ),
    "a model's name": Reported(
        "nanobanana",
        400,
        openai("image_size 4K is not supported by sensitive-free-tier-model"),
        "invalid",
        "did not accept",
    ),
}

_SIGNATURE_URL = "https://ai.google.dev/gemini-api/docs/thought-signatures#model-behavior"
BEGIN_ANEW = "disconnect conversation and connect its last picture to image_1"
SIGNATURES = {
    message[:24]: Reported(
        "google", 400, google(400, "INVALID_ARGUMENT", message), "invalid", "did not accept", BEGIN_ANEW
    )
    for message in (
        "Image part is missing a thought_signature in content position 2, part position 1. "
        f"Please refer to {_SIGNATURE_URL} for more details.",
        "Corrupted thought signature.",
        "Unable to submit request because Thought signature is not valid..",
    )
}

TABLE = {
    f"{group}: {name}": case
    for group, cases in {
        "bot protection": BOTS,
        "region": REGIONS,
        "credit": CREDITS,
        "no quota": NO_QUOTAS,
        "failure": FAILURES,
        "addresses only": ONLY_ADDRESSES,
        "echo": ECHOES,
        "signature": SIGNATURES,
    }.items()
    for name, case in cases.items()
}


# ------------------------------------------------------------------------------------------------------------ the table


@pytest.mark.parametrize("name", TABLE)
def test_an_answer_is_told_as_what_it_is(name: str, tmp_path: Path) -> None:
    """One paid request, the right kind, the money and the way out; nothing that belongs to another kind."""
    case = TABLE[name]
    prompt = PROMPT if name.startswith("echo") else "a fox in snow"
    asked = request("edit" if case.operation == "edit" else "generate", prompt=prompt)
    with answering(case.reply) as server:
        error = error_of(play(engine_at(tmp_path, case.provider, server.url), case.provider, asked))
        assert len(server.posts) == case.paid
    assert (error.kind, error.charged) == (case.kind, case.charged), error.message
    assert_said(case.words, error.what)
    assert_said(case.cure, error.cure)
    if case.not_said:
        assert_unsaid(case.not_said, error.message)
    both = "no credit" in error.message and "may have charged" in error.message
    assert not both and "{" not in error.what.split('It said: "')[0] + error.cure.replace("{response_format", "")


# ------------------------------------------------------------------------------------------------------------ batches


@pytest.mark.parametrize(
    "name",
    [
        "bot protection: Cloudflare's challenge",
        "region: Google",
        "credit: a spent token called unauthorised",
        "credit: prepaid credit",
        "no quota: a reseller's free tier",
    ],
)
def test_what_is_about_this_machine_or_its_account_ends_the_batch(name: str, tmp_path: Path) -> None:
    """The others would fail alike: they are not sent, and say why."""
    case = TABLE[name]
    with answering(case.reply) as server:
        run = play(engine_at(tmp_path, case.provider, server.url), case.provider, count=4, parallel=1)
        assert len(server.posts) == 1
    kinds = [result.error.kind for result in run.tasks if result.error]
    assert kinds == [case.kind, "stopped", "stopped", "stopped"]


BILLING_WORDS = "You exceeded your current quota, please check your plan and billing details. Please retry in {}s."


@pytest.mark.parametrize(
    ("provider", "refusal", "success"),
    [
        ("nanobanana", openai(BILLING_WORDS.format("0.21"), 429, "upstream_error"), IMAGE),
        (
            "onerouter",
            {"code": 429, "message": json.dumps(google(429, "RESOURCE_EXHAUSTED", BILLING_WORDS.format("0.2")))},
            IMAGE,
        ),
        ("google", google(429, "RESOURCE_EXHAUSTED", BILLING_WORDS.format("0.203")), GEMINI_IMAGE),
        ("openrouter", wrapped(google(429, "RESOURCE_EXHAUSTED", BILLING_WORDS.format("0.2")), 429), IMAGE),
    ],
)
def test_a_rate_limit_whose_words_speak_of_billing_is_waited_for(
    provider: str, refusal: Any, success: Any, tmp_path: Path
) -> None:
    """As long as its words say; then the picture is there, paid once."""
    with answering({"status": 429, "body": refusal}, {"status": 200, "body": success}) as server:
        run = play(engine_at(tmp_path, provider, server.url), provider)
        assert len(server.posts) == 2
    assert run.tasks[0].result and not run.report.failed


# ------------------------------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    "address", ["http://localhost:3000/a.png", "http://10.0.0.7/a.png", "http://files.internal/a.png"]
)
def test_a_result_at_a_private_address_is_the_provider_s_mistake(address: str, tmp_path: Path) -> None:
    """It can never be fetched, so nobody is told to queue again for it; it is asked about before it is paid again."""
    with answering({"status": 200, "body": {"created": 1, "data": [{"url": address}]}}) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        error = error_of(play(engine, "nanobanana"))
        assert (error.kind, error.charged) == ("download", "yes") and len(server.posts) == 1
        assert_said("its server names an address inside itself.*private network", error.what)
        assert_said("base64.*b64_json.*choose another", error.cure)
        assert_unsaid("[Qq]ueue again|without paying", error.message)
        assert error_of(play(engine, "nanobanana")).kind == "doubt" and len(server.posts) == 1


def test_a_redirect_to_a_private_address_is_the_provider_s_mistake_too(tmp_path: Path) -> None:
    """The address itself is harmless."""
    away = {"path": "/a.png", "status": 302, "headers": {"location": "http://169.254.169.254/latest"}, "raw": b""}
    with answering(away) as server:
        server.replies.append({"status": 200, "body": {"created": 1, "data": [{"url": server.url + "/a.png"}]}})
        error = error_of(play(engine_at(tmp_path, "nanobanana", server.url), "nanobanana"))
    assert_said("its server names an address inside itself", error.what)
    assert_unsaid("[Qq]ueue again|without paying", error.message)
