"""The skeleton of every dialect: which hook reads which answer.

A dialect's own file has the hooks; those that a provider has no use for stay as they are here.
"""

from __future__ import annotations

from typing import Any

from ...errors import ProviderFailure
from ...errors.messages import msg
from ...providers.spec import ReferenceEncoding
from ..parsing.error_codes import NO_CODES, Codes
from ..parsing.error_parsing import failure_of, unreadable
from ..parsing.reading import NotJson, read_object
from .step import Failed, Job, Reply, Send, State, Step
from .uploads import NewUpload

UPLOAD_STEPS = frozenset({"upload", "announce", "ticket", "put", "confirm", "processing"})
"""Values of a state's `at` for the free requests that come before the paid one."""


class BaseDialect:
    """A dialect whose provider answers the paid request with the pictures."""

    reference_encodings: tuple[ReferenceEncoding, ...] = ()
    ignored_settings: tuple[str, ...] = ()
    codes: Codes = NO_CODES
    """The provider's own error codes."""
    steps_without_json: frozenset[str] = frozenset({"put"})
    """Steps of an upload whose successful answer has no JSON to read."""

    def start(self, job: Job) -> Step:
        return self.submit(job, self.first_state(job))

    def next(self, job: Job, state: State, reply: Reply) -> Step:
        at = state["at"]
        if not reply.ok:
            return (
                self.parse_upload_error(job, state, reply)
                if at in UPLOAD_STEPS
                else self.parse_error(job, state, reply)
            )
        if at in self.steps_without_json:
            return self.parse_upload(job, state, reply, {})
        try:
            value = read_object(reply)
        except NotJson:
            return Failed(unreadable(reply), state.get("task", ""))
        return (
            self.parse_upload(job, state, reply, value) if at in UPLOAD_STEPS else self.parse(job, state, reply, value)
        )

    def resume(self, job: Job, accepted: State) -> Step:
        """Nothing is ever accepted here without its pictures."""
        return Failed(ProviderFailure("task", msg("dialect.api_has_no_tasks")))

    # ------------------------------------------------------------------------------------------------- hooks

    def first_state(self, job: Job) -> State:
        """What `submit` of a new call begins with."""
        return {}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        """The paid request, or an upload that comes before it. `uploaded`: the upload that has just ended."""
        raise NotImplementedError

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        """The step after a success whose JSON is `value`."""
        raise NotImplementedError

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        """The step after any other status."""
        return Failed(self.failure(job, reply))

    def parse_upload(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        """The step after a success of an upload's request; `value` is {} for `steps_without_json`."""
        return Failed(unreadable(reply))

    def parse_upload_error(self, job: Job, state: State, reply: Reply) -> Step:
        """The step after any other status of an upload's request."""
        return Failed(self.failure(job, reply))

    def failure(self, job: Job, reply: Reply) -> ProviderFailure:
        """What an error says."""
        return failure_of(reply, self.codes)
