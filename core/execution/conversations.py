"""Makes the branches of a conversation: from the pictures of a run, and from pictures that are in the results store.

Both read what is kept of an answer (`ledger.turns`), so that a picture from the store, also after a restart, is gone on from
as one that was made just now.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..errors import LedgerFailed
from ..images.picture import Picture, Pixels, UnreadablePicture, decode, measure
from ..ledger.journal import Journal
from ..ledger.results import DamagedFile
from ..ledger.turns import RecordedPart, RecordedReference, TurnRecord
from ..ledger.types import StoredImage
from ..request.conversation import Branch, Part, StoredPicture, Turn
from .image_task import ImageTask

MOST_TURNS = 64
"""Of one branch: what goes on from more is a circle that somebody has written."""


class _StoredFile:
    """The file of a picture; once it was found damaged, it counts as gone."""

    def __init__(self, ledger: Journal, name: str, uid: str) -> None:
        self._results, self._name, self._uid = ledger.results, name, uid
        self._damaged = False

    def exists(self) -> bool:
        return not self._damaged and self._results.has(self._name, self._uid)

    def read(self) -> bytes:
        """Raises OSError or DamagedFile."""
        try:
            return self._results.read(self._name, self._uid)
        except DamagedFile:
            self._damaged = True
            raise


def branch_after(ledger: Journal, task: ImageTask) -> Branch:
    """What goes on from the picture of a finished task; where it has none, what it went on from itself."""
    result, made_by = task.result, task.made_by
    if result is None:
        return task.request.branch or Branch()
    height, width = result.pixels.shape[:2]
    picture = _stored_picture(ledger, result.file, result.uid)
    if not result.file:
        picture = StoredPicture("", 0, lambda: True, result.read)
    pixels = Picture(partial(_rgb, picture), int(width), int(height), 3)
    record = ledger.turns.read(result.file, result.uid)
    parts = _parts(ledger, result.uid, record.parts) if record else ()
    # A graph keeps its conversations: the pixels of a long batch would fill the memory.
    references = tuple(picture.unloaded() for picture in made_by.references) if made_by else ()
    turn = Turn(task.request.prompt, references, lambda: True, picture, pixels, parts, result.uid)
    if made_by is None:
        return _stored_branch_of(ledger, result.file, result.uid) or Branch(turns=(turn,))
    base_url = record.base_url if record else ""
    if made_by.branch and made_by.branch.base_url != base_url:
        base_url = ""  # one that was stored at another address than the turns before it
    earlier = made_by.branch.turns if made_by.branch else ()
    return Branch(made_by.spec.id, made_by.model_id, (*earlier, turn), base_url)


def _stored_branch_of(ledger: Journal, name: str, uid: str) -> Branch | None:
    """What goes on from a picture that an earlier call has made, of which the plan knows nothing."""
    try:
        stored = next((each for each in ledger.of_content(name.partition(".")[0]) if each.uid == uid), None)
        return stored_branch(ledger, stored) if stored else None
    except (OSError, ValueError, LedgerFailed):
        return None


def stored_branch(ledger: Journal, stored: StoredImage) -> Branch:
    """What goes on from a stored picture. Raises OSError, or ValueError where it can't be read."""
    turns: list[Turn] = []
    name, uid = stored.file, stored.uid
    record = ledger.turns.read(name, uid)
    turns.append(_stored_turn(ledger, name, uid, record, stored.prompt, is_last=True))
    provider, model, base_url = stored.provider, stored.model, record.base_url if record else ""
    while record is not None and record.parent[0]:
        name, uid = record.parent
        record = ledger.turns.read(name, uid)
        made_by = (record.provider, record.model, record.base_url) if record else ()
        if record is None or len(turns) >= MOST_TURNS or made_by != (provider, model, base_url):
            turns[-1] = replace(turns[-1], parts=())  # what came before it isn't here
            break
        turns.append(_stored_turn(ledger, name, uid, record, record.prompt))
    return Branch(provider, model, tuple(reversed(turns)), base_url)


def _stored_turn(
    ledger: Journal, name: str, uid: str, record: TurnRecord | None, prompt: str, *, is_last: bool = False
) -> Turn:
    picture = _stored_picture(ledger, name, uid)
    try:
        width, height = measure(picture.read())
    except (OSError, ValueError, LedgerFailed):
        if record is None or is_last:
            raise
        width = height = 1  # an earlier picture that is gone: its turn can't be sent, and isn't looked at
    pixels = Picture(partial(_rgb, picture), width, height, 3)
    if record is None:
        return Turn(prompt, (), lambda: False, picture, pixels, (), uid)
    digests = [each.digest for each in record.references]
    references = tuple(_reference(ledger, each) for each in record.references)

    def references_here() -> bool:
        return all(ledger.turns.has_reference(digest) for digest in digests)

    return Turn(record.prompt, references, references_here, picture, pixels, _parts(ledger, uid, record.parts), uid)


def _parts(ledger: Journal, uid: str, parts: tuple[RecordedPart, ...]) -> tuple[Part[StoredPicture], ...]:
    return tuple(
        Part(
            part.text,
            _stored_picture(ledger, part.picture, uid, part.size) if part.picture else None,
            part.mime,
            part.signature,
            part.thought,
        )
        for part in parts
    )


def _stored_picture(ledger: Journal, name: str, uid: str, size: int = 0) -> StoredPicture:
    file = _StoredFile(ledger, name, uid)
    return StoredPicture(name, size, file.exists, file.read)


def _reference(ledger: Journal, recorded: RecordedReference) -> Picture:
    def load() -> Pixels:
        try:
            return decode(ledger.turns.read_reference(recorded.digest))
        except UnreadablePicture:
            ledger.turns.drop_damaged_reference(recorded.digest)
            raise

    return Picture.known(load, recorded.width, recorded.height, recorded.digest)


def _rgb(picture: StoredPicture) -> Pixels:
    return decode(picture.read())[..., :3]
