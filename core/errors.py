"""Everything that can go wrong, as a user reads it.

    NanoBananaError
     ├─ ConfigError      a key, a setting or an address on this machine is missing or wrong
     │   ├─ LedgerFailed the journal or the results can't be read or written
     │   └─ OverCap      it would pass a spending cap
     ├─ Impossible       the request can't be done as asked; found before anything was sent
     ├─ KeyRefused       the provider doesn't accept the key
     ├─ NoCredit         the account has no money or no quota left
     ├─ RateLimited      the provider asks for a longer wait than the run can afford
     ├─ Refused          the provider or the model declined this content
     ├─ ProviderFault    the provider failed, or answered something unreadable
     ├─ NetworkError     the connection to the provider failed
     ├─ Unresolved       an earlier request for it may have been paid; asked about before it is paid again
     └─ Stopped          nothing failed: the user interrupted, or an earlier failure made sending pointless

These are the names that ComfyUI shows and that scripts compare. A class below one of them (`QuotaExhausted` below
`NoCredit`) differs in `kind` alone and is shown under the name above it (`shown_as`).

Every error says what happened, whose fault it is, whether it cost money and what to do. `charged` carries the money as
data: "no" (surely nothing), "maybe" (the provider may have billed it) or "yes" (the provider billed it). Whether a step
is sent again is not decided here but in `execution.retry_policy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Charged = Literal["no", "maybe", "yes"]

Kind = Literal[
    "config",
    "impossible",
    "key",
    "credit",
    "quota",
    "account",
    "region",
    "bot_protection",
    "proxy",
    "certificate",
    "rate",
    "busy",
    "content",
    "invalid",
    "model",
    "server",
    "unreadable",
    "empty",
    "task",
    "task_lost",
    "network",
    "timeout",
    "too_large",
    "address",
    "download",
    "picture",
    "stopped",
    "ledger",
    "cap",
    "doubt",
]
"""What kind of failure it is; the retry policy and the run decide by it, never by the text."""

MONEY: dict[Charged, str] = {
    "no": "Nothing was charged.",
    "maybe": "The provider may have charged for it.",
    "yes": "The provider has charged for it.",
}


class NanoBananaError(Exception):
    """A failure in words for the user.

    `what` is one or two sentences on what happened and whose fault it is, `cure` what to do about it. The text shown is
    what + money + cure. The kind of failure is the class's.
    """

    kind: ClassVar[Kind]

    def __init_subclass__(cls, *, shown_as: str = "") -> None:
        """`shown_as`: the class name that ComfyUI shows and scripts compare; the class's own where it is empty."""
        # ComfyUI shows module + name of an exception; the real module is the pack's path on the user's disk.
        cls.__module__ = "NanoBanana"
        cls.__qualname__ = shown_as or cls.__name__

    def __init__(
        self,
        what: str,
        *,
        cure: str = "",
        charged: Charged = "no",
        status: int | None = None,
        request_id: str = "",
        money: str = "",
    ) -> None:
        self.what = _sentence(what)
        self.cure = _sentence(cure)
        self.charged: Charged = charged
        self.status = status
        self.request_id = request_id
        self._money = money
        super().__init__(self.message)

    @property
    def money(self) -> str:
        """The sentence about the bill: the one that was given, or that of the current `charged`."""
        return self._money or MONEY[self.charged]

    @property
    def message(self) -> str:
        """The whole text for the user."""
        named = f"Request id: {self.request_id}." if self.request_id else ""
        return " ".join(part for part in (self.what, self.money, self.cure, named) if part)

    @property
    def reason(self) -> str:
        """What happened in one line, without the advice: for `info` and logs."""
        return self.what

    def __str__(self) -> str:
        return self.message


NanoBananaError.__module__ = "NanoBanana"


class ConfigError(NanoBananaError):
    """A key, a setting or an address on this machine is missing or wrong."""

    kind: ClassVar[Kind] = "config"


class AddressRefused(ConfigError, shown_as="ConfigError"):
    """An address that no request may be sent to."""

    kind: ClassVar[Kind] = "address"


class LedgerFailed(ConfigError):
    """The journal or the results on this machine can't be read or written."""

    kind: ClassVar[Kind] = "ledger"


class OverCap(ConfigError):
    """The request would pass a spending cap; nothing was sent."""

    kind: ClassVar[Kind] = "cap"


class Impossible(NanoBananaError):
    """The request can't be done as asked; nothing was sent."""

    kind: ClassVar[Kind] = "impossible"


class InvalidRequest(Impossible, shown_as="Impossible"):
    """The provider did not accept the request."""

    kind: ClassVar[Kind] = "invalid"


class ModelNotFound(Impossible, shown_as="Impossible"):
    """The provider does not know the model or the path."""

    kind: ClassVar[Kind] = "model"


class RequestTooLarge(Impossible, shown_as="Impossible"):
    """The provider found the request too large."""

    kind: ClassVar[Kind] = "too_large"


class KeyRefused(NanoBananaError):
    """The provider doesn't accept the key."""

    kind: ClassVar[Kind] = "key"


class AccountDisabled(KeyRefused, shown_as="KeyRefused"):
    """The provider has limited or disabled the account."""

    kind: ClassVar[Kind] = "account"


class NoCredit(NanoBananaError):
    """The account at the provider has no money left."""

    kind: ClassVar[Kind] = "credit"


class QuotaExhausted(NoCredit, shown_as="NoCredit"):
    """The account's quota at the provider is used up."""

    kind: ClassVar[Kind] = "quota"


class RateLimited(NanoBananaError):
    """The provider asks for a longer wait than the run can afford."""

    kind: ClassVar[Kind] = "rate"


class Refused(NanoBananaError):
    """The provider or the model declined this content."""

    kind: ClassVar[Kind] = "content"


class NoImage(Refused, shown_as="Refused"):
    """The provider answered without a picture."""

    kind: ClassVar[Kind] = "empty"


class ProviderFault(NanoBananaError):
    """The provider failed."""

    kind: ClassVar[Kind] = "server"


class Overloaded(ProviderFault, shown_as="ProviderFault"):
    """The provider has no free capacity."""

    kind: ClassVar[Kind] = "busy"


class Unreadable(ProviderFault, shown_as="ProviderFault"):
    """The provider answered something that can't be read."""

    kind: ClassVar[Kind] = "unreadable"


class TaskFailed(ProviderFault, shown_as="ProviderFault"):
    """The provider could not finish the task."""

    kind: ClassVar[Kind] = "task"


class TaskLost(ProviderFault, shown_as="ProviderFault"):
    """The provider accepted the task and does not know it any more."""

    kind: ClassVar[Kind] = "task_lost"


class BadPicture(ProviderFault, shown_as="ProviderFault"):
    """The provider's result is no picture that can be decoded."""

    kind: ClassVar[Kind] = "picture"


class NetworkError(NanoBananaError):
    """The connection to the provider failed."""

    kind: ClassVar[Kind] = "network"


class TimedOut(NetworkError, shown_as="NetworkError"):
    """The answer did not come in time."""

    kind: ClassVar[Kind] = "timeout"


class DownloadError(NetworkError, shown_as="NetworkError"):
    """A finished picture could not be downloaded."""

    kind: ClassVar[Kind] = "download"


class RegionBlocked(NetworkError, shown_as="NetworkError"):
    """The provider is not served where this machine is."""

    kind: ClassVar[Kind] = "region"


class BotProtection(NetworkError, shown_as="NetworkError"):
    """The bot protection in front of the provider turned the request away."""

    kind: ClassVar[Kind] = "bot_protection"


class ProxyError(NetworkError, shown_as="NetworkError"):
    """The proxy turned the request away."""

    kind: ClassVar[Kind] = "proxy"


class CertificateError(NetworkError, shown_as="NetworkError"):
    """The certificate of the connection could not be verified."""

    kind: ClassVar[Kind] = "certificate"


class Stopped(NanoBananaError):
    """Nothing failed: the picture was not asked for, because the run ended before its turn."""

    kind: ClassVar[Kind] = "stopped"


class Unresolved(NanoBananaError):
    """An earlier request for the same picture may have been paid: the user has to say that it may be paid again."""

    kind: ClassVar[Kind] = "doubt"


class Incomplete(NanoBananaError, shown_as="NanoBananaError"):
    """The provider gave fewer pictures than were asked for."""

    kind: ClassVar[Kind] = "empty"


class PackBug(NanoBananaError, shown_as="NanoBananaError"):
    """The pack itself failed."""

    kind: ClassVar[Kind] = "server"


_CLASSES: dict[Kind, type[NanoBananaError]] = {
    cls.kind: cls
    for cls in (
        ConfigError,
        AddressRefused,
        LedgerFailed,
        OverCap,
        Impossible,
        InvalidRequest,
        ModelNotFound,
        RequestTooLarge,
        KeyRefused,
        AccountDisabled,
        NoCredit,
        QuotaExhausted,
        RateLimited,
        Refused,
        NoImage,
        ProviderFault,
        Overloaded,
        Unreadable,
        TaskFailed,
        TaskLost,
        BadPicture,
        NetworkError,
        TimedOut,
        DownloadError,
        RegionBlocked,
        BotProtection,
        ProxyError,
        CertificateError,
        Stopped,
        Unresolved,
    )
}
"""The class that a fault of each kind is raised as."""

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
        cure = f"{_sentence(cure)} {_READ_AGAIN.format(kept=kept)}".strip()
    return _CLASSES[fault.kind](
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


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in '.!?"' or text.endswith(".'") else text + "."
