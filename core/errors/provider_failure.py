"""What a user reads when a provider fails: the fault as a dialect reads it, and the error with what happened and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from .classes import CLASS_OF, Charged, Kind, NanoBananaError, sentence

_CURES: dict[Kind, str] = {
    "credit": "Top up the account at the provider, or choose another provider.",
    "quota": "The key is fine, but its quota is used up: wait for it to renew or enable billing at the provider.",
    "account": "Look for mail from the provider, ask it, or choose another provider.",
    "region": "Choose another provider, or reach this one through a proxy in a place that it serves (NANO_BANANA_PROXY).",
    "bot_protection": "Try another network or a proxy (NANO_BANANA_PROXY), or ask the provider to let API requests pass.",
    "proxy": "Correct NANO_BANANA_PROXY, or HTTPS_PROXY and HTTP_PROXY of this machine, or ask whoever runs the proxy.",
    "certificate": "If a proxy of your company opens secure connections, name the file of its certificate in "
    "NANO_BANANA_CA_BUNDLE.",
    "rate": "Queue again later, lower max_parallel, or choose another provider.",
    "busy": "Queue again in a few minutes, or choose another provider.",
    "content": "Change the prompt or the reference images; safety_tolerance may help where the provider has it.",
    "empty": "Change the prompt, ask plainly for a picture, or queue again with another seed.",
    "invalid": "The provider's words above say what it did not accept: change that input.",
    "too_large": "Scale the references down, send fewer, or set reference_format to jpeg.",
    "model": "Choose another model, or check the address and model_override: providers retire and rename models.",
    "server": "Queue again in a few minutes; if it stays, ask the provider{with_id}.",
    "unreadable": "Check that the provider's address is its API and not a web page; else ask the provider.",
    "task": "Queue again with another seed or prompt; if it stays, ask the provider.",
    "task_lost": "Look at the provider's own list of requests, then queue again: you are asked before it is paid again.",
    "network": "Check the internet connection, proxy and firewall of this machine, then queue again.",
    "timeout": "Raise the timeout in ProviderConfig, choose a smaller resolution, or try again later.",
    "download": "Queue again: the finished picture is fetched without paying where it can still be found.",
    "picture": "Queue again with another seed, or ask the provider.",
    "ledger": "Free some space, make the pack's data folder writable, or name another one in NANO_BANANA_HOME.",
}


@dataclass(frozen=True)
class Fault:
    """A failure as a dialect reads it from one reply: plain data, no policy and no prose about money."""

    kind: Kind
    message: str = ""
    """The provider's own words, already cut and redacted."""
    status: int | None = None
    retry_after: float | None = None
    """Seconds that the reply's body asks to wait, where it has them (the retry policy reads the header)."""
    unbilled: bool | None = None
    """True or False where the provider says whether it charged, None where it doesn't say."""
    request_id: str = ""
    cure: str = ""
    """What to do, where the kind alone doesn't say it."""
    opening: str = ""
    """What happened, where the kind alone doesn't say it: `{label}` and `{status}` are filled in."""
    final: bool = False
    """True where asking again has been tried and can't help, although the kind alone would say that it might."""


def failure(
    fault: Fault, label: str, charged: Charged, *, key_hint: str = "", what: str = "", task: str = "", kept: str = ""
) -> NanoBananaError:
    """The error a user sees for `fault` at the provider called `label`.

    `task` is its number there, which it did not say; `kept` names the file in the results folder that holds its answer.
    """
    said = f' It said: "{_unstopped(fault.message)}".' if fault.message else ""
    said += f" Its task is {task}." if task else ""
    status = f" (HTTP {fault.status})" if fault.status else ""
    if fault.kind == "key" and fault.status == 403:
        what = what or _DENIED
    opening = what or fault.opening or _OPENINGS.get(fault.kind, "{label} could not make the picture{status}.")
    cure = fault.cure or (key_hint if fault.kind == "key" else "") or _CURES.get(fault.kind, "")
    cure = cure.replace("{with_id}", " with the request id" if fault.request_id else "")
    if kept:
        cure = f"{sentence(cure)} {_READ_AGAIN.format(kept=kept)}".strip()
    return CLASS_OF[fault.kind](
        opening.replace("{label}", label).replace("{status}", status) + said,
        cure=cure,
        charged=charged,
        status=fault.status,
        request_id=fault.request_id,
    )


_READ_AGAIN = (
    "The answer is kept in the results folder as {kept}: Read again in the results panel looks into it anew, free, for "
    "example after an update."
)
_DENIED = "{label} denied access{status}: the key isn't allowed to do this, or the account is restricted."
_OPENINGS: dict[Kind, str] = {
    "key": "{label} refused the key{status}: it is wrong, revoked or not allowed to use this API.",
    "credit": "{label} says that the account has no credit left{status}.",
    "quota": "{label} says that the account's quota is used up{status}.",
    "account": "{label} has limited or disabled this account{status}.",
    "region": "{label} is not served where this machine is{status}.",
    "bot_protection": "The bot protection in front of {label} turned the request away{status}; the key was not looked at.",
    "proxy": "The proxy between this machine and {label} turned the request away{status}.",
    "certificate": "The secure connection to {label} could not be made.",
    "rate": "{label} limits how many requests this key may send{status}.",
    "busy": "{label} is overloaded or has no free capacity{status}; the fault is on its side.",
    "content": "{label} declined this prompt or picture for its content{status}.",
    "empty": "{label} answered without a picture{status}.",
    "invalid": "{label} did not accept the request{status}.",
    "model": "{label} does not know this model or address{status}.",
    "server": "{label} failed{status}; the fault is on its side.",
    "unreadable": "{label} answered something that is not the API's JSON{status}.",
    "task": "{label} could not finish the task{status}.",
    "task_lost": "{label} accepted the task and does not know it any more{status}.",
    "download": "{label} no longer has the finished picture{status}.",
    "too_large": "{label} found the request too large{status}.",
}


def _unstopped(words: str) -> str:
    """A provider's words without their full stop, which the quotation supplies; an ellipsis stays."""
    return words if words.endswith("..") else words.removesuffix(".")
