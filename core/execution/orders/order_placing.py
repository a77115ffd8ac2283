"""Places the orders of one run: all pictures that a provider is asked for, as one order for each model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ...dialects.base.step import Job
from ...errors import Impossible, Stopped
from ...errors.amounts import usd_digits
from ...errors.messages import msg, picture_count
from ...ledger import Claim
from ...planning.plan import Candidate
from ...request import Request
from ..call_monitor import TICK
from ..charge import decide_unstarted_row
from ..image_task import ImageTask
from ..run_state import RunState
from .order import Order, OrderedPicture, OrderRequests

MakeJob = Callable[[Request, int, int], Job]
"""(request, seed, number of pictures) -> what the dialect gets. Encodes the references."""
_ANSWER_MB = {"0.5K": 1, "1K": 4, "2K": 16, "4K": 64}
"""What a picture has at most as base64, by resolution."""


class OrderPlacing:
    """For the pictures that one provider is asked for."""

    def __init__(self, state: RunState, candidate: Candidate) -> None:
        self._state, self._target = state, candidate.target
        self._resolved = state.resolved_by_frame(candidate)

    def resume(self, claims: Sequence[Claim]) -> None:
        """Goes on with orders that no process waits for; the run doesn't wait for them either."""
        services = self._state.services
        for claim in claims:
            target = services.resume(claim.provider, claim.profile, claim.address, claim.model)
            if target is None:  # its key was taken away in this very moment
                services.ledger.mark_failed([each.fingerprint for each in claim.images], decide_unstarted_row, "no key")
            else:
                # From here on its rows are the order's: a run that fails must not take them back.
                self._state.orders.append(services.orders.resume(claim, target))

    def place(self, tasks: Sequence[ImageTask], make_job: MakeJob) -> None:
        """Orders the pictures and waits until it is known whether the provider has taken the orders."""
        by_model: dict[str, list[ImageTask]] = {}
        for task in tasks:
            by_model.setdefault(self._resolved[task.slot.frame].model_id, []).append(task)
        placed = [(self._place(model, group, make_job), group) for model, group in by_model.items()]
        for order, group in placed:
            begun = time.monotonic()
            while not order.settled.wait(TICK):
                if self._state.stopped.is_set():
                    if order.was_sent:
                        break
                    order.poke()  # it ends without sending anything, and not after a pause
            self._report(order, group, time.monotonic() - begun)

    def _place(self, model_id: str, tasks: Sequence[ImageTask], make_job: MakeJob) -> Order:
        resolved = [self._resolved[task.slot.frame] for task in tasks]

        def pictures() -> Iterator[OrderedPicture]:
            uses = Counter(picture for each in resolved for picture in each.references)
            for task, each in zip(tasks, resolved, strict=True):
                job = make_job(task.request, task.slot.seed, 1)
                yield OrderedPicture(job, [picture.digest for picture in each.references])
                for picture in each.references:
                    uses[picture] -= 1
                    if not uses[picture]:
                        picture.unload()

        requests = OrderRequests(
            model_id,
            tasks[0].request.operation,
            [task.fingerprint for task in tasks],
            pictures,
            sum(_ANSWER_MB.get(each.resolution, 4) for each in resolved) << 20,
            self._state.stopped.is_set,
        )
        # Known to the run before it is sent: a run that is stopped at that moment counts it.
        return self._state.services.orders.place(self._target, requests, self._state.orders.append)

    def _report(self, order: Order, tasks: Sequence[ImageTask], seconds: float) -> None:
        """Writes what became of an order into its pictures and the report."""
        report = self._state.report
        if not order.was_accepted and order.done.is_set():
            for number, task in enumerate(tasks):
                error = order.outcome.error_of(number) or Stopped(msg("provider_attempt.not_sent_run_stopped"))
                task.fail(error, order.outcome.uids.get(number, ""))
            return
        usd: float | None = 0.0
        for task in tasks:
            task.order = order.id
            each = self._resolved[task.slot.frame].usd
            report.add_cost(None, each, 1, task.slot.frame)
            usd = None if usd is None or each is None else usd + each
        report.add_request(order.id, seconds, 1, tasks[0].slot.frame)
        report.add_notices([self._notice(len(tasks), usd)])

    def _notice(self, pictures: int, usd: float | None) -> str:
        api = self._target.spec.batch
        hours = api.hours if api else 24
        count = picture_count(pictures)
        if usd is None:
            return msg("order.placed_unpriced", count=count, provider=self._target.spec.label, hours=hours)
        amount = f"${usd_digits(usd)}"
        return msg("order.placed", count=count, usd=amount, provider=self._target.spec.label, hours=hours)


def is_ordered_error(label: str) -> Impossible:
    """A picture is asked for at once that is in an order already."""
    return Impossible(
        msg("order.is_ordered_already", provider=label),
        cure=msg("order.cancel_it_first"),
        # No other provider may be asked for it: it would be paid twice.
        charged="maybe",
        money=msg("order.is_paid_once_made"),
    )
