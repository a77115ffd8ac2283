"""What a call and an order share: a status that others may read, an entry in the journal, and an end that names its error."""

from __future__ import annotations

import logging
import traceback

from ..errors import NanoBananaError
from ..ledger.journal import Journal
from ..planning.plan import Target
from .call_journal import CallJournal
from .call_key import CallKey
from .call_status import CallStatus, Phase
from .charge import Misconfigured, PackFailed
from .failure_messages import FailureMessages
from .outcome import Outcome
from .provider_cache import ProviderCache

log = logging.getLogger("nano_banana")


class JournaledCall:
    """Its status is written on its own thread only; the properties are for others."""

    def __init__(self, target: Target, status: CallStatus, ledger: Journal, cache: ProviderCache) -> None:
        self.target, self._status = target, status
        self._messages = FailureMessages(target)
        self._key = CallKey(target, cache.tokens)
        self._journal = CallJournal(ledger, status, self._key)

    @property
    def id(self) -> str:
        return self._status.id

    @property
    def fingerprints(self) -> list[str]:
        return self._status.fingerprints

    @property
    def numbers(self) -> list[int]:
        return self._status.numbers

    @property
    def outcome(self) -> Outcome:
        return self._status.outcome

    @property
    def phase(self) -> Phase:
        return self._status.phase

    @property
    def progress(self) -> str:
        """The provider's own word for how far it is."""
        return self._status.progress

    @property
    def bytes_sent(self) -> tuple[int, int]:
        return self._status.bytes_sent

    @property
    def maybe_paid(self) -> bool:
        """Whether the provider may have the paid request: from here on it is not taken back."""
        return self._status.maybe_paid

    def _record_error(self, error: Exception) -> None:
        """Writes what has ended it into the outcome. Call it while the exception is handled: its trace is logged.

        A bug of ours must not end the run, nor hide that money may be gone.
        """
        status = self._status
        if isinstance(error, NanoBananaError):
            error.charged = status.advance(Misconfigured())  # unless something else has ended it before
            status.outcome.error = self._key.scrub_error(error)
            return
        # Not with exc_info: an exception may hold what the provider said.
        trace = self._key.scrub_text(traceback.format_exc())
        log.error("a call to %s failed inside the pack\n%s", self.target.spec.id, trace)
        status.outcome.error = self._messages.pack_failed(error, status.advance(PackFailed()))
