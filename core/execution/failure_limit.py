"""Stops sending to a provider when the remaining calls would fail like those before."""

from __future__ import annotations

import threading
import time

from ..errors import NanoBananaError
from ..planning.plan import Target
from ..planning.successor import has_successor, is_unknown_model
from .call import Call
from .charge import ABOUT_THE_CALLER

FAILURES_IN_A_ROW = 3
WAITED_FOR = frozenset({"rate", "busy"})
"""Kinds of refusals after which a call waits and tries again."""
_SHARED = ABOUT_THE_CALLER | {"account", "config", "address"}
"""Kinds of failures that every other call at the provider would have, too."""


class FailureLimit:
    """Looks at each call that ends. `reached` once the rest need not be sent; `cause` is the failure that decided it."""

    def __init__(self, target: Target, has_alternative: bool) -> None:
        """`has_alternative`: another provider can do the requests if `target` refuses them."""
        self._target, self._has_alternative = target, has_alternative
        self._lock = threading.Lock()
        self._failed_at: list[float] = []
        """Clocks of the free failures in a row."""
        self.cause: NanoBananaError | None = None

    @property
    def reached(self) -> bool:
        return self.cause is not None

    def observe(self, call: Call) -> None:
        """Called on the call's own thread when it has ended, before the next one in line may begin.

        One whose answer was complete earlier counts from then on: calls that have failed since began behind it.
        """
        error = call.outcome.first_error
        if error is not None and error.kind == "stopped":
            return
        with self._lock:
            if error and error.charged == "no":
                self._failed_at.append(time.monotonic())
            else:
                answered_at = call.answered_at
                self._failed_at = [each for each in self._failed_at if answered_at is not None and each > answered_at]
            if error and (self._is_shared(error) or len(self._failed_at) >= FAILURES_IN_A_ROW):
                self.cause = self.cause or error

    def _is_shared(self, error: NanoBananaError) -> bool:
        # One call waits for the refusals of its key on behalf of all: the others would wait as long again.
        refused = error.kind in WAITED_FOR and error.charged == "no"
        return (
            error.kind in _SHARED
            or (refused and self._has_alternative)
            or (is_unknown_model(error) and has_successor(self._target))
        )
