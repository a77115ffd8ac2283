"""The turns of a conversation as they travel to a provider: their pictures as files, their answers as they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..dialects.base.step import SentTurn
from ..errors import Impossible
from ..errors.messages import msg
from ..images.picture import Encoded, measure, sniff
from ..providers.spec import ProviderSpec
from ..request.conversation import Branch, Part, StoredPicture
from .references import encode_references


def encode_turns(
    branch: Branch, spec: ProviderSpec, reference_format: str, references: Sequence[Encoded]
) -> tuple[SentTurn, ...]:
    """The turns of `branch` for `spec`. `references`: the files that go along with the prompt. Raises Impossible.

    Slow for large pictures: called on a thread of our own.
    """
    turns = []
    for turn in branch.turns:
        with pictures_here():
            files, _ = encode_references(turn.references, spec, reference_format)
        turns.append(SentTurn(turn.prompt, tuple(files), tuple(_part(part) for part in turn.parts)))
    pictures = [*references, *(picture for turn in turns for picture in turn.references)]
    answers = sum(turn.size for turn in branch.turns)
    if not spec.upload_above and sum((len(each.data) + 2) // 3 * 4 for each in pictures) + answers > _room(spec):
        raise Impossible(msg("turns.too_large", provider=spec.label), cure=msg("turns.use_last_picture"))
    return tuple(turns)


@contextmanager
def pictures_here() -> Iterator[None]:
    """Says of a picture of a conversation that it is gone, where it can't be read any more. Raises Impossible."""
    try:
        yield
    except (OSError, ValueError):
        # It was here a moment ago: the run decides anew when it is queued again.
        raise Impossible(msg("turns.picture_gone"), cure=msg("turns.queue_again")) from None


def _room(spec: ProviderSpec) -> int:
    """Bytes that all pictures of a request may take."""
    return max(spec.max_request_bytes, spec.max_conversation_bytes)


def _part(part: Part[StoredPicture]) -> Part[Encoded]:
    if part.picture is None:
        return part.with_picture(None)
    with pictures_here():
        data = part.picture.read()
        width, height = measure(data)
    picture = Encoded(data, sniff(data), width, height)  # type: ignore[arg-type]  # sent as it came, whatever it is
    return part.with_picture(picture)
