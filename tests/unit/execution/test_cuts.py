"""A request whose frame is cut for each model: what is sent is the cut, and the result says which cut it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from dialect_driver import QUICK_SPECS, keyed, request, tiny
from pack.core.engine import Engine
from pack.core.execution.run import Run
from pack.core.images.picture import Picture
from pack.core.planning.choice import ProviderChoice
from pack.core.planning.negotiate import negotiate
from pack.core.request import Cut, Options, Region, Request
from pack.tests.doubles.server import Doubles

SQUARE, WIDE = tiny(1, 40, 40), tiny(2, 64, 36)


def cut_request(prompt: str, whole: Picture | None = None) -> Request:
    """An edit of a frame that is cut to 1:1 where the model has that ratio, else to 16:9."""

    def cutter(ratios: Sequence[str], resolution: str) -> Cut:
        if "1:1" in ratios:
            return Cut((SQUARE,), Region(10, 20, 40, 40, "1:1"), (f"cut for {resolution}",))
        return Cut((WIDE,), Region(0, 5, 64, 36, "16:9"))

    return replace(request("edit", prompt=prompt), references=(whole or tiny(3, 90, 70),), cutter=cutter)


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    """Two providers, the first of which has wide ratios only."""
    doubles.reset()
    onerouter = QUICK_SPECS["onerouter"]
    models = tuple(
        replace(model, edit=replace(model.edit, ratios=("16:9", "21:9"))) if model.edit else model
        for model in onerouter.models
    )
    specs = {**QUICK_SPECS, "onerouter": replace(onerouter, models=models)}
    return Engine(tmp_path, specs=specs, environ=keyed(doubles, "onerouter", "kie"))


def run(engine: Engine, asked: Request, choice: ProviderChoice) -> Run:
    begun = engine.run([asked], engine.plan(choice, [asked]))
    assert begun.done.wait(40), "the run didn't end"
    if begun.error is not None:
        raise begun.error
    return begun


def region(done: Run) -> Region | None:
    (task,) = done.tasks
    assert task.result is not None and task.made_by is not None
    return task.made_by.region


def test_each_model_gets_a_cut_in_one_of_its_ratios(engine: Engine) -> None:
    specs = engine.specs()
    wide = negotiate(cut_request("x"), specs["onerouter"], specs["onerouter"].models[0])
    square = negotiate(cut_request("x"), specs["kie"], specs["kie"].models[0])
    assert wide.references == (WIDE,) and dict(wide.options)["aspect_ratio"] == "16:9"
    assert square.references == (SQUARE,) and dict(square.options)["aspect_ratio"] == "1:1"
    assert any(notice.startswith("cut for") for notice in square.notices)
    asked = replace(cut_request("x"), options=Options(aspect_ratio="21:9"))
    assert negotiate(asked, specs["onerouter"], specs["onerouter"].models[0]).references == (WIDE,)


def test_a_fallback_gets_a_cut_of_its_own(engine: Engine, doubles: Doubles) -> None:
    """The first provider refuses free of charge; the result of the second goes back to where the second's cut was."""
    prompt = "cut for a fallback"
    doubles.fault("status=402", provider="onerouter", match=prompt)
    done = run(engine, cut_request(prompt), ProviderChoice("onerouter", fallback=ProviderChoice("kie")))
    assert region(done) == Region(10, 20, 40, 40, "1:1")
    sent = doubles.request_log(prompt)["requests"]
    digests = [[one["sha256_pixels"] for one in entry["references"]] for entry in sent]
    assert digests == [[sha256(picture._load().tobytes()).hexdigest()] for picture in (WIDE, SQUARE)]


def test_a_stored_picture_belongs_to_the_cut_and_not_to_the_frame(engine: Engine, doubles: Doubles) -> None:
    """A change beside the cut is not paid again; whichever provider made it, the place is that of its cut."""
    prompt = "cut and stored"
    first = run(engine, cut_request(prompt), ProviderChoice("kie"))
    again = run(
        engine, cut_request(prompt, tiny(9, 90, 70)), ProviderChoice("onerouter", fallback=ProviderChoice("kie"))
    )
    assert [done.tasks[0].source for done in (first, again)] == ["provider", "store"]
    assert region(again) == region(first) == Region(10, 20, 40, 40, "1:1")
