"""Runs at OpenRouter, kie.ai, APIFRAME v2 and WaveSpeed against their strict doubles: what is asked, paid and said."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, keyed, request, tiny
from long_rows import every_value
from pack.core.engine import Engine
from pack.core.execution.rate_limit import RateLimits
from pack.core.execution.retry_policy import DEFAULT_WAITS
from pack.core.execution.run import Run
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Request
from pack.tests.doubles.server import Doubles

NAMES = ("openrouter", "kie", "apiframe_v2", "wavespeed")
TASKS = ("kie", "apiframe_v2", "wavespeed")


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    """A machine with keys for these providers, and nothing learned yet."""
    doubles.reset()
    allowed = {"NANO_BANANA_ALLOW_MODELS": "openrouter:google/gemini-99"}
    return Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, *NAMES) | allowed)


def run(engine: Engine, provider: str, asked: Request, model: str = "recommended") -> Run:
    """A run to its end."""
    begun = engine.run([asked], engine.plan(ProviderChoice(provider, model), [asked]))
    assert begun.done.wait(40), "the run didn't end"
    if begun.error is not None:
        raise begun.error
    return begun


def charged(done: Run) -> list[str]:
    return [result.error.charged for result in done.report.failed if result.error]


# ------------------------------------------------------------------------------------------------ what is asked


@pytest.mark.parametrize("name", NAMES)
def test_references_arrive_as_their_exact_pixels(name: str, engine: Engine, doubles: Doubles) -> None:
    """In order, however they travel; also two that are uploaded under names of their own."""
    pictures = tuple(tiny(n, 20 + n, 30) for n in range(3))
    wanted = [sha256(picture._load().tobytes()).hexdigest() for picture in pictures]
    run(engine, name, replace(request("edit", 0, prompt=f"pixels {name}"), references=pictures))
    (entry,) = doubles.request_log("pixels")["requests"]
    assert [reference["sha256_pixels"] for reference in entry["references"]] == wanted


@pytest.mark.parametrize("name", TASKS)
def test_an_upload_is_used_again(name: str, engine: Engine, doubles: Doubles) -> None:
    """The same picture in another request isn't uploaded twice."""
    for prompt in ("up 1", "up 2"):
        assert run(engine, name, request("edit", prompt=prompt)).tasks[0].result
    assert [call["kind"] for call in doubles.request_log()["free"]].count("upload") == 1


@pytest.mark.parametrize("name", TASKS)
def test_an_upload_that_fails_for_a_moment_is_tried_again(name: str, engine: Engine, doubles: Doubles) -> None:
    """It is free; one that fails for good costs nothing."""
    doubles.fault("upload_status=502 times=1", provider=name)
    assert run(engine, name, request("edit", prompt="moment")).tasks[0].result
    doubles.fault("upload_status=401", provider=name)
    done = run(engine, name, replace(request("edit", prompt="never"), references=(tiny(9),)))
    assert charged(done) == ["no"] and not doubles.request_log("never")["requests"]


def test_uploads_at_an_origin_of_their_own_take_the_key_along(doubles: Doubles, tmp_path: Path) -> None:
    """Two names of one machine are two origins: the pictures go to the one, the paid request to the other."""
    doubles.reset()
    other = doubles.base_url("kie").replace("127.0.0.1", "localhost")
    specs = QUICK_SPECS | {"kie": replace(QUICK_SPECS["kie"], base_url=doubles.base_url("kie"), upload_url=other)}
    machine = Engine(tmp_path, specs=specs, environ={"KIE_API_KEY": "sim-run"})
    assert run(machine, "kie", request("edit", prompt="two origins")).tasks[0].result
    (entry,) = doubles.request_log("two origins")["requests"]
    assert entry["headers"]["host"].startswith("127.0.0.1") and entry["paid"] == 1
    assert entry["fields"]["input"]["image_input"][0].startswith("http://localhost:")


def test_the_key_stands_where_it_belongs(engine: Engine, doubles: Doubles) -> None:
    """APIFRAME v2 has a header of its own, the others the usual one."""
    for name in NAMES:
        run(engine, name, request(prompt=f"header {name}"))
        (entry,) = doubles.request_log(f"header {name}")["requests"]
        own = name == "apiframe_v2"
        assert ("x-api-key" in entry["headers"]) == own and ("authorization" in entry["headers"]) != own


# ---------------------------------------------------------------------------------------------- what it costs


FAILURES = [
    "refuse",
    "refuse=200",
    "refuse=403",
    "status=400",
    "status=401",
    "status=402",
    "status=404",
    "status=500",
    "status=500 paid",
    "status=502 paid",
    "status=504",
    "empty",
    "html",
    "broken_json",
    "task=fail",
    "task=fail paid",
    "task=cancelled",
    "task=cancelled paid",
    "drop=headers",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("words", FAILURES)
def test_what_a_failure_says_about_money_is_true(name: str, words: str, engine: Engine, doubles: Doubles) -> None:
    """ "no" is never said of a picture that was billed, and "yes" never of one that wasn't; nothing is billed twice."""
    done = run(engine, name, request(prompt=f"money [[sim: {words}]]"))
    billed = doubles.request_log("money")["paid_images"]
    (cost,) = charged(done)
    assert billed <= 1 and (cost != "no" or billed == 0) and (cost != "yes" or billed == 1), str(done.tasks[0].error)


@pytest.mark.parametrize(("words", "cost"), [("task=fail", "no"), ("task=fail paid", "yes")])
def test_kie_s_credits_tell_whether_a_failed_task_was_billed(
    words: str, cost: str, engine: Engine, doubles: Doubles
) -> None:
    """Elsewhere nobody knows."""
    done = run(engine, "kie", request(prompt=f"credits [[sim: {words}]]"))
    assert charged(done) == [cost] and "task" in str(done.tasks[0].error)


@pytest.mark.parametrize("name", NAMES)
def test_a_request_that_is_too_large_is_told_what_to_do(name: str, engine: Engine) -> None:
    """Each message says what to do, also where the provider says no more than that."""
    done = run(engine, name, request("edit", prompt="heavy [[sim: status=413]]"))
    assert charged(done) == ["no"] and "reference_format to jpeg" in str(done.tasks[0].error)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_without_a_word_is_not_quoted(name: str, engine: Engine) -> None:
    """Its id is there to ask the provider with, but not as what it said."""
    error = run(engine, name, request(prompt="mute [[sim: empty]]")).tasks[0].error
    assert error and "It said" not in str(error) and " Its task is " in str(error)


def test_openrouter_s_cost_is_its_own_word(engine: Engine) -> None:
    """`usage.cost` in both forms; there is no price list."""
    done = run(engine, "openrouter", request(prompt="cost"), "nano-banana-pro")
    assert (done.report.usd, done.report.usd_source) == (pytest.approx(0.134), "provider")


def test_openrouter_is_led_to_its_other_variant_and_remembers_it(engine: Engine, doubles: Doubles) -> None:
    """Neither is paid twice; an unknown model is refused by both and costs nothing."""
    doubles.switch("openrouter", "chat", 404)
    for number, requests in ((1, 2), (2, 1)):
        assert run(engine, "openrouter", request(prompt=f"form {number}")).tasks[0].result
        seen = doubles.request_log(f"form {number}")
        assert len(seen["requests"]) == requests and seen["paid_calls"] == 1
    choice = ProviderChoice("openrouter", model_override="google/gemini-99")
    asked = request(prompt="nobody has it")
    plan = engine.plan(choice, [asked])
    begun = engine.run([asked], plan)
    assert begun.done.wait(20) and charged(begun) == ["no"]


@pytest.mark.parametrize(
    ("name", "words"),
    every_value(TASKS, ["task steps=3 poll_status=503 poll_times=2", "task=unknown", "slow_body=0.2"]),
)
def test_a_task_is_followed_through_faults_on_the_way(name: str, words: str, engine: Engine, doubles: Doubles) -> None:
    """An accepted task is paid: its polls go on."""
    done = run(engine, name, request(prompt=f"way [[sim: {words}]]"))
    assert done.tasks[0].result, str(done.tasks[0].error)
    assert doubles.request_log("way")["paid_calls"] == 1


@pytest.mark.parametrize(
    ("name", "shape"), every_value([*NAMES], ["data", "images", "image_urls", "outputs", "triple"])
)
def test_an_answer_in_another_s_shape_is_read(name: str, shape: str, engine: Engine) -> None:
    """Pictures without a word about the task are finished pictures."""
    done = run(engine, name, request(prompt=f"shape [[sim: shape={shape}]]"))
    assert done.tasks[0].result, str(done.tasks[0].error)


# --------------------------------------------------------------------------------------------- asked twice, paid once


def keys(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["headers"]["idempotency-key"] for entry in entries]


@pytest.mark.parametrize(
    "words", ["drop=headers", "reset=headers", "drop=body", "status=500 paid", "broken_json", "html"]
)
def test_a_lost_answer_is_asked_for_again_with_the_same_key(words: str, engine: Engine, doubles: Doubles) -> None:
    """The provider knows the key: one job, one bill, one picture."""
    done = run(engine, "apiframe_v2", request("edit", prompt=f"lost [[sim: {words} times=1]]"))
    assert done.tasks[0].result, str(done.tasks[0].error)
    seen = doubles.request_log("lost")
    assert len(seen["requests"]) == 2 and seen["paid_calls"] == 1 and len(set(keys(seen["requests"]))) == 1
    assert done.report.requests[0]["attempts"] == 2


def test_an_answer_that_never_comes_is_given_up_after_three(engine: Engine, doubles: Doubles) -> None:
    """Billed once, and nobody knows: maybe."""
    done = run(engine, "apiframe_v2", request(prompt="mute [[sim: drop=headers]]"))
    seen = doubles.request_log("mute")
    assert charged(done) == ["maybe"] and len(seen["requests"]) == 3 and seen["paid_calls"] == 1


@pytest.mark.parametrize("status", [401, 402, 429])
def test_a_refusal_after_a_lost_answer_does_not_make_it_free(status: int, engine: Engine, doubles: Doubles) -> None:
    """It is about the last try: the first one was billed. A rate limit is waited for; here the patience is over at once."""
    engine._cache.rate_limits = RateLimits(replace(DEFAULT_WAITS, shortest_patience=3600.0))
    doubles.fault(f"status={status}", match="after")
    doubles.fault("status=500 paid times=1", match="after")
    asked = request(prompt="after")
    done = run(engine, "apiframe_v2", asked)
    assert charged(done) == ["maybe"] and doubles.request_log("after")["paid_calls"] == 1
    doubles.clear_faults()
    again = run(engine, "apiframe_v2", asked)
    assert again.tasks[0].error and again.tasks[0].error.kind == "doubt", "it is asked about before it is paid again"


def test_a_redirect_after_a_lost_answer_does_not_make_it_free(engine: Engine, doubles: Doubles) -> None:
    """As where a network asks its guests to log in, in the middle of a call."""
    doubles.fault("status=500 paid times=1", match="portal")
    doubles.fault("redirect=https://portal.example/login after=1", match="portal")
    asked = request(prompt="portal")
    done = run(engine, "apiframe_v2", asked)
    assert charged(done) == ["maybe"] and doubles.request_log("portal")["paid_calls"] == 1
    doubles.clear_faults()
    again = run(engine, "apiframe_v2", asked).tasks[0]
    assert again.error and again.error.kind == "doubt" and doubles.request_log("portal")["paid_calls"] == 1


def test_an_interrupt_after_a_lost_answer_does_not_lose_the_picture(engine: Engine, doubles: Doubles) -> None:
    """It may have been paid: asking for it goes on without the run, and the next run finds it."""
    asked = request(prompt="let go [[sim: drop=headers times=1]]")
    begun = engine.run([asked], engine.plan(ProviderChoice("apiframe_v2"), [asked]))
    assert doubles.wait(prompt="let go", state="answered")
    begun.stop()
    assert begun.done.wait(20) and charged(begun) == ["maybe"]
    assert run(engine, "apiframe_v2", asked).tasks[0].source == "store"
    assert doubles.request_log("let go")["paid_calls"] == 1


def test_two_pictures_of_one_prompt_are_two_jobs(engine: Engine, doubles: Doubles) -> None:
    """No seed is sent, so their bodies are equal: only the keys tell them apart."""
    done = run(engine, "apiframe_v2", replace(request(prompt="pair"), num_images=2))
    seen = doubles.request_log("pair")
    assert not done.report.failed and seen["paid_calls"] == 2 and len(set(keys(seen["requests"]))) == 2


def test_a_job_that_failed_is_not_handed_out_again(engine: Engine, doubles: Doubles) -> None:
    """Queueing again is a new job, with a key of its own."""
    asked = request(prompt="failed [[sim: task=fail times=1]]")
    assert charged(run(engine, "apiframe_v2", asked)) == ["no"]
    assert run(engine, "apiframe_v2", asked).tasks[0].result
    assert len(set(keys(doubles.request_log("failed")["requests"]))) == 2


@pytest.mark.parametrize("name", ["openrouter", "kie", "wavespeed"])
def test_without_a_documented_key_a_lost_answer_is_not_asked_for_again(
    name: str, engine: Engine, doubles: Doubles
) -> None:
    """It may have been paid."""
    done = run(engine, name, request(prompt="gone [[sim: drop=headers]]"))
    seen = doubles.request_log("gone")
    assert charged(done) == ["maybe"] and len(seen["requests"]) == 1
    assert "idempotency-key" not in seen["requests"][0]["headers"]
