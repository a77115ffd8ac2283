"""The outcome of one call: its pictures, the errors of those that are missing, what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import NanoBananaError
from ..images.picture import Pixels


@dataclass(frozen=True)
class ResultImage:
    """A picture of a provider, decoded."""

    pixels: Pixels
    format: str
    read: Callable[[], bytes] = field(repr=False)
    """The provider's own bytes; on disk they need no memory. Raises OSError or DamagedFile."""
    drafts: tuple[ResultImage, ...] = ()
    """What the model drew before it while thinking, in its order."""
    file: str = ""
    """File name in the results folder, "" where the bytes are not on disk."""
    uid: str = ""
    """Its row in the journal."""

    @property
    def data(self) -> bytes:
        return self.read()


@dataclass
class Outcome:
    """The outcome of a call. Pictures have numbers, from 0, in the order of the call's slots."""

    images: dict[int, ResultImage] = field(default_factory=dict)
    extras: int = 0
    """Pictures beyond those that were asked for; they are kept, and in no output."""
    failures: dict[int, NanoBananaError] = field(default_factory=dict)
    uids: dict[int, str] = field(default_factory=dict)
    """The journal's rows of the pictures that are missing."""
    answer: str = ""
    """File name of the kept answer in which no picture could be read, "" where none is kept."""
    error: NanoBananaError | None = None
    """Why pictures are missing that have no failure of their own."""
    text: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    """Title and address of the pages that a web search leaned on."""
    usd: float | None = None
    """What the provider says it cost."""
    request_id: str = ""
    attempts: int = 0
    seconds: float = 0.0
    notices: list[str] = field(default_factory=list)

    @property
    def first_error(self) -> NanoBananaError | None:
        return self.error or next(iter(self.failures.values()), None)

    def error_of(self, number: int) -> NanoBananaError | None:
        return self.failures.get(number, self.error)
