"""The outputs of a group of elements: which of them go on, what is said about those that failed, or one error for all."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from comfy_api.latest import io

from .. import comfyui
from ..core.errors import NanoBananaError
from ..core.errors.amounts import usd_digits
from ..core.errors.messages import joined, msg, spelled
from ..core.execution.image_task import ImageTask
from ..core.execution.report import Report, sum_usd
from ..core.images.parallel import PixelLimit, on_all_cores
from ..core.providers.spec import Operation
from .early_outputs import EarlyOutputs
from .inputs import BLOCK, FAIL
from .list_element import Element, NodeRequests
from .list_places import named_places
from .output_image import OutputImage
from .outputs import (
    Place,
    blocked_output,
    combined_error,
    empty_output,
    most_serious,
    node_output,
    ordered_output,
    sentences_about_money,
    summarized,
)

log = logging.getLogger("nano_banana")

MOST_NAMED = 20
"""So many failed elements are named one by one."""
_AT_ONCE = PixelLimit()


def error_of(elements: Sequence[Element]) -> NanoBananaError | None:
    """The error that ends the node; None where outputs go on, or nothing has failed."""
    incomplete = [element for element in elements if element.is_incomplete]
    all_refused = all(element.refusal for element in elements)
    must_fail = any(element.on_failure == FAIL for element in incomplete)
    # A blocked branch ends in silence, and the rest of the graph goes on.
    nothing_left = all(element.has_nothing and element.on_failure != BLOCK for element in elements)
    if not (all_refused or must_fail or nothing_left):
        return None
    return _combined(elements, incomplete)


def _combined(elements: Sequence[Element], incomplete: Sequence[Element]) -> NanoBananaError:
    if len(elements) == 1:
        return elements[0].refusal or combined_error(elements[0].report)
    refusals = {element.refusal.message if element.refusal else "" for element in elements}
    if len(refusals) == 1 and (refusal := elements[0].refusal):
        return refusal
    everything = Report([task for element in elements for task in element.report.tasks])
    errors = most_serious(everything)
    what = joined(
        msg("list_outputs.elements_failed", failed=len(incomplete), total=len(elements)),
        *_failures(elements),
    )
    usd = sum_usd(element.report.usd for element in elements)
    spent = msg("list_outputs.spent", usd=usd_digits(usd)) if usd else ""
    return summarized(errors[0], what, joined(spent, sentences_about_money(everything, errors)))


async def make_outputs(elements: Sequence[Element], operation: Operation, early: EarlyOutputs) -> None:
    """Gives each element its output. `early` has some of their pictures."""
    notices = _group_notices(elements)
    if notices:
        log.warning("%s", "\n".join(notices))
    with_drafts = [any(task.drafts for task in element.output_tasks) for element in elements]
    places = [Place(operation, number, len(elements), any(with_drafts)) for number in range(1, len(elements) + 1)]
    for element in elements:
        element.report.add_notices(notices)

    def make() -> list[io.NodeOutput]:
        early.wait()
        return [_output(*each, early) for each in zip(elements, places, strict=True)]

    outputs = await comfyui.in_thread(make)
    for element, output in zip(elements, outputs, strict=True):
        element.output = output


def _output(element: Element, place: Place, early: EarlyOutputs) -> io.NodeOutput:
    report = element.report
    if report.ordered:
        return ordered_output(report, place)
    if element.is_incomplete and element.on_failure == BLOCK:
        return blocked_output(report, place)
    if element.asked is None or not element.output_tasks:
        return empty_output(report, place)
    asked = element.asked

    def make(task: ImageTask) -> OutputImage:
        return early.take(task) or output_image(asked, task)

    return node_output(report, place, on_all_cores(make, element.output_tasks))


def output_image(asked: NodeRequests, task: ImageTask) -> OutputImage:
    """One output picture; of large ones fewer at a time, since each is several times in memory while it is put into line."""
    height, width = task.result.pixels.shape[:2] if task.result else (0, 0)
    with _AT_ONCE.reserved(width * height):
        return asked.output_of(task)


def _group_notices(elements: Sequence[Element]) -> list[str]:
    """Which elements failed, and what that does to the lists behind the node."""
    if len(elements) == 1:
        return []
    notices = _failed_lines(elements)
    blocked = sum(element.is_incomplete and element.on_failure == BLOCK for element in elements)
    gone = sum(
        not element.output_tasks and not element.report.ordered and element.on_failure != BLOCK for element in elements
    )
    if gone:
        notices.append(msg("list_outputs.elements_left_list", failed=gone, total=len(elements)))
    if blocked:
        notices.append(msg("list_outputs.places_blocked", failed=blocked, total=len(elements)))
    return notices


def _failures(elements: Sequence[Element]) -> list[str]:
    """A sentence for each reason why elements failed, with their places from 1."""
    places: dict[str, list[int]] = {}
    for number, element in enumerate(elements, 1):
        if element.is_incomplete:
            places.setdefault(_reason(element.report), []).append(number)
    if [len(numbers) for numbers in places.values()] == [len(elements)]:
        return [spelled(reason, "The " + reason[4:]) if reason.startswith("the ") else reason for reason in places]
    sentences = [
        msg("list_outputs.element_failed", number=numbers[0], reason=reason)
        if len(numbers) == 1
        else msg("list_outputs.elements_failed_alike", numbers=named_places(numbers), reason=reason)
        for reason, numbers in places.items()
    ]
    return _shortened(sentences, sorted(n for numbers in list(places.values())[MOST_NAMED:] for n in numbers))


def _failed_lines(elements: Sequence[Element]) -> list[str]:
    """A line for each failed element, by its place from 1."""
    failed = [(number, element.report) for number, element in enumerate(elements, 1) if element.is_incomplete]
    lines = [
        msg("list_outputs.element_failed", number=number, reason=joined(_reason(report), _money(report)))
        for number, report in failed
    ]
    return _shortened(lines, [number for number, _ in failed[MOST_NAMED:]])


def _money(report: Report) -> str:
    errors = most_serious(report)
    return errors[0].money if len(report.tasks) == 1 else sentences_about_money(report, errors)


def _shortened(lines: list[str], others: list[int]) -> list[str]:
    """The first lines, and in one more line the elements that the `others` are about."""
    if not others:
        return lines
    return [*lines[:MOST_NAMED], msg("list_outputs.more_failed", more=len(others), numbers=named_places(others))]


def _reason(report: Report) -> str:
    """Why an element failed, for within a sentence."""
    errors = most_serious(report)
    worst = errors[0].what
    # Names of providers keep their capitals.
    reason = spelled(worst, "the " + worst[4:]) if worst.startswith("The ") else worst
    if not report.completed and len({error.what for error in errors}) == 1:
        return reason
    return msg("list_outputs.some_pictures_failed", failed=len(errors), total=len(report.tasks), reason=reason)
