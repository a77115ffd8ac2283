"""The outputs of Generate and Edit: pictures, masks, text and the `info` JSON of a finished run."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from .. import comfyui
from ..core.errors import NanoBananaError
from ..core.errors.messages import concat, joined, listed, messages_in, msg
from ..core.execution.image_task import ImageTask
from ..core.execution.report import Report
from ..core.ledger.types import dollars
from ..core.providers.spec import Operation
from . import tensors
from .alignment.notices import alignment_notices
from .branches import continued
from .output_image import OutputImage
from .preview_files import preview_files
from .reference_groups import reference_facts

log = logging.getLogger("nano_banana")


@dataclass(frozen=True)
class Place:
    """Which node the outputs are for, and which element of the list that was linked into it, from 1."""

    operation: Operation
    element: int = 1
    elements: int = 1
    drafts_elsewhere: bool = False
    """Whether another element of the list has drafts: nothing need be blocked for lack of them then."""

    @property
    def with_originals(self) -> bool:
        """Whether the node has the output `originals`."""
        return self.operation == "edit"


def node_output(report: Report, place: Place, images: list[OutputImage]) -> io.NodeOutput:
    """The outputs for the pictures that there are."""
    for each in images:
        report.add_notices(each.notices)
    report.add_notices(alignment_notices([each.alignment for each in images if each.alignment]))
    device, dtype = comfyui.tensor_placement()
    batches = _batches(images, device, dtype)
    is_one_batch = len(batches) == 1
    if not is_one_batch:
        report.add_notices([_single_pictures(len(batches), place.operation)])
    masks = tensors.batches([each.mask for each in images], device, torch.float32)
    info = json.dumps(_info(report, place, images), ensure_ascii=False)
    texts = [each.task.text for each in images]
    if is_one_batch:
        texts = ["\n".join(dict.fromkeys(text for text in texts if text))]
    values: list[Any] = [batches, masks, texts, [info] * len(batches)]
    if place.with_originals:
        originals = [each.original.to(device=device, dtype=dtype) for each in images if each.original is not None]
        values.append([torch.stack(originals)] if is_one_batch else [frame.unsqueeze(0) for frame in originals])
    drafts = [tensors.image(draft.pixels) for each in images for draft in each.task.drafts]
    values.append(tensors.batches(drafts, device, dtype) if drafts else _no_drafts(place))
    values.append(continued([each.task for each in images], is_one_batch=is_one_batch))
    return io.NodeOutput(*values, ui=_ui(report, info, images))


def _batches(images: Sequence[OutputImage], device: torch.device, dtype: torch.dtype) -> list[torch.Tensor]:
    """The pictures as they leave the node; each of `images` has its part of them from here on."""
    frames = [each.image for each in images]
    for each in images:
        each.image = torch.empty(0)
    found = tensors.batches(frames, device, dtype)
    for each, frame in zip(images, (frame for batch in found for frame in batch), strict=True):
        each.image = frame
    return found


def empty_output(report: Report, place: Place) -> io.NodeOutput:
    """No elements in any output: the host joins them with those of the other elements of the list."""
    info = json.dumps(_info(report, place, []), ensure_ascii=False)
    values: list[Any] = [[], [], [], []]
    if place.with_originals:
        values.append([])
    values += [[], []]
    return io.NodeOutput(*values, ui=_ui(report, info))


def _single_pictures(count: int, operation: Operation) -> str:
    """Says that a node behind runs once for each picture, and how it gets one batch."""
    if operation == "edit":
        return msg("outputs.single_pictures_of_edit", count=count)
    return msg("outputs.single_pictures", count=count)


def blocked_output(report: Report, place: Place) -> io.NodeOutput:
    """Blocks the picture outputs. Text and info flow on and say why."""
    if place.elements == 1:  # in a list the notices name the failed elements
        worst = combined_error(report)
        report.notices.append(worst.message)
        log.warning("%s", worst.message)
    return _blocked(report, place)


def ordered_output(report: Report, place: Place) -> io.NodeOutput:
    """Blocks the picture outputs of a node whose pictures arrive later. Text and info flow on."""
    return _blocked(report, place)


def _blocked(report: Report, place: Place) -> io.NodeOutput:
    info = json.dumps(_info(report, place, []), ensure_ascii=False)
    blocker = ExecutionBlocker(None)
    values: list[Any] = [[blocker], [blocker], [""], [info]]
    if place.with_originals:
        values.append([blocker])
    values.append(_no_drafts(place))
    values.append([blocker])
    return io.NodeOutput(*values, ui=_ui(report, info))


def _no_drafts(place: Place) -> list[Any]:
    """The output `thoughts` of an element without drafts: no element of it, or a block without a message where the host
    would get none at all, which it can't take."""
    return [] if place.drafts_elsewhere else [ExecutionBlocker(None)]


def combined_error(report: Report) -> NanoBananaError:
    """One error for all pictures that failed: the gravest failure, the numbers and the money."""
    errors = most_serious(report)
    worst = errors[0]
    total = len(report.tasks)
    if total == 1 and len(report.tried) < 2:
        return worst
    what = (
        worst.what if total == 1 else msg("outputs.pictures_failed", errors=len(errors), total=total, worst=worst.what)
    )
    others = [tried for tried in report.tried if tried.reason and tried.reason != worst.reason]
    if others:
        each = listed(" ", (concat(tried.provider, ": ", tried.reason) for tried in others))
        what = joined(what, msg("outputs.also_tried", others=each))
    return summarized(worst, what, sentences_about_money(report, errors))


def summarized(worst: NanoBananaError, what: str, money: str) -> NanoBananaError:
    """The gravest of several errors, with what happened and what it cost said of all of them."""
    return type(worst)(
        what,
        cure=worst.cure,
        charged=worst.charged,
        status=worst.status,
        request_id=worst.request_id,
        money=money,
    )


def most_serious(report: Report) -> list[NanoBananaError]:
    """The failures of a report, those that may have cost money first, those that only follow from others last."""
    errors = [task.error for task in report.failed if task.error]
    rank = {"yes": 0, "maybe": 1, "no": 2}
    return sorted(errors, key=lambda error: (error.kind == "stopped", rank[error.charged]))


def sentences_about_money(report: Report, errors: Sequence[NanoBananaError]) -> str:
    """What the run cost, in sentences."""
    total, completed = len(report.tasks), len(report.completed)
    maybe = sum(1 for error in errors if error.charged == "maybe")
    paid = sum(1 for error in errors if error.charged == "yes")
    money = []
    if completed:
        money.append(msg("outputs.finished_pictures_kept", completed=completed, total=total))
    if paid:
        money.append(msg("outputs.some_charged", paid=paid))
    if maybe:
        money.append(msg("outputs.some_may_be_charged", maybe=maybe))
    if not (paid or maybe):
        money.append(msg("outputs.others_cost_nothing") if completed else msg("outputs.nothing_was_charged"))
    return joined(*money)


def failed_facts(report: Report) -> list[dict[str, Any]]:
    """What failed, for `info` and the browser: "id" where the results panel has an entry for it, "answer" where the
    provider's answer is kept and can be read again, "again" where the picture can still be fetched, "provider" and
    "usd" where it may have cost that much there."""
    return [_failed(task) for task in report.failed]


def _failed(task: ImageTask) -> dict[str, Any]:
    charged = task.error.charged if task.error else "no"
    facts: dict[str, Any] = {
        "slot": task.slot.index,
        "frame": task.slot.frame,
        "reason": task.error.reason if task.error else "",
        "charged": charged,
    }
    if task.uid:
        facts["id"] = task.uid
    if task.answer:
        facts["answer"] = task.answer
    if task.can_resume:
        facts["again"] = True
    if charged != "no" and task.reservation:
        facts |= {"provider": task.reservation.provider, "usd": dollars(task.reservation.micros)}
    return facts


def _ui(report: Report, info: str, images: Sequence[OutputImage] = ()) -> dict[str, list[str]]:
    """What the node shows in the browser: `info`, with what its texts are said in the page's language, and small pictures.

    The host joins what the elements of a list have under the names that the first one has: all have the same.
    """
    reasons = [task.error.reason for task in report.failed if task.error]
    texts = messages_in([report.notices, reasons, [tried.reason for tried in report.tried]])
    return {
        "nano_banana": [info],
        "nano_banana_messages": [json.dumps(texts)],
        "nano_banana_previews": preview_files(images),
    }


def _sources(image: OutputImage) -> dict[str, Any]:
    """The pages that a web search for a picture leaned on, for `info`; nothing where there are none."""
    pages = [{"title": title, "uri": uri} for title, uri in image.task.sources]
    return {"sources": pages} if pages else {}


def _info(report: Report, place: Place, images: Sequence[OutputImage]) -> dict[str, Any]:
    """The `info` output."""
    references = reference_facts([task.request for task in report.tasks])
    pending = [{"slot": task.slot.index, "frame": task.slot.frame, "order": task.order} for task in report.ordered]
    return {
        "provider": report.provider,
        "model": report.model,
        "operation": place.operation,
        "images": [
            {
                "slot": each.task.slot.index,
                "frame": each.task.slot.frame,
                "seed": each.task.slot.seed,
                "width": int(each.image.shape[1]),
                "height": int(each.image.shape[0]),
                "format": each.task.result.format if each.task.result else "",
                "from": each.source,
                **each.facts,
                **_sources(each),
            }
            for each in images
        ],
        "thoughts": [
            {"slot": each.task.slot.index, "frame": each.task.slot.frame} for each in images for _ in each.task.drafts
        ],
        "failed": failed_facts(report),
        "resolution_effective": report.resolution or None,
        "cost_usd": None if report.usd is None else round(report.usd, 6),
        "cost_source": report.usd_source,
        "requests": report.requests,
        "tried": [tried.facts() for tried in report.tried],
        "notices": report.notices,
        **({"pending": pending} if pending else {}),
        **({"references": references} if references else {}),
        **({"element": place.element, "elements": place.elements} if place.elements > 1 else {}),
    }
