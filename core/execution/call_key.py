"""The key of one call: attached to its requests, and taken out of all that comes back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..dialects.base.step import Send, Step, Wait
from ..errors import NanoBananaError
from ..keys.google_service_account import Tokens
from ..ledger.kept_answers import KeptAnswer
from ..planning.plan import Target
from ..redaction.sent_key import Scrubber
from .outcome import Outcome


class CallKey:
    """Makes the header that carries the key, and scrubs the key, in whatever spelling, from steps, errors and outcomes."""

    def __init__(self, target: Target, tokens: Tokens) -> None:
        self._target, self._tokens = target, tokens
        key = target.key
        self._scrubber = Scrubber([key.value] if key is not None and target.spec.auth == "key" else [])

    def auth_header(self) -> tuple[str, str] | None:
        """The header that carries the key, and its value. Raises ConfigError, KeyRefused or NetworkError."""
        spec, key, target = self._target.spec, self._target.key, self._target
        if key is None:
            return None
        value = key.value
        if spec.auth == "google_service_account":
            value = self._tokens.token(value, key.source, spec.label, target.proxy, target.ca_bundle)
        self._scrubber = self._scrubber.also(value)
        return spec.header(value)

    def forget_token(self) -> None:
        """The provider has refused it: the next call asks for a new one."""
        if self._target.key:
            self._tokens.forget(self._target.key.value)

    def scrub_text(self, text: str) -> str:
        return self._scrubber.text(text)

    def scrub_answer(self, answer: KeptAnswer) -> KeptAnswer:
        """An answer without the key in its head; `scrub_pieces` is for its body."""
        return self._scrubber.value(answer)

    def scrub_pieces(self, body: bytes) -> Iterable[bytes]:
        return self._scrubber.pieces(body)

    def scrub_step(self, step: Step) -> Step:
        """A dialect's step without the key; what is only sent stays as it is."""
        if isinstance(step, Wait):
            return replace(step, progress=self._scrubber.text(step.progress), then=self._scrub_send(step.then))
        return self._scrub_send(step) if isinstance(step, Send) else self._scrubber.value(step)

    def scrub_error(self, error: NanoBananaError) -> NanoBananaError:
        error.what, error.cure = self._scrubber.text(error.what), self._scrubber.text(error.cure)
        error.request_id = self._scrubber.text(error.request_id)
        return error

    def scrub_outcome(self, outcome: Outcome) -> None:
        """A redirect or a status line of whoever has the picture may repeat the key, too."""
        outcome.failures = {number: self.scrub_error(error) for number, error in outcome.failures.items()}
        outcome.notices = [self._scrubber.text(notice) for notice in outcome.notices]
        outcome.sources = self._scrubber.value(outcome.sources)
        outcome.text, outcome.request_id = self._scrubber.text(outcome.text), self._scrubber.text(outcome.request_id)

    def _scrub_send(self, send: Send) -> Send:
        return replace(send, state=self._scrubber.value(send.state), accepted=self._scrubber.value(send.accepted))
