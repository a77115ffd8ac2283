"""The report on a part of a run's frames: what is theirs, what is about all, and no cent lost between the parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors import Refused
from pack.core.execution.image_task import ImageTask
from pack.core.execution.report import Report, Tried
from pack.core.request import Options, Request

Call = tuple[int, float | None, float | None, int]


def report_of(frames: int) -> Report:
    requests = [Request("generate", "a picture", Options(), frame=frame) for frame in range(frames)]
    return Report([ImageTask(slot, request) for request in requests for slot in request.slots()])


@st.composite
def calls(draw: st.DrawFn) -> list[Call]:
    amount = st.none() | st.floats(0, 10)
    return draw(st.lists(st.tuples(st.integers(0, 4), amount, amount, st.integers(0, 3)), max_size=12))


@given(calls(), st.integers(1, 4))
def test_the_costs_of_the_parts_are_the_cost_of_the_whole(made: list[Call], border: int) -> None:
    report = report_of(5)
    for frame, stated, price, pictures in made:
        report.add_cost(stated, price, pictures, frame)
    parts = [report.part(range(border)), report.part(range(border, 5))]
    if report.usd is None:
        assert None in [part.usd for part in parts]
    else:
        assert sum(part.usd or 0 for part in parts) == pytest.approx(report.usd)
    assert sum(len(part.tasks) for part in parts) == 5


def test_a_notice_stands_in_the_parts_that_it_is_about() -> None:
    report = report_of(3)
    report.add_notices(["of one"], 0)
    report.add_notices(["of two"], 0)
    report.add_notices(["of two"], 2)
    report.add_notices(["of all"])
    report.add_notices(["first of one, then of all"], 1)
    report.add_notices(["first of one, then of all"])
    report.add_notices(["first of one, then of all"], 1)
    everywhere = ["of all", "first of one, then of all"]
    assert report.part([0]).notices == ["of one", "of two", *everywhere]
    assert report.part([1]).notices == everywhere
    assert report.part([2]).notices == ["of two", *everywhere]


def test_a_part_says_what_the_one_provider_made_of_it() -> None:
    report = report_of(2)
    report.tasks[1].error = Refused("It declined this", charged="maybe")
    report.tried.append(Tried("fal", "nano-banana", 1, "It declined this.", "maybe"))
    (first,), (second,) = report.part([0]).tried, report.part([1]).tried
    assert (first.reason, first.charged) == ("", "no")
    assert (second.pictures, second.reason, second.charged) == (0, "It declined this.", "maybe")
