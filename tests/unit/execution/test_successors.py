"""A model id that a provider drops: its successor is asked for free, told, remembered, and paid once at its own price."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from dialect_driver import QUICK_SPECS, keyed, request
from pack.core.engine import Engine
from pack.core.errors import Impossible
from pack.core.estimate import elsewhere, estimate
from pack.core.execution.run import Run
from pack.core.ledger.history import History
from pack.core.planning.choice import ProviderChoice
from pack.core.providers.spec import OPERATIONS, Price
from pack.core.request import Request
from pack.tests.doubles.server import Doubles

OLD, NEW = "gemini-3.1-flash-image", "gemini-nano-banana-2.1"
CHOICE = ProviderChoice("google", "nano-banana-2")


def machine(doubles: Doubles, home: Path, *names: str, **more: str) -> Engine:
    return Engine(home, specs=QUICK_SPECS, environ=keyed(doubles, *(names or ("google", "fal", "wavespeed"))) | more)


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    """A machine with keys for three providers that have both models."""
    doubles.reset()
    return machine(doubles, tmp_path)


def made(engine: Engine, asked: Request, choice: ProviderChoice = CHOICE) -> Run:
    run = engine.run([asked], engine.plan(choice, [asked]))
    assert run.done.wait(30), "the run didn't end"
    if run.error is not None:
        raise run.error
    return run


def models_asked(doubles: Doubles, prompt: str) -> list[str]:
    """The model that each request at Google named in its address, in order."""
    routes = [entry["route"] for entry in doubles.request_log(prompt)["requests"]]
    return [route.rpartition("/")[2].removesuffix(":generateContent") for route in routes]


def successor_notices(run: Run) -> list[str]:
    return [notice for notice in run.report.notices if "no longer knows" in notice]


def test_while_the_id_is_known_it_is_sent(engine: Engine, doubles: Doubles) -> None:
    """Whatever a page says about its end: the answer counts."""
    run = made(engine, request(prompt="alive"))
    assert models_asked(doubles, "alive") == [OLD] and not successor_notices(run)


def test_a_404_leads_to_the_successor_and_one_bill(engine: Engine, doubles: Doubles) -> None:
    """Two requests, one paid; the run says which model made it and what it cost there."""
    doubles.retire("google", OLD)
    run = made(engine, request(prompt="gone", resolution="1K"))
    assert models_asked(doubles, "gone") == [OLD, NEW]
    asked = doubles.request_log("gone")
    assert (asked["paid_calls"], asked["paid_images"]) == (1, 1)
    assert run.tasks[0].result and run.report.model == "nano-banana-2.1" and run.report.model_id == NEW
    assert run.report.usd == pytest.approx(0.0336)
    assert [one.facts().get("charged") for one in run.report.tried] == ["no", None]
    (notice,) = successor_notices(run)
    assert OLD in notice and NEW in notice and "price" in notice
    (bill,) = History(engine.ledger).spend()
    assert bill["usd"] == pytest.approx(0.0336) and bill["pictures"] == 1 and not bill["usd_in_doubt"]


def test_the_second_run_starts_at_the_successor(engine: Engine, doubles: Doubles) -> None:
    """It is remembered while the process lives, told again, and forecast with the successor's price."""
    doubles.retire("google", OLD)
    made(engine, request(prompt="first"))
    asked = request(prompt="second", resolution="2K")
    shown = estimate(engine, CHOICE, [asked], pixels=True)
    assert (shown.model, shown.model_id, shown.usd_each) == ("nano-banana-2.1", NEW, 0.0504)
    assert any("no longer knows" in notice for notice in shown.notices)
    run = made(engine, asked)
    assert models_asked(doubles, "second") == [NEW] and len(successor_notices(run)) == 1
    here = {each["provider"]: each for each in elsewhere(engine.resolver(), CHOICE, [asked])}
    assert here["google"]["model"] == "nano-banana-2.1" and here["fal"]["model"] == "nano-banana-2"


def test_a_restart_costs_one_free_request_and_pays_for_nothing_again(
    engine: Engine, doubles: Doubles, tmp_path: Path
) -> None:
    """The new process knows nothing of the end, and finds the successor's picture in the store."""
    doubles.retire("google", OLD)
    first = made(engine, request(prompt="restart", seed=4))
    again = made(machine(doubles, tmp_path), request(prompt="restart", seed=4))
    assert models_asked(doubles, "restart") == [OLD, NEW, OLD]
    assert doubles.request_log("restart")["paid_calls"] == 1 and again.report.usd == 0
    assert again.tasks[0].source == "store" and again.tasks[0].result and first.tasks[0].result
    assert again.tasks[0].result.data == first.tasks[0].result.data


def test_a_picture_of_the_old_id_stays_free(engine: Engine, doubles: Doubles) -> None:
    """Before the end is known here, and after."""
    asked = request(prompt="old picture", seed=9)
    made(engine, asked)
    doubles.retire("google", OLD)
    assert made(engine, asked).tasks[0].source == "store"
    made(engine, request(prompt="another"))
    again = made(engine, asked)
    assert again.tasks[0].source == "store" and again.report.usd == 0
    assert models_asked(doubles, "old picture") == [OLD]


def test_a_picture_of_the_successor_is_no_hit_while_the_old_id_lives(engine: Engine, doubles: Doubles) -> None:
    """Who asks for one model isn't given another's picture."""
    asked = request(prompt="both", seed=2)
    made(engine, asked, ProviderChoice("google", "nano-banana-2.1"))
    assert made(engine, asked).tasks[0].source == "provider"
    assert models_asked(doubles, "both") == [NEW, OLD]


def test_a_size_that_the_successor_lacks_is_refused_by_name(engine: Engine, doubles: Doubles) -> None:
    """After the free 404, and at once when the end is known: the sizes that there are, and nothing is paid."""
    doubles.retire("google", OLD)
    run = made(engine, request(prompt="half", resolution="0.5K"))
    error = run.tasks[0].error
    assert isinstance(error, Impossible) and error.charged == "no"
    assert "0.5K" in error.what and OLD in error.what and "1K, 2K, 4K" in error.cure
    assert models_asked(doubles, "half") == [OLD] and doubles.request_log("half")["paid_calls"] == 0
    with pytest.raises(Impossible, match="0.5K"):
        engine.plan(CHOICE, [request(prompt="half again", resolution="0.5K")])
    assert not doubles.request_log("half again")["requests"]


def test_auto_passes_over_a_provider_whose_successor_can_t_do_it(engine: Engine, doubles: Doubles) -> None:
    """The first run finds out; from then on 0.5K goes to the next provider that still has it."""
    doubles.retire("google", OLD)
    choice = ProviderChoice("auto", "nano-banana-2")
    first = made(engine, request(prompt="finds out", resolution="0.5K"), choice)
    assert first.tasks[0].error is not None and first.tasks[0].error.charged == "no"
    run = made(engine, request(prompt="passed over", resolution="0.5K"), choice)
    assert run.tasks[0].result and run.report.provider == "fal"


def test_the_fallback_is_asked_after_the_successor(engine: Engine, doubles: Doubles) -> None:
    """What the successor can't do is free, so the next provider may."""
    doubles.retire("google", OLD)
    chain = replace(CHOICE, fallback=ProviderChoice("fal", "nano-banana-2"))
    run = made(engine, request(prompt="next one", resolution="0.5K"), chain)
    assert run.tasks[0].result and run.report.provider == "fal"


def test_many_pictures_find_out_once(engine: Engine, doubles: Doubles) -> None:
    """What has not left when the 404 comes isn't sent to the old id, and each picture is paid once."""
    doubles.retire("google", OLD)
    slow = machine(doubles, engine.home, NANO_BANANA_PARALLEL="1")
    run = made(slow, replace(request(prompt="many"), num_images=5))
    assert all(result.result for result in run.tasks)
    assert models_asked(doubles, "many") == [OLD] + [NEW] * 5
    assert doubles.request_log("many")["paid_images"] == 5 and len(successor_notices(run)) == 1


def test_a_cap_holds_at_the_successor_s_price(doubles: Doubles, tmp_path: Path) -> None:
    """The reservation is for what is sent, not for what was asked for first."""
    doubles.reset()
    doubles.retire("google", OLD)
    google = QUICK_SPECS["google"]
    dear = Price({"1K": 0.9}, "a test", "2026-11-27")
    models = tuple(replace(m, price=dear) if m.name == "nano-banana-2.1" else m for m in google.models)
    environ = keyed(doubles, "google") | {"NANO_BANANA_CAP_RUN": "0.5"}
    engine = Engine(tmp_path, specs={"google": replace(google, models=models)}, environ=environ)
    run = made(engine, request(prompt="cap", resolution="1K"))
    assert [r.error.kind for r in run.report.failed if r.error] == ["cap"]
    assert models_asked(doubles, "cap") == [OLD] and doubles.request_log("cap")["paid_calls"] == 0


def test_an_address_that_knows_neither_model_teaches_nothing(engine: Engine, doubles: Doubles) -> None:
    """A wrong address answers 404 to everything: the error is about the model that was asked for."""
    doubles.retire("google", OLD)
    doubles.retire("google", NEW)
    run = made(engine, request(prompt="nowhere"))
    error = run.tasks[0].error
    assert error is not None and error.kind == "model" and OLD in error.what and not successor_notices(run)
    doubles.retire("google", OLD, retired=False)
    assert made(engine, request(prompt="back")).report.model_id == OLD


def test_an_id_that_was_written_by_hand_is_never_replaced(engine: Engine, doubles: Doubles) -> None:
    doubles.retire("google", OLD)
    run = made(engine, request(prompt="by hand"), ProviderChoice("google", "nano-banana-2", model_override=OLD))
    assert run.tasks[0].error is not None and models_asked(doubles, "by hand") == [OLD]


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        (spec.id, model.name)
        for spec in QUICK_SPECS.values()
        for model in spec.models
        if model.successor and spec.auth == "key"
    ],
)
def test_every_provider_that_names_a_successor_leads_to_it(
    doubles: Doubles, tmp_path: Path, provider: str, model: str
) -> None:
    """A free refusal in the provider's own dialect, then the successor; text and edit."""
    doubles.reset()
    engine = machine(doubles, tmp_path, provider)
    known = QUICK_SPECS[provider].model(model)
    assert known is not None
    for operation in OPERATIONS:
        capabilities = known.capabilities(operation)
        assert capabilities is not None
        doubles.retire(provider, capabilities.model_id)
        run = made(engine, request(operation, prompt=f"any {operation}"), ProviderChoice(provider, model))
        assert run.tasks[0].result and run.report.model == known.successor
        assert [one.charged for one in run.report.tried] in (["no", "no"], ["no"])
        assert doubles.request_log(f"any {operation}")["paid_calls"] == 1
