"""The errors of a call, as its user reads them: what happened, whose fault it is, whether it cost money, what to do.

Text only. What a failure means for the money is decided by `charge`, what it means for the next try by `retry_policy`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..dialects.base.step import Reply
from ..errors import (
    AddressRefused,
    Charged,
    Fault,
    Incomplete,
    Kind,
    NanoBananaError,
    PackBug,
    Stopped,
    failure,
)
from ..http.download import DownloadFailed
from ..http.failures import RequestFailed
from ..keys.sources import variables
from ..planning.plan import Target
from ..redaction.text import public_url
from . import retry_policy

_NEVER_FETCHED = (
    "It can't be fetched from here, and asking again won't change that: have this provider answer with base64 where its "
    "API has that (constants: {response_format: b64_json} in providers.yaml), or choose another and tell this one"
)
_TOO_LONG = (
    "Ask for fewer or smaller pictures at once; whether it was charged stands on the provider's own page of usage"
)
_TOO_LARGE = (
    "Open the file in an image editor, or ask for a smaller picture: queueing the same request again pays nothing and "
    "finds this file"
)


@dataclass(frozen=True)
class FailureMessages:
    """The messages about what goes wrong with one provider."""

    target: Target

    @property
    def label(self) -> str:
        return self.target.spec.label

    def error(self, fault: Fault, charged: Charged, task: str = "", kept: Path | None = None) -> NanoBananaError:
        """What a reply said, or what kept it from coming.

        `task` is its number at the provider, `kept` the file that holds the answer in which no picture could be read.
        """
        spec = self.target.spec
        place = self.target.key.source if self.target.key else variables(spec, self.target.profile)[0]
        hint = f"Check the key in {place}: it has to be valid for {spec.label} and allowed to make images"
        name = f"{kept.parent.name}/{kept.name}" if kept else ""
        return failure(fault, spec.label, charged, key_hint=hint, task=task, kept=name)

    def too_long(self, why: str, charged: Charged, task: str, kept: Path | None) -> NanoBananaError:
        """An answer that was not read to its end. `task`: the provider's id of what it accepted before; it is asked for
        again by the next run."""
        what = f"{self.label} sent an answer that was not read: {why}"
        cure = "Queueing again asks for it anew, without paying again" if task else ""
        name = f"{kept.parent.name}/{kept.name}" if kept else ""
        return failure(
            Fault("unreadable", cure=cure or _TOO_LONG), self.label, charged, what=what, task=task, kept=name
        )

    def not_sent(self) -> Stopped:
        return Stopped("It was not sent: the run ended before its turn")

    def unreachable(self, broken: RequestFailed, charged: Charged) -> NanoBananaError:
        """It never arrived."""
        what = f"{self.label} could not be reached: {broken.why}"
        return failure(Fault(broken.kind, cure=broken.cure), self.label, charged, what=what)

    def answer_lost(self, broken: RequestFailed, charged: Charged) -> NanoBananaError:
        """It arrived, or may have."""
        unread = broken.kind == "unreadable"
        lacking = "its answer can't be read" if unread else "no answer came back"
        what = f"The request reached {self.label}, but {lacking}: {broken.why}"
        kind: Kind = "timeout" if broken.timed_out else "unreadable" if unread else "network"
        return failure(Fault(kind), self.label, charged, what=what)

    def task_lost(self, task: str, broken: RequestFailed, charged: Charged) -> NanoBananaError:
        what = f"{self.label} took the task {task}, but it could not be followed: {broken.why}"
        return failure(Fault(broken.kind, cure=broken.cure), self.label, charged, what=what)

    def out_of_time(self, task: str, charged: Charged) -> NanoBananaError:
        """`task` is empty where the provider has named none."""
        named = f" with the task {task}" if task else ""
        what = f"{self.label} has not finished{named} in time"
        return failure(Fault("timeout"), self.label, charged, what=what)

    def unsafe_address(self, why: str, charged: Charged) -> NanoBananaError:
        """An address that must not be asked."""
        cure = "Check the provider's address; nothing in your network is asked for a provider"
        return self.error(Fault("address", why, cure=cure), charged)

    def redirected(self, reply: Reply, charged: Charged) -> AddressRefused:
        where = public_url(reply.headers.get("location", "")) or "another address"
        return AddressRefused(
            f"{self.label} sends requests on to {where}, and a key is never sent along",
            cure="If that is the provider's right address, set it as its base URL",
            charged=charged,
            status=reply.status,
        )

    def images_lacking(self, came: int, asked: int, charged: Charged) -> NanoBananaError:
        """Fewer pictures than were asked for, in an answer without an error."""
        return Incomplete(
            f"{self.label} gave {came} of {asked} pictures",
            charged=charged,
            cure="Queue again: only what is missing is asked for",
        )

    def not_downloaded(self, error: DownloadFailed, url: str, task: str, charged: Charged) -> NanoBananaError:
        """A finished picture that its address doesn't give."""
        where = f"from {public_url(url)}" + (f" (task {task})" if task else "")
        if error.forbidden:
            names = "an address inside itself" if error.private else "an address that leads nowhere"
            what = f"{self.label} has finished a picture, but its server names {names} for it: {error}"
            return failure(Fault("download", cure=_NEVER_FETCHED), self.label, charged, what=what, task=task)
        what = f"A finished picture {where} could not be read: {error}"
        return failure(Fault("download", cure=error.cure), self.label, charged, what=what)

    def not_an_image(self, why: str, url: str, kept: Path | None, charged: Charged) -> NanoBananaError:
        """Bytes that are no picture; `kept` is where they are."""
        where = f" from {public_url(url)}" if url else ""
        bytes_are = f". Its bytes are kept in the pack's data folder as {kept.parent.name}/{kept.name}" if kept else ""
        what = f"A finished picture{where} could not be read: {why}{bytes_are}"
        return failure(Fault("download" if url else "picture"), self.label, charged, what=what)

    def pack_failed(self, error: Exception, charged: Charged) -> NanoBananaError:
        return PackBug(
            f"The pack itself failed ({type(error).__name__})",
            charged=charged,
            cure="Please report this with the lines in ComfyUI's log",
        )


def too_large(label: str, why: str, file: str, charged: Charged) -> NanoBananaError:
    """A picture that is kept in the results folder as `file` and is too large to be decoded."""
    where = f"Its bytes are kept in the results folder as {file[:2]}/{file}"
    what = f"A finished picture is too large to be decoded here: {why}. {where}"
    return failure(Fault("picture", cure=_TOO_LARGE), label, charged, what=what)


def with_hint(fault: Fault, wait: float | None) -> Fault:
    """A fault of a free step with the wait that the provider asks for, in seconds, where that is longer than one waits."""
    return fault if wait is None or wait <= retry_policy.LONGEST_WAIT else _asks_to_wait(fault, wait)


def after_waiting(fault: Fault, stop: retry_policy.GiveUp, waited: float) -> Fault:
    """A refusal before work that is not waited for any longer: after `waited` seconds, or since it asks for too many."""
    if stop.wait is not None:
        return _asks_to_wait(fault, stop.wait)
    if waited < 1:
        return fault
    later = "queue again in a few minutes" if fault.kind == "busy" else "queue again later, lower max_parallel"
    return replace(
        fault,
        cure=f"It was waited for {retry_policy.format_seconds(waited)}: {later}, raise the timeout in ProviderConfig, or "
        "choose another provider",
    )


def _asks_to_wait(fault: Fault, wait: float) -> Fault:
    return replace(
        fault,
        cure=f"It asks to wait {retry_policy.format_seconds(wait)}: queue again after that, or choose another provider",
    )
