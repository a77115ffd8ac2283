"""Complete files by key, such as `ab/abcdef.png`: what the results need of the place where they are kept.

Only the forms of this interface know whether that is a folder or a bucket.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .size_limit import SizeLimit


class ObjectStore(ABC):
    """Files by key. Usable from any thread.

    A file is there completely or not at all. Methods raise OSError, and ResultsAway where a server doesn't answer.
    """

    def check(self) -> None:  # noqa: B027
        """Raises ResultsAway where a server can't keep files now, so that nothing is paid that would have no place."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Keeps a file, in place of one that is there. Every machine sees it when this returns."""

    @abstractmethod
    def get(self, key: str, most: int) -> bytes:
        """A file of at most `most` bytes. Raises FileNotFoundError, or NotReadable for what is no file, or longer."""

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Those of some small files that are had sooner together than one by one, by key; the others are left out."""
        return {}

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is a file."""

    def existing(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that there are files of."""
        return {key for key in set(keys) if self.exists(key)}

    @abstractmethod
    def list_in(self, folder: str, beginning: str = "") -> dict[str, int]:
        """The keys in a folder, not in those below it, whose names begin so, and their sizes; -1 for what is no file."""

    @abstractmethod
    def folders(self) -> list[str]:
        """The names of the folders at the top."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Deletes files; those that aren't there are passed over."""


class ResultsStore(ObjectStore):
    """An object store with a folder on this machine, in which the bytes of a picture arrive first."""

    incoming_is_shared = True
    """Whether other machines see bytes that have arrived in the folder and are not stored yet."""
    may_vanish = True
    """Whether an empty place may stand in for it, as a folder does whose drive is not mounted."""

    limit: SizeLimit | None = None
    """The size limit of the folder, where it is the store's own matter."""

    @property
    @abstractmethod
    def is_new(self) -> bool:
        """Whether nothing was ever kept here, as far as that can be told without a request."""

    @property
    @abstractmethod
    def place(self) -> str:
        """What messages call it."""

    def existing_here(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys whose files this machine has. Makes no request."""
        return self.existing(keys)

    @property
    def waiting(self) -> int:
        """How many pictures wait for a server before they count as stored."""
        return 0

    def put_soon(self, key: str, data: bytes, *, sync: bool = False) -> None:
        """Keeps a small file. It is written when this returns; other machines see it soon. Makes no request.

        `sync`: it is on the disk by then.
        """
        self.put(key, data)

    def share(self, file: Path, key: str) -> None:
        """Lets all machines read a file that has arrived here as the file with this key."""

    def is_shared(self, key: str) -> bool:
        """Whether all machines see a file that was shared; asked anew."""
        return True

    def share_then(
        self, file: Path, key: str, then: Callable[[], object], failed: Callable[[], object] = lambda: None
    ) -> None:
        """`share`, then `then`; both later, from another thread, where the server doesn't answer now.

        `failed` is called instead of raising what `then` raises there.
        """
        then()

    def is_waiting(self, file: Path) -> bool:
        """Whether a file waits for the server."""
        return False

    @abstractmethod
    def take(self, file: Path, key: str) -> None:
        """Moves a file that was shared to its place. Does nothing where it isn't there."""

    def touch(self, key: str) -> None:
        """Notes that a file is used, where the longest unused ones are deleted. Raises OSError."""

    def resume(self) -> None:
        """Begins to upload what an earlier process could not."""

    def close(self) -> None:
        """Waits some seconds for uploads that are under way."""
