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
    Incomplete,
    Kind,
    NanoBananaError,
    PackBug,
    ProviderFailure,
    Stopped,
    provider_error,
)
from ..errors.messages import concat, msg
from ..http.download import DownloadFailed
from ..http.failures import RequestFailed
from ..keys.sources import variables
from ..planning.plan import Target
from ..redaction.text import public_url
from . import retry_policy

_NEVER_FETCHED = msg("failure.use_base64_or_another_provider")
_TOO_LONG = msg("failure.ask_for_fewer_pictures")
_TOO_LARGE = msg("failure.open_file_or_ask_smaller")


@dataclass(frozen=True)
class FailureMessages:
    """The messages about what goes wrong with one provider."""

    target: Target

    @property
    def label(self) -> str:
        return self.target.spec.label

    def error(
        self, failure: ProviderFailure, charged: Charged, task: str = "", kept: Path | None = None
    ) -> NanoBananaError:
        """What a reply said, or what kept it from coming.

        `task` is its number at the provider, `kept` the file that holds the answer in which no picture could be read.
        """
        spec = self.target.spec
        key_source = self.target.key.source if self.target.key else variables(spec, self.target.profile)[0]
        hint = msg("failure.check_key", key_source=key_source, provider=spec.label)
        name = f"{kept.parent.name}/{kept.name}" if kept else ""
        return provider_error(failure, spec.label, charged, key_hint=hint, task=task, kept=name)

    def too_long(self, why: str, charged: Charged, task: str, kept: Path | None) -> NanoBananaError:
        """An answer that was not read to its end. `task`: the provider's id of what it accepted before; it is asked for
        again by the next run."""
        what = msg("failure.answer_not_read", provider=self.label, why=why)
        cure = msg("failure.queue_again_without_paying") if task else ""
        name = f"{kept.parent.name}/{kept.name}" if kept else ""
        return provider_error(
            ProviderFailure("unreadable", cure=cure or _TOO_LONG), self.label, charged, what=what, task=task, kept=name
        )

    def not_sent(self) -> Stopped:
        return Stopped(msg("failure.not_sent_run_ended"))

    def unreachable(self, broken: RequestFailed, charged: Charged) -> NanoBananaError:
        """It never arrived."""
        what = msg("failure.provider_not_reached", provider=self.label, why=broken.why)
        return provider_error(ProviderFailure(broken.kind, cure=broken.cure), self.label, charged, what=what)

    def answer_lost(self, broken: RequestFailed, charged: Charged) -> NanoBananaError:
        """It arrived, or may have."""
        unread = broken.kind == "unreadable"
        lacking = msg("failure.answer_cannot_be_read") if unread else msg("failure.no_answer")
        what = msg("failure.answer_lost_after_sending", provider=self.label, lacking=lacking, why=broken.why)
        kind: Kind = "timeout" if broken.timed_out else "unreadable" if unread else "network"
        return provider_error(ProviderFailure(kind), self.label, charged, what=what)

    def task_lost(self, task: str, broken: RequestFailed, charged: Charged) -> NanoBananaError:
        what = msg("failure.task_not_followed", provider=self.label, task=task, why=broken.why)
        return provider_error(ProviderFailure(broken.kind, cure=broken.cure), self.label, charged, what=what)

    def out_of_time(self, task: str, charged: Charged) -> NanoBananaError:
        """`task` is empty where the provider has named none."""
        named = msg("failure.with_task", task=task) if task else ""
        what = msg("failure.not_finished_in_time", provider=self.label, named=named)
        return provider_error(ProviderFailure("timeout"), self.label, charged, what=what)

    def unsafe_address(self, why: str, charged: Charged) -> NanoBananaError:
        """An address that must not be asked."""
        cure = msg("failure.check_provider_address")
        return self.error(ProviderFailure("address", why, cure=cure), charged)

    def redirected(self, reply: Reply, charged: Charged) -> AddressRefused:
        where = public_url(reply.headers.get("location", "")) or msg("failure.another_address")
        return AddressRefused(
            msg("failure.redirect_refused_for_key", provider=self.label, where=where),
            cure=msg("failure.set_right_base_url"),
            charged=charged,
            status=reply.status,
        )

    def images_lacking(self, came: int, asked: int, charged: Charged) -> NanoBananaError:
        """Fewer pictures than were asked for, in an answer without an error."""
        return Incomplete(
            msg("failure.fewer_pictures_than_asked", provider=self.label, came=came, asked=asked),
            charged=charged,
            cure=msg("failure.queue_again_for_missing"),
        )

    def not_downloaded(self, error: DownloadFailed, url: str, task: str, charged: Charged) -> NanoBananaError:
        """A finished picture that its address doesn't give."""
        where = msg("failure.from_address", url=public_url(url))
        if task:
            where = msg("failure.from_address_of_task", url=public_url(url), task=task)
        if error.forbidden:
            names = msg("failure.address_is_internal") if error.private else msg("failure.address_leads_nowhere")
            what = msg("failure.picture_at_unusable_address", provider=self.label, names=names, error=error)
            return provider_error(
                ProviderFailure("download", cure=_NEVER_FETCHED), self.label, charged, what=what, task=task
            )
        what = msg("failure.picture_unreadable", where=where, error=error)
        return provider_error(ProviderFailure("download", cure=error.cure), self.label, charged, what=what)

    def not_an_image(self, why: str, url: str, kept: Path | None, charged: Charged) -> NanoBananaError:
        """Bytes that are no picture; `kept` is where they are."""
        where = concat(" ", msg("failure.from_address", url=public_url(url))) if url else ""
        bytes_are = msg("failure.bytes_kept_in_data_folder", parent=kept.parent.name, kept=kept.name) if kept else ""
        what = msg("failure.picture_unreadable_bytes_kept", where=where, why=why, bytes_are=bytes_are)
        return provider_error(ProviderFailure("download" if url else "picture"), self.label, charged, what=what)

    def pack_failed(self, error: Exception, charged: Charged) -> NanoBananaError:
        return PackBug(
            msg("failure.pack_itself_failed", name=type(error).__name__),
            charged=charged,
            cure=msg("failure.report_with_log"),
        )


def too_large(label: str, why: str, file: str, charged: Charged) -> NanoBananaError:
    """A picture that is kept in the results folder as `file` and is too large to be decoded."""
    where = msg("failure.bytes_kept_in_results", folder=file[:2], file=file)
    what = msg("failure.picture_too_large_to_decode", why=why, where=where)
    return provider_error(ProviderFailure("picture", cure=_TOO_LARGE), label, charged, what=what)


def with_hint(failure: ProviderFailure, wait: float | None) -> ProviderFailure:
    """A failure of a free step with the wait that the provider asks for, in seconds, where that is longer than one waits."""
    return failure if wait is None or wait <= retry_policy.LONGEST_WAIT else _asks_to_wait(failure, wait)


def after_waiting(failure: ProviderFailure, stop: retry_policy.GiveUp, waited: float) -> ProviderFailure:
    """A refusal before work that is not waited for any longer: after `waited` seconds, or since it asks for too many."""
    if stop.wait is not None:
        return _asks_to_wait(failure, stop.wait)
    if waited < 1:
        return failure
    later = (
        msg("failure.queue_again_in_minutes")
        if failure.kind == "busy"
        else msg("failure.queue_later_or_fewer_parallel")
    )
    return replace(
        failure,
        cure=msg("failure.waited_long_enough", waited=retry_policy.format_seconds(waited), later=later),
    )


def _asks_to_wait(failure: ProviderFailure, wait: float) -> ProviderFailure:
    return replace(
        failure,
        cure=msg("failure.asks_to_wait", wait=retry_policy.format_seconds(wait)),
    )
