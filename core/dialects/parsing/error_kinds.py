"""What kind of failure an error is: its HTTP status first, then the provider's own code, and its words last.

Words are matched as whole phrases only: "billing" alone stands in rate limits, and "safety" in the names of fields. A
phrase that the user's own prompt holds says nothing, because providers repeat prompts in their errors. Pure functions
over plain data; what a kind costs and whether a request is repeated is decided by `retry`.

Each table names its source. Codes of one provider alone stand in its dialect, and are given to `kind_of` as `own`.
"""

from __future__ import annotations

import re
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
"""Of several codes in one error the first in this row counts: a type is vaguer than the code beside it."""

_SHORT_OF_CREDIT = re.compile(
    r"(?i)\binsufficient[ _](user[ _]|account[ _]|token[ _])?(credits?|balance|quota|funds)\b"
    r"|\bnot enough (credits?|balance|funds|quota)\b"
    r"|\b(credits?|balance|funds)( of [\w -]{1,30})? ((is|are|was|were|has been|have been|ha[sd]) )?"
    r"(now )?(exhausted|depleted|used up|insufficient|too low|not enough|run out|negative)\b"
    r"|\bexhausted (balance|credits?|funds)\b"
    r"|\b(ran|run|running) out of (credits?|funds|balance)\b|\bout of credits?\b"
    r"|\bno (more |remaining )?credits?\b( (left|remaining|available))?|\bpre[-_]consum\w+ (token )?quota"
    r"|\bpayment required\b|\baccount is in arrears\b|\boverdue (balance|payment|bill)\b"
    r"|\btop[ -]up\b|\brecharge (your|the) (account|balance)\b|\bbilling hard limit\b"
    r"|\bspend(ing)? (cap|limit)s?\b|\benable billing\b|\bbilling (is|has) not\b"
    r"|余额不足|额度不足|额度已用尽|额度已耗尽|预扣费额度失败|欠费"
)
"""No money left: the words of OpenAI, OpenRouter, Google's prepaid plan, New-API (also in Chinese) and public reports."""
_QUOTA_SPENT = re.compile(
    r"(?i)\bquota( of [\w -]{1,30})? ((is|was|has been|ha[sd]) )?(now )?(exhausted|depleted|used up|not enough|run out)\b"
    r"|\bexhausted quota\b|\b(ran|run|running) out of quota\b"
)
"""A token's quota at a New-API gateway is money. In a 429 the same words may mean that of a minute, which is waited for."""
_QUOTA_PASSED = re.compile(r"(?i)\bexceeded your (current )?quota\b|\bquota (was |has been )?exceeded\b")
_NO_QUOTA = re.compile(r"(?i)\blimit: ?0(?!\d|\.\d)")
_SOME_QUOTA = re.compile(r"(?i)\blimit: ?[1-9]")
_FREE_TIER = re.compile(r"_free_tier_|-FreeTier\b|\bfree_tier\b")
"""Google names the metric and the limit in its message: "..._free_tier_requests, limit: 0"."""
_OTHER_PLACE = re.compile(
    r"(?i)\b(user |your )?(location|country|region|territory) (is |are )?(not|un)[ -]?(supported|available|allowed|served)"
    r"|\b(not|un)[ -]?(available|supported|accessible|offered|allowed|served|permitted) "
    r"(in|from|for|to) (your|this|the) (current )?(user )?(country|region|location|territory|area|geograph\w+)"
    r"|\bunsupported[ _](country|region|location|territory)|\b(available|allowed|supported) in your jurisdiction\b"
    r"|\brequests? from your (current )?(country|region|location|territory)\b"
    r"|\b(country|region|territory|location)[\w, ]{0,40} (is )?(not supported|restricted|blocked|banned)\b"
    r"|\b(blocked|banned|restricted) (in|from|for) (your|this) (country|region|location)\b"
    r"|\bbanned the country or region\b|\bgeo[- ]?(blocked|restricted|fenced)\b"
    r"|(当前|所在|该|您的)(国家|地区|区域)\S{0,8}(不支持|不可用|受限)|不支持(当前|所在|该|您的)(国家|地区|区域)"
)
"""Google's words for it are "User location is not supported for the API use", OpenAI's "Country, region, or territory not
supported"; others as reported."""
_KEY_REFUSED = re.compile(
    r"(?i)\b(invalid|incorrect|wrong|expired|revoked|missing|unknown|malformed|no)( or \w+)? "
    r"(api[ _-]?keys?|(access |auth |bearer )?token|credentials?|authentication)\b"
    r"|\bapi[ _-]?key\b[^.;]{0,40}\b(invalid|not valid|incorrect|expired|revoked|missing|required|not found|disabled)\b"
    r"|\bunauthori[sz]ed\b|\bunauthenticated\b|\bauthentication (failed|required|error)\b"
    r"|\btoken (is |was |has )?(invalid|expired|revoked)\b|\binvalid_api_key\b|无效的令牌|令牌已过期|令牌状态不可用"
)
_FORBIDDEN_CONTENT = re.compile(
    r"(?i)\bcontent[ _-]?(polic(y|ies)|filter\w*|moderation)\b|\busage (polic(y|ies)|guidelines)\b"
    r"|\b(content|prompt|image|input|request|output)s? (was |were |is |has been |have been |did )?(not )?"
    r"(blocked|flagged|moderated|filtered|rejected by|pass(ed)? moderation)\b"
    r"|\b(blocked|flagged|rejected|refused|declined|stopped|filtered|detected|failed|triggered) "
    r"(by|for|as|due to|because of|the|our|for being|in)?( \w+){0,4}? ?"
    r"(safety|moderation|nsfw|polic(y|ies)|sensitiv\w+|unsafe|harmful|inappropriate)\b"
    r"|\b(safety|moderation) (system|filters?|polic(y|ies)|reasons?|concerns?|checks?|checker|guidelines|violation|block)"
    r"|\bfor safety\b(?![ _]?(tolerance|settings))"
    r"|\b(was|were|been|is|are) flagged\b|\bflagged (by|for|as)\b"
    r"|\brequires moderation\b|\bmoderation[ _](blocked|failed|error|rejected)\b|\bnsfw\b"
    r"|\bimage_(safety|other|prohibited_content|recitation)\b|\bprohibited[ _](content|use)\b|\bno_media_generated\b"
    r"|\b(sensitive|inappropriate|harmful|unsafe|explicit|offensive) (content|words?|material|information|image)s?\b"
    r"|\bviolat(e|es|ed|ing|ion of|ions of)\b[\w ,']{0,40}\b(polic(y|ies)|guidelines?|terms|rules|standards?)\b"
    r"|\b(policy|guidelines?|safety|terms|content) violation|\bresponsible ai\b|\brecitation\b|违规|敏感"
)
_NO_MODEL = re.compile(
    r"(?i)\bmodel[ _](not[ _]found|unavailable|does not exist|not exist|invalid)\b|\bunknown model\b|\bno such model\b"
    r"|\bis not a valid model( id)?\b|\bno available channels? for (the )?model\b|无可用渠道"
    r"|\bmodel:? ['\"`]?[\w./:@-]+['\"`]? (does not exist|not found|is not (available|found)|not exist)"
    r"|\bis not a valid model( id)?\b"
)
_NO_CHANNEL = re.compile(r"(?i)\bno available channels? for (the )?model\b|无可用渠道")
"""New-API's and One-API's words, with a 503, for a model that none of a gateway's accounts has: waiting doesn't help."""
_ADDRESSES_ONLY = re.compile(
    r"(?i)\b(must|should|has to|have to|needs? to|can only|please provide)( be)?\b[^.;]{0,40}"
    r"\b(https?|https?\(s\)|http/https|web|public(ly accessible)?|valid)[ :/]{1,4}(urls?|addresses|links?)"
    r"|\b(must|should) be (an? )?((list|array) of )?(urls?|links?)\b(?! or)"
    r"|\burls? (must|should) (use|be) ['\"`]?https?\b(?!(\(s\))? or\b)"
    r"|\b(must|should) (start|begin) with ['\"`]?https?\b|\burl scheme should be\b"
    r"|\bonly [\w()/ ]{0,40}\b(urls?|links?) (are|is) (supported|allowed|accepted)"
    r"|\b(base64|data[ -]ur[il]s?)( \w+){0,3} (is|are|isn't|aren't) ?(not )?(supported|allowed|accepted|permitted)"
    r"|\b(does|do)(n't| not) (support|accept|allow) (base64|data[ -]ur[il]s?)"
    r"|\b(invalid|unsupported) (image )?url scheme\b|\bunsupported (protocol|scheme) ['\"`:]*data\b"
    r"|\bnot a valid (https? )?url\b|\binvalid image urls?\b"
)
"""How servers refuse references that came inside the request: OpenAPI validators, pydantic's `url_scheme`, reports."""
_WAIT = re.compile(
    r"(?i)\b(?:retry(?:ing)?|try(?: it)? again|wait|resets?)(?: again)?(?: in| after| for)?(?: about| at least)? ?~?"
    r"(?:(\d{1,4}(?:\.\d{1,4})?) ?h(?:ours?|rs?)?(?![a-z]) ?(?:and )?)?"
    r"(?:(\d{1,5}(?:\.\d{1,4})?) ?m(?:in(?:ute)?s?)?(?![a-z]) ?(?:and )?)?"
    r"(?:(\d{1,9}(?:\.\d{1,12})?) ?(ms|milliseconds?|seconds?|secs?|s)\b)?"
)
_QUOTED = re.compile(
    r"(?<!\w)'[^'\n]{1,4000}'(?!\w)|\"[^\"\n]{1,4000}\"|`[^`\n]{1,4000}`|“[^“”\n]{1,4000}”|‘[^‘’\n]{1,4000}’"
)
_ECHOING = re.compile(r"(?i)\b(prompt|input|value|text|field|parameter|argument|string|got|received|given)\b")


def kind_of(status: int, codes: Sequence[str], words: str, own: Codes = NO_CODES, prompt: str = "") -> Kind:
    """The kind of an answer with an error status.

    `codes` are the provider's codes as they stand in the error, `words` its message, `own` the codes of this provider
    alone, `prompt` the words of the user that went along: what stands in them is not taken for the provider's.
    """
    fixed: dict[int, Kind] = {402: "credit", 407: "proxy", 511: "proxy", 413: "too_large"}
    if status in fixed:
        return fixed[status]
    coded = kind_by_codes(codes, own)
    said = _Said(words, prompt)
    if status == 429:
        return _limited(coded, codes, said)
    if status in _OVERLOADED and "model_unavailable" in {code.lower() for code in codes}:
        return "busy"  # Runflow's code for a model that can't be had now; where it is unknown the status is 404
    if coded is not None and not (status >= 500 and coded == "invalid"):
        return coded
    if status in (401, 403):
        worded = said.kind(("credit", "region", "quota"), "key")
        return said.kind(("content",), "key") if worded == "key" and status == 403 else worded
    if status in (404, 405):
        return said.kind(("region",), "model")
    if status == 451:
        return said.kind(("region",), "content")
    if status >= 500 or status in (408, 409):
        unserved = status == 503 and _NO_CHANNEL.search(words) is not None
        return said.kind(("region",), "model" if unserved else "busy" if status in _OVERLOADED else "server")
    return said.kind(("credit", "region", "key", "content", "model") if status == 400 else _WITHOUT_KEY, "invalid")


_OVERLOADED = (503, 529)
"""529 is in no standard; OpenRouter's SDK names it for a provider that is overloaded."""
_WITHOUT_KEY: tuple[Kind, ...] = ("credit", "region", "content", "model")


def kind_by_words(
    words: str, otherwise: Kind, codes: Sequence[str] = (), own: Codes = NO_CODES, prompt: str = ""
) -> Kind:
    """The kind of a failure that came without a telling status; `otherwise` where neither code nor phrase says one."""
    return kind_by_codes(codes, own) or _Said(words, prompt).kind(_WITHOUT_KEY, otherwise)


def kind_by_codes(codes: Sequence[str], own: Codes = NO_CODES) -> Kind | None:
    """The kind that a provider's codes say; None where none of them is known."""
    found = {kind for code in codes if (kind := own.get(code.lower()) or GENERAL.get(code.lower())) is not None}
    return next((kind for kind in _RANK if kind in found), None)


def seconds_in(words: str) -> float | None:
    """The pause that a sentence asks for ("Please retry in 2.1s", "try again in 6m0s", "resets in ~30s"), in seconds."""
    for found in _WAIT.finditer(words):
        hours, minutes, number, unit = found.groups()
        if hours or minutes or number:
            scale = 0.001 if unit and unit.lower().startswith("m") else 1.0
            return float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(number or 0) * scale
    return None


def takes_addresses_only(words: str) -> bool:
    """Whether a message says that reference images have to be web addresses."""
    return _ADDRESSES_ONLY.search(words) is not None


def has_no_quota(words: str) -> bool:
    """Whether a limit is one that waiting never lifts: a quota of nothing, as image models have it on a free tier."""
    return _NO_QUOTA.search(words) is not None or (
        _FREE_TIER.search(words) is not None and _SOME_QUOTA.search(words) is None
    )


def declines(words: str, prompt: str = "") -> bool:
    """Whether the model's own words say that it declined the content. They say nothing about keys or money."""
    return _Said(words, prompt).kind(("content",), "empty") == "content"


def _limited(coded: Kind | None, codes: Sequence[str], said: _Said) -> Kind:
    """A 429: a rate limit unless the provider says that waiting does not help."""
    if has_no_quota(" ".join([*codes, said.words])):
        return "quota"
    if seconds_in(said.words) is not None:
        return "rate"
    if coded in ("credit", "quota", "region"):
        return coded
    return "credit" if said.says(_SHORT_OF_CREDIT) else "rate"


MOST_WORDS = 16 << 10
"""Characters of a message that are looked at: each phrase is searched for without a pause."""


class _Said:
    """A message, and what of it the provider only repeats."""

    _PATTERNS: Mapping[Kind, tuple[re.Pattern[str], ...]] = {
        "credit": (_SHORT_OF_CREDIT, _QUOTA_SPENT),
        "region": (_OTHER_PLACE,),
        "quota": (_QUOTA_PASSED,),
        "key": (_KEY_REFUSED,),
        "content": (_FORBIDDEN_CONTENT,),
        "model": (_NO_MODEL,),
    }

    def __init__(self, words: str, prompt: str = "") -> None:
        words = words[:MOST_WORDS]
        outside = _QUOTED.sub(" ", words)
        # A quotation is the user's input where the sentence around it speaks of one, else it may be the whole message.
        self.words = outside if outside != words and _ECHOING.search(outside) else words
        self._whole, self._sent = words, _plain(prompt)

    def kind(self, kinds: Sequence[Kind], otherwise: Kind) -> Kind:
        """The first of `kinds` that the message says; `otherwise` where it says none."""
        return next((kind for kind in kinds if self.says(*self._PATTERNS[kind])), otherwise)

    def says(self, *patterns: re.Pattern[str]) -> bool:
        """Whether a phrase of one of `patterns` stands in the message and not in what the user sent."""
        for pattern in patterns:
            text = self._whole if pattern is _NO_MODEL else self.words
            if any(_plain(found.group()) not in self._sent for found in pattern.finditer(text)):
                return True
        return False


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()
