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

from typing import ClassVar, Literal

from .messages import joined, msg

Charged = Literal["no", "maybe", "yes"]

Kind = Literal[
    "config",
    "impossible",
    "input",
    "mask",
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

MONEY: dict[Charged, str] = {"no": msg("money.no"), "maybe": msg("money.maybe"), "yes": msg("money.yes")}


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
        self.what = sentence(what)
        self.cure = sentence(cure)
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
        named = msg("error.request_id", request_id=self.request_id) if self.request_id else ""
        return joined(self.what, self.money, self.cure, named)

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


class JournalAway(LedgerFailed, shown_as="LedgerFailed"):
    """The server with the journal doesn't answer now; nothing is sent until it does."""


class ResultsAway(LedgerFailed, shown_as="LedgerFailed"):
    """The bucket with the results doesn't answer now; nothing is sent until it does."""


class OverCap(ConfigError):
    """The request would pass a spending cap; nothing was sent."""

    kind: ClassVar[Kind] = "cap"


class Impossible(NanoBananaError):
    """The request can't be done as asked; nothing was sent."""

    kind: ClassVar[Kind] = "impossible"


class InvalidInput(Impossible, shown_as="Impossible"):
    """What is given to a node is wrong, whichever provider were asked."""

    kind: ClassVar[Kind] = "input"


class EmptyMask(InvalidInput, shown_as="Impossible"):
    """Nothing is painted in the mask of an edit."""

    kind: ClassVar[Kind] = "mask"


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


CLASS_OF: dict[Kind, type[NanoBananaError]] = {
    cls.kind: cls
    for cls in (
        ConfigError,
        AddressRefused,
        LedgerFailed,
        OverCap,
        Impossible,
        InvalidInput,
        EmptyMask,
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
"""The class that a failure of each kind is raised as."""


def sentence(text: str) -> str:
    """`text` with a full stop where it has none."""
    if text != text.strip():
        text = text.strip()
    return text if not text or text[-1] in '.!?"' or text.endswith(".'") else text + "."
