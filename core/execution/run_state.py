"""What the parts of one run share: its services, its pictures and its report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..images.picture import hash_pixels
from ..ledger import RunContext
from ..ledger.journal import Journal
from ..planning.negotiate import ResolvedRequest
from ..planning.plan import Candidate, Plan, Target
from ..request import Request
from .attempt import Attempt, Attempted
from .concurrency import ConcurrencyLimiter
from .image_task import ImageTask
from .orders.order import Order
from .orders.order_book import OrderBook
from .provider_cache import ProviderCache
from .report import Report

Resume = Callable[[str, str, str, str], "Target | None"]
"""(provider, profile, address, wire model) -> the target that can go on with a call made there; None without its key."""


@dataclass(frozen=True)
class RunServices:
    """What all runs of a process share."""

    ledger: Journal
    limiter: ConcurrencyLimiter
    cache: ProviderCache
    resume: Resume
    orders: OrderBook


class RunState:
    """Pictures, report and stop flag of one run. The node's thread reads it while the run's thread writes it."""

    def __init__(
        self,
        requests: Sequence[Request],
        plan: Plan,
        services: RunServices,
        context: RunContext,
        reference_format: str = "auto",
        wants_drafts: bool = False,
    ) -> None:
        self.requests, self.plan, self.services, self.context = tuple(requests), plan, services, context
        self.reference_format, self.wants_drafts = reference_format, wants_drafts
        self.tasks = [ImageTask(slot, request) for request in requests for slot in request.slots()]
        self.report = Report(self.tasks, notices=list(plan.notices))
        self.stopped = threading.Event()
        """Set once nothing more may be sent."""
        self.candidates = plan.chain
        """Every provider that may have made one of the pictures; grows when a successor of a model is asked."""
        self.asked: Candidate | None = None
        """The provider that is asked now, or was asked last."""
        self.orders: list[Order] = []
        """The orders that this run has placed."""
        self.unresolved: list[str] = []
        """Journal ids of pictures that may have been paid, which the report asks the user about."""

    @property
    def shown(self) -> Candidate | None:
        """The provider that progress is shown for: the one that is asked, before that the first of the plan."""
        return self.asked or (self.plan.targets[0] if self.plan.targets else None)

    @property
    def sendable(self) -> list[ImageTask]:
        """Pictures that are missing and may be asked for without paying twice."""
        return [task for task in self.tasks if task.sendable]

    def resolved_by_frame(self, candidate: Candidate) -> dict[int, ResolvedRequest]:
        pairs = zip(self.requests, candidate.resolved, strict=True)
        return {request.frame: resolved for request, resolved in pairs}

    def compute_fingerprints(self) -> None:
        """Slow the first time, because the references' pixels are hashed."""
        resolved = [each for candidate in self.candidates for each in candidate.resolved]
        hash_pixels([picture for each in resolved for picture in each.all_references])
        for candidate in self.candidates:
            self._add_fingerprints(candidate)

    def add_candidate(self, candidate: Candidate) -> None:
        """From here on a picture that `candidate` has made is one of those that the run looks for in the store."""
        self.candidates = (*self.candidates, candidate)
        self._add_fingerprints(candidate)

    def _add_fingerprints(self, candidate: Candidate) -> None:
        resolved = self.resolved_by_frame(candidate)
        for task in self.tasks:
            more = resolved[task.slot.frame].all_fingerprints(task.request, task.slot)
            task.resolved = {**dict.fromkeys(more, resolved[task.slot.frame]), **task.resolved}
            task.fingerprints = tuple(dict.fromkeys((*task.fingerprints, *more)))
            if self.plan.delivery == "batch":  # a thousand frames must not be in memory a second time
                for picture in resolved[task.slot.frame].references:
                    picture.unload()

    def add_attempt(self, candidate: Candidate, tasks: Sequence[ImageTask], *, listed: bool = True) -> None:
        """Reports how `tasks` stand after `candidate`: each has a result of it, or an error. `listed`: it counts as tried."""
        target, resolved = candidate
        by_frame = self.resolved_by_frame(candidate)
        pictures = [
            Attempted(
                task.slot.frame,
                by_frame[task.slot.frame].resolution,
                None if task.result else task.error,
                bool(task.order),
            )
            for task in tasks
        ]
        attempt = Attempt(target.spec.id, target.model.name, resolved[0].model_id, tuple(pictures), listed)
        self.report.attempts.append(attempt)
