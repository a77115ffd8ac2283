"""One picture of a run: what is asked for, the fingerprints it may be stored under, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import NanoBananaError
from ..ledger import Reservation
from ..planning.negotiate import ResolvedRequest
from ..request import Request, Slot
from .outcome import ResultImage


@dataclass(eq=False)
class ImageTask:
    """A picture that a run has to get. It ends with a result or an error."""

    slot: Slot
    request: Request
    fingerprints: tuple[str, ...] = ()
    """Every fingerprint that the picture may have: at each provider of the chain, in each version."""
    resolved: dict[str, ResolvedRequest] = field(default_factory=dict)
    """Fingerprint -> the request that makes the picture under it."""
    reservation: Reservation | None = None
    """What is reserved for it at the provider that is asked; None while no provider is asked."""
    result: ResultImage | None = None
    text: str = ""
    """The model's words, or the revised prompt."""
    source: str = "provider"
    """"provider" or "store"."""
    sources: tuple[tuple[str, str], ...] = ()
    """Title and address of the pages that a web search for it leaned on."""
    made_by: ResolvedRequest | None = None
    """The request that made the result: providers may get different parts of a frame."""
    error: NanoBananaError | None = None
    uid: str = ""
    """Id of the failure's row in the journal, "" where there is none."""
    order: str = ""
    """Id of the order that it is in, "" where it is in none: it is collected later, without a run."""
    answer: str = ""
    """File name of the kept answer in which no picture could be read, "" where none is kept."""

    can_resume: bool = False
    """Whether the picture of a failed request is paid for, or made, and can still be fetched at no cost."""

    @property
    def pending(self) -> bool:
        """Whether it has neither a result nor an error, and isn't ordered."""
        return self.result is None and self.error is None and not self.order

    @property
    def drafts(self) -> tuple[ResultImage, ...]:
        """What the model drew before its result."""
        return self.result.drafts if self.result else ()

    @property
    def sendable(self) -> bool:
        """Whether it may be asked for without paying twice."""
        return self.result is None and not self.order and (self.error is None or self.error.charged == "no")

    @property
    def fingerprint(self) -> str:
        """The fingerprint under which it is reserved at the provider that is asked."""
        assert self.reservation is not None
        return self.reservation.fingerprint

    def has_any(self, fingerprints: set[str]) -> bool:
        """Whether one of `fingerprints` is the picture's."""
        return not fingerprints.isdisjoint(self.fingerprints)

    def complete(
        self,
        result: ResultImage,
        text: str,
        fingerprint: str,
        source: str = "provider",
        sources: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """`fingerprint`: the one of its fingerprints that the result has."""
        self.result, self.text, self.source, self.error = result, text, source, None
        self.sources = sources
        self.made_by = self.resolved.get(fingerprint)

    def fail(self, error: NanoBananaError, uid: str = "", answer: str = "") -> None:
        self.error, self.uid, self.answer = error, uid, answer

    def reset(self) -> None:
        """Forgets the failure: another provider is asked."""
        self.error, self.uid, self.answer = None, "", ""
