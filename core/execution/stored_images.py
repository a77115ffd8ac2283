"""Completes the pictures of a run that are in the results store already."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..errors import LedgerFailed
from ..errors.messages import message_of, msg
from ..images.picture import TooLarge, UnreadablePicture, decode, sniff
from ..ledger import StoredImage
from ..ledger.results import DamagedFile
from ..ledger.types import ledger_failed
from .charge import decide_damaged_row
from .failure_messages import too_large
from .image_task import ImageTask
from .outcome import ResultImage
from .run_state import RunState

log = logging.getLogger("nano_banana")


def complete_from_store(state: RunState, tasks: Sequence[ImageTask]) -> None:
    """Gives `tasks` their stored pictures, whichever candidate made them.

    A provider that made some of them gets an entry in the report's `tried`, unless it is the one that is asked now and gets
    one at the end. Raises LedgerFailed where a stored picture can't be read.
    """
    ledger = state.services.ledger
    found = ledger.look_up([fingerprint for task in tasks for fingerprint in task.fingerprints])
    used: list[tuple[ImageTask, StoredImage]] = []
    for task in tasks:
        fingerprint = next((each for each in task.fingerprints if each in found), None)
        if fingerprint is not None and _complete(state, task, found[fingerprint], fingerprint):
            used.append((task, found[fingerprint]))
    if not used:
        return
    ledger.mark_used([uid for _, stored in used for uid in (stored.uid, *(draft.uid for draft in stored.drafts))])
    for candidate in state.candidates:
        target, resolved = candidate
        made_by = (target.spec.id, resolved[0].model_id)
        made = [task for task, stored in used if (stored.provider, stored.model) == made_by]
        is_asked = state.asked is not None and target is state.asked.target
        if made and not is_asked:
            state.add_attempt(candidate, made, listed=len(state.candidates) > 1)


def _complete(state: RunState, task: ImageTask, stored: StoredImage, fingerprint: str) -> bool:
    """Decodes a stored picture into `task`. False where it is not there, is damaged, or is too large to decode."""
    try:
        data = stored.read()
    except FileNotFoundError:
        return False
    except OSError as error:
        # It is here and was paid: to ask for it again would pay twice.
        raise ledger_failed(
            msg("stored_images.picture_unreadable", error=error.strerror or type(error).__name__),
            cure=msg("stored_images.check_results_disk"),
        ) from None
    except DamagedFile as error:
        return _mark_damaged(state, stored, error)
    try:
        result = ResultImage(decode(data), sniff(data), stored.read, _drafts(stored), stored.file, stored.uid)
    except TooLarge as error:
        # It is the result, and paid: only its pixels can't be had here.
        labels = {target.spec.id: target.spec.label for target, _ in state.candidates}
        label = labels.get(stored.provider, stored.provider)
        task.fail(too_large(label, message_of(error), stored.file, "yes"))
        return False
    except UnreadablePicture as error:
        return _mark_damaged(state, stored, error)
    task.complete(result, stored.text, fingerprint, "store", stored.sources)
    # What was left out when it was paid is left out of the stored picture, too.
    state.report.add_notices(task.made_by.notices if task.made_by else (), task.slot.frame)
    state.report.add_notices(stored.notices, task.slot.frame)
    return True


def _drafts(stored: StoredImage) -> tuple[ResultImage, ...]:
    """The drafts of a stored picture, without those that can't be read: they were free."""
    drafts = []
    for draft in stored.drafts:
        try:
            data = draft.read()
            drafts.append(ResultImage(decode(data), sniff(data), draft.read))
        except (OSError, LedgerFailed, DamagedFile, TooLarge, UnreadablePicture) as error:
            log.info("a stored draft can't be used: %s", error)
    return tuple(drafts)


def _mark_damaged(state: RunState, stored: StoredImage, error: ValueError) -> bool:
    state.services.ledger.mark_damaged(stored.uid, decide_damaged_row, message_of(error))
    state.report.add_notices([msg("stored_images.picture_damaged", error=error)])
    return False
