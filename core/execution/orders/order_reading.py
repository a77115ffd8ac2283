"""Reads the kept answer to one picture of an order once more. Free: nothing is sent but what fetches a finished picture."""

from __future__ import annotations

from ...ledger import Claim
from ...ledger.journal import Journal
from ...planning.plan import Target
from ..call_status import status_of_claim
from ..journaled_call import JournaledCall
from ..provider_cache import ProviderCache
from .order_answers import OrderAnswers
from .order_sender import OrderSender, job_of


class OrderReading(JournaledCall):
    """For a claim with its kept answer. `run` never raises; the outcome has the errors."""

    def __init__(self, claim: Claim, target: Target, ledger: Journal, cache: ProviderCache) -> None:
        super().__init__(target, status_of_claim(claim, target), ledger, cache)
        self._claim, self._status.is_order = claim, True
        self._status.job = job_of(target, claim.model, claim.operation)
        self.stored = 0
        """How many pictures were found in it."""

    def run(self) -> None:
        """Returns when it has ended."""
        sender = None
        try:
            assert self._claim.answer is not None
            sender = OrderSender(self.target, self._key)
            answers = OrderAnswers(self._status.job, self._status, self._journal, self._key, sender)
            answers.read_again(self.numbers[0], self._claim.answer.body)
            self.stored = answers.stored
        except Exception as error:
            self._record_error(error)
        finally:
            if sender is not None:
                sender.transport.close()
            self._key.scrub_outcome(self.outcome)
            # Whoever reads it again sees how it ended; a charge that was in doubt before stays so.
            self._journal.close(run_detached=self._claim.unresolved)
