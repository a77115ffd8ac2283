"""How a request goes on from the turns before it at one provider: with all of them, or with their last picture alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import Impossible
from ..errors.messages import msg
from ..images.picture import Picture
from ..providers.spec import ProviderSpec
from ..request.conversation import Branch, Turn


@dataclass(frozen=True)
class Continuation:
    """What one provider gets of a conversation."""

    references: tuple[Picture, ...] = field(repr=False)
    """The pictures that are sent with the prompt."""
    branch: Branch | None = None
    """The turns that are sent before it; None where the last picture stands for them."""
    notices: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[Picture, ...]:
        """What the model sees as the first picture and those after it: a ratio is that of the first."""
        return (self.branch.last.pixels, *self.references) if self.branch else self.references


def continuation(
    branch: Branch | None,
    references: Sequence[Picture],
    spec: ProviderSpec,
    model_id: str,
    *,
    is_region: bool,
    base_url: str = "",
) -> Continuation:
    """What `spec` gets of the turns of `branch` and of the new `references`. Raises Impossible.

    `is_region`: the first reference is a part of a frame. Else it isn't sent where it is the branch's last picture.
    `base_url`: where it is sent; "" where that doesn't matter.
    """
    if branch is None or not branch.turns:
        return Continuation(tuple(references))
    last = branch.last
    has_last = bool(references) and not is_region and same_pixels(references[0], last.pixels)
    others = tuple(references[1:] if has_last else references)
    reason = _reason_for_replay(branch, spec, model_id, base_url)
    if not reason:
        return Continuation(others, branch)
    if not has_last and not _is_readable(last):
        raise Impossible(msg("continuation.last_picture_gone"), cure=msg("continuation.connect_image_1"))
    first = references[0] if has_last else last.pixels
    notice = msg("continuation.last_picture_sent", reason=reason)
    return Continuation((first, *others), notices=(notice,))


def _reason_for_replay(branch: Branch, spec: ProviderSpec, model_id: str, base_url: str) -> str:
    """Why the turns can't be sent as they are; "" where they can."""
    if not spec.conversations:
        return msg("continuation.provider_keeps_none", provider=spec.label)
    if not branch.provider:
        return msg("continuation.answer_not_kept")
    if branch.provider != spec.id:
        return msg("continuation.other_provider", provider=spec.label, before=branch.provider)
    if branch.model != model_id:
        return msg("continuation.other_model", model=model_id, before=branch.model)
    if not all(turn.parts for turn in branch.turns):
        return msg("continuation.answer_not_kept")
    if base_url and branch.base_url != base_url:
        # Another gateway may stand for another account or another service, to which the signatures mean nothing.
        return msg("continuation.other_base_url", provider=spec.label)
    if not all(turn.can_be_sent for turn in branch.turns):
        return msg("continuation.pictures_gone")
    if sum(turn.size for turn in branch.turns) > spec.max_conversation_bytes:
        return msg("continuation.too_large", provider=spec.label, mb=spec.max_conversation_bytes // 1_000_000)
    return ""


def _is_readable(turn: Turn) -> bool:
    """Whether the picture of a turn is here, undamaged. Slow for the first time."""
    try:
        return turn.picture.exists() and bool(turn.pixels.digest)
    except (OSError, ValueError):
        return False


def same_pixels(frame: Picture, last: Picture) -> bool:
    """Whether two pictures have the same pixels. Slow for the first time: both remember their digest."""
    if (frame.width, frame.height, frame.channels) != (last.width, last.height, last.channels):
        return False
    try:
        return frame.digest == last.digest
    except (OSError, ValueError):  # the file of the last picture is gone, or damaged
        return False
