"""What kind of failure an error is: its HTTP status first, then the provider's own code, and its words last.

Pure functions over plain data; what a kind costs and whether a request is repeated is decided in `core/execution`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import Kind
from .error_codes import NO_CODES, Codes, kind_by_codes
from .error_phrases import NO_CHANNEL, SHORT_OF_CREDIT, Phrases, check_is_down, has_no_quota, seconds_in

_OVERLOADED = (503, 529)
"""529 is in no standard; OpenRouter's SDK names it for a provider that is overloaded."""
_WITHOUT_KEY: tuple[Kind, ...] = ("credit", "region", "content", "model")


def kind_of(status: int, codes: Sequence[str], message: str, own: Codes = NO_CODES, prompt: str = "") -> Kind:
    """The kind of an answer with an error status.

    `codes` are the provider's codes as they are in the error, `message` its text, `own` the codes of this provider
    alone, `prompt` the words of the user that went along: what is in them is not taken for the provider's.
    """
    fixed: dict[int, Kind] = {402: "credit", 407: "proxy", 511: "proxy", 413: "too_large"}
    if status in fixed:
        return fixed[status]
    coded = kind_by_codes(codes, own)
    phrases = Phrases(message, prompt)
    if status == 429:
        return _limited(coded, codes, phrases)
    if status in _OVERLOADED and "model_unavailable" in {code.lower() for code in codes}:
        return "busy"  # Runflow's code for a model that can't be had now; where it is unknown the status is 404
    if coded is not None and not (status >= 500 and coded == "invalid"):
        return coded
    if status in (401, 403):
        worded = phrases.kind(("credit", "region", "quota"), "key")
        return phrases.kind(("content",), "key") if worded == "key" and status == 403 else worded
    if status in (404, 405):
        return phrases.kind(("region",), "model")
    if status == 451:
        return phrases.kind(("region",), "content")
    if status >= 500 or status in (408, 409):
        unserved = status == 503 and NO_CHANNEL.search(message) is not None
        # Resellers pass a refusal of the content on as their own 500: sent again, it would be refused again.
        kinds: tuple[Kind, ...] = ("region",) if status < 500 or check_is_down(message) else ("region", "content")
        return phrases.kind(kinds, "model" if unserved else "busy" if status in _OVERLOADED else "server")
    return phrases.kind(("credit", "region", "key", "content", "model") if status == 400 else _WITHOUT_KEY, "invalid")


def kind_by_message(
    message: str, otherwise: Kind, codes: Sequence[str] = (), own: Codes = NO_CODES, prompt: str = ""
) -> Kind:
    """The kind of a failure that came without a telling status; `otherwise` where neither code nor phrase says one."""
    return kind_by_codes(codes, own) or Phrases(message, prompt).kind(_WITHOUT_KEY, otherwise)


def _limited(coded: Kind | None, codes: Sequence[str], phrases: Phrases) -> Kind:
    """A 429: a rate limit unless the provider says that waiting does not help."""
    if has_no_quota(" ".join([*codes, phrases.message])):
        return "quota"
    if seconds_in(phrases.message) is not None:
        return "rate"
    if coded in ("credit", "quota", "region"):
        return coded
    return "credit" if phrases.says(SHORT_OF_CREDIT) else "rate"
