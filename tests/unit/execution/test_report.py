"""The report on a part of a run's frames: what is theirs, what is about all, and no cent lost between the parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors import Refused
from pack.core.execution.attempt import Attempt, Attempted
from pack.core.execution.image_task import ImageTask
from pack.core.execution.report import Report
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


def test_a_part_says_what_each_provider_made_of_it() -> None:
    """The first frame's picture is the first provider's, the second's is the second's, the third has none."""
    declined = Refused("It declined this")
    report = report_of(3)
    first = (Attempted(0, "1K", None), Attempted(1, "1K", declined), Attempted(2, "1K", declined))
    second = (Attempted(1, "2K", None), Attempted(2, "2K", Refused("It is lost", charged="maybe")))
    report.attempts += [Attempt("fal", "nano", "fal/nano", first), Attempt("kie", "banana", "banana-2", second)]
    facts = [[tried.facts() for tried in report.part([frame]).tried] for frame in range(3)]
    refused = {"provider": "fal", "model": "nano", "images": 0, "reason": "It declined this.", "charged": "no"}
    assert facts[0] == [{"provider": "fal", "model": "nano", "images": 1}]
    assert facts[1] == [refused, {"provider": "kie", "model": "banana", "images": 1}]
    lost = {"provider": "kie", "model": "banana", "images": 0, "reason": "It is lost.", "charged": "maybe"}
    assert facts[2] == [refused, lost]
    credited = [
        (part.provider, part.model, part.model_id, part.resolution)
        for part in (report, *[report.part([frame]) for frame in range(3)])
    ]
    by_fal, by_kie = ("fal", "nano", "fal/nano", "1K"), ("kie", "banana", "banana-2", "2K")
    assert credited == [by_kie, by_fal, by_kie, by_fal]


@given(st.lists(st.lists(st.sampled_from(["", "no", "maybe", "yes"]), min_size=4, max_size=4), max_size=3))
def test_the_parts_have_every_picture_of_every_provider(outcomes: list[list[str]]) -> None:
    report = report_of(4)
    for number, made in enumerate(outcomes):
        errors = [Refused("Why", charged=charged) if charged else None for charged in made]  # type: ignore[arg-type]
        pictures = tuple(Attempted(frame, "", error) for frame, error in enumerate(errors))
        report.attempts.append(Attempt(f"provider {number}", "", "", pictures))
    parts = [report.part([frame]).tried for frame in range(4)]
    for number, tried in enumerate(report.tried):
        assert sum(part[number].pictures for part in parts) == tried.pictures
        assert (tried.charged != "no") == any(part[number].charged != "no" for part in parts)
