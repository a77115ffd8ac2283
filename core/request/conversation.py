"""What was said before a request: the turns that a provider wants back, and the pictures in them.

Part           a part of a model's answer, as it goes back; its picture is of another type in each layer
StoredPicture  a picture of the results store
Turn           one request and its answer
Branch         the turns that lead to one picture
Conversation   a branch for each picture of a batch

All of it is immutable and holds no key. Pictures are read from the store when they are sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..images.picture import Picture

P = TypeVar("P")
Q = TypeVar("Q")


@dataclass(frozen=True)
class StoredPicture:
    """A picture by its content: the provider's own bytes in the results folder."""

    file: str
    """File name in the results folder, the digest of the bytes with an ending; "" where they could not be stored."""
    size: int
    """Bytes."""
    exists: Callable[[], bool] = field(repr=False, compare=False)
    read: Callable[[], bytes] = field(repr=False, compare=False)
    """The bytes. Raises OSError, or ValueError where they are damaged."""


@dataclass(frozen=True)
class Part(Generic[P]):
    """Words, or a picture. With the thought signature that came on it, which goes back on it unchanged."""

    text: str = field(default="", repr=False)
    picture: P | None = None
    mime: str = ""
    """As the answer says it."""
    signature: str = field(default="", repr=False)
    """"" where none came."""
    thought: bool = False

    def with_picture(self, picture: Q | None) -> Part[Q]:
        """This part with its picture as another layer has it."""
        return Part(self.text, picture, self.mime, self.signature, self.thought)


@dataclass(frozen=True)
class Turn:
    """One request and its answer."""

    prompt: str = field(repr=False)
    references: tuple[Picture, ...]
    """The pictures that were sent with the prompt."""
    references_here: Callable[[], bool] = field(repr=False, compare=False)
    """Whether they can still be read."""
    picture: StoredPicture
    """The result."""
    pixels: Picture = field(repr=False, compare=False)
    """The result as a reference, without transparency."""
    parts: tuple[Part[StoredPicture], ...] = ()
    """The answer as it goes back; empty where it wasn't kept."""
    uid: str = ""
    """The result's row in the journal."""

    @property
    def can_be_sent(self) -> bool:
        """Whether everything in it is here."""
        pictures = [part.picture for part in self.parts if part.picture]
        return bool(self.parts) and self.references_here() and all(picture.exists() for picture in pictures)

    @property
    def size(self) -> int:
        """Bytes that its answer takes in a request: pictures as base64."""
        pictures = sum((part.picture.size + 2) // 3 * 4 for part in self.parts if part.picture)
        return pictures + sum(len(part.signature) + len(part.text.encode("utf-8", "replace")) for part in self.parts)


@dataclass(frozen=True)
class Branch:
    """The turns that lead to one picture, all of them by the same model of the same provider."""

    provider: str = ""
    model: str = ""
    """Wire model id."""
    turns: tuple[Turn, ...] = ()
    """None where there is no picture to go on from: a request that goes on from it is a first one."""
    base_url: str = field(default="", repr=False)
    """The base URL that all of its answers came from; "" where that isn't known of each."""

    @property
    def last(self) -> Turn:
        return self.turns[-1]


@dataclass(frozen=True, repr=False)
class Conversation:
    """What goes over a link of a graph. Whoever shows it sees numbers only: a prompt is nobody's but the user's."""

    branches: tuple[Branch, ...]

    def __repr__(self) -> str:
        turns = ", ".join(str(len(branch.turns)) for branch in self.branches[:20])
        return f"Conversation({len(self.branches)} branches; turns: {turns})"

    def __reduce__(self) -> str:
        raise TypeError("a conversation stays in its process")


Conversation.__module__ = "NanoBanana"  # the host shows a value's class where a node fails
