"""What the words of an error message say: phrases of known failures, a pause that is asked for, a limit of nothing.

Words are matched as whole phrases only: "billing" alone is in rate limits, and "safety" in the names of fields. A
phrase that the user's own prompt holds says nothing, because providers repeat prompts in their errors. Each pattern names
its source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...errors import Kind

MOST_CHARACTERS = 16 << 10
"""Characters of a message that are looked at: each phrase is searched for without a pause."""

SHORT_OF_CREDIT = re.compile(
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
_UNSUPPORTED_REGION = re.compile(
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
_CHECK_DOWN = re.compile(
    r"(?i)\b(moderation|safety|content[ _-]?filter\w*|nsfw)\b[^.;]{0,60}"
    r"\b(unavailable|overloaded|unreachable|time[d]?[ -]?outs?|timeouts?|(is|was) down|connection|not respond\w*|exception)\b"
)
_NO_MODEL = re.compile(
    r"(?i)\bmodel[ _](not[ _]found|unavailable|does not exist|not exist|invalid)\b|\bunknown model\b|\bno such model\b"
    r"|\bis not a valid model( id)?\b|\bno available channels? for (the )?model\b|无可用渠道"
    r"|\bmodel:? ['\"`]?[\w./:@-]+['\"`]? (does not exist|not found|is not (available|found)|not exist)"
    r"|\bis not a valid model( id)?\b"
)
NO_CHANNEL = re.compile(r"(?i)\bno available channels? for (the )?model\b|无可用渠道")
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


class Phrases:
    """A message, and what of it the provider only repeats."""

    _PATTERNS: Mapping[Kind, tuple[re.Pattern[str], ...]] = {
        "credit": (SHORT_OF_CREDIT, _QUOTA_SPENT),
        "region": (_UNSUPPORTED_REGION,),
        "quota": (_QUOTA_PASSED,),
        "key": (_KEY_REFUSED,),
        "content": (_FORBIDDEN_CONTENT,),
        "model": (_NO_MODEL,),
    }

    def __init__(self, message: str, prompt: str = "") -> None:
        message = message[:MOST_CHARACTERS]
        outside = _QUOTED.sub(" ", message)
        # A quotation is the user's input where the sentence around it speaks of one, else it may be the whole message.
        self.message = outside if outside != message and _ECHOING.search(outside) else message
        self._whole, self._prompt = message, _plain(prompt)

    def kind(self, kinds: Sequence[Kind], otherwise: Kind) -> Kind:
        """The first of `kinds` that the message says; `otherwise` where it says none."""
        return next((kind for kind in kinds if self.says(*self._PATTERNS[kind])), otherwise)

    def says(self, *patterns: re.Pattern[str]) -> bool:
        """Whether a phrase of one of `patterns` is in the message and not in what the user sent."""
        for pattern in patterns:
            text = self._whole if pattern is _NO_MODEL else self.message
            if any(_plain(found.group()) not in self._prompt for found in pattern.finditer(text)):
                return True
        return False


def seconds_in(message: str) -> float | None:
    """The pause that a sentence asks for ("Please retry in 2.1s", "try again in 6m0s", "resets in ~30s"), in seconds."""
    for found in _WAIT.finditer(message):
        hours, minutes, number, unit = found.groups()
        if hours or minutes or number:
            scale = 0.001 if unit and unit.lower().startswith("m") else 1.0
            return float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(number or 0) * scale
    return None


def takes_addresses_only(message: str) -> bool:
    """Whether a message says that reference images have to be web addresses."""
    return _ADDRESSES_ONLY.search(message) is not None


def has_no_quota(message: str) -> bool:
    """Whether a limit is one that waiting never lifts: a quota of nothing, as image models have it on a free tier."""
    return _NO_QUOTA.search(message) is not None or (
        _FREE_TIER.search(message) is not None and _SOME_QUOTA.search(message) is None
    )


def check_is_down(message: str) -> bool:
    """Whether a server's error is that its check of the content could not be made, and not what the check said."""
    return _CHECK_DOWN.search(message[:MOST_CHARACTERS]) is not None


def declines(message: str, prompt: str = "") -> bool:
    """Whether the model's own words say that it declined the content. They say nothing about keys or money."""
    return Phrases(message, prompt).kind(("content",), "empty") == "content"


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()
