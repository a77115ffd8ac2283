"""A run from requests to results against the strict doubles: split, stored, stopped, fallen back, and never paid twice."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
from dialect_driver import QUICK_SPECS, keyed, request, tiny
from pack.core.engine import Engine
from pack.core.errors import LedgerFailed
from pack.core.execution.run import Run
from pack.core.ledger.history import History
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Request, mixed_seed
from pack.tests.doubles.server import Doubles


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    """A machine with keys for every provider of the doubles, and nothing learned yet."""
    doubles.reset()
    environ = keyed(doubles, "google", "onerouter", "apiframe", "nanobanana", "runflow", "fal", "replicate")
    return Engine(tmp_path, local_address=lambda: doubles.base_url("offline"), specs=QUICK_SPECS, environ=environ)


def begin(engine: Engine, asked: Request | list[Request], choice: ProviderChoice | None = None, count: int = 1) -> Run:
    """A run of `count` pictures per request, small ones."""
    several = asked if isinstance(asked, list) else [asked]
    small = [replace(one, num_images=count, options=replace(one.options, resolution="0.5K")) for one in several]
    choice = choice or ProviderChoice("onerouter", "nano-banana-2")
    wanted = small if choice.provider != "apiframe" else [replace(one, options=asked_options(one)) for one in small]
    return engine.run(wanted, engine.plan(choice, wanted))


def asked_options(one: Request) -> Any:
    return replace(one.options, resolution="auto")


def finish(run: Run) -> Run:
    assert run.done.wait(30), "the run didn't end"
    if run.error is not None:
        raise run.error
    return run


def errors(run: Run) -> list[tuple[str, str]]:
    return [(r.error.kind, r.error.charged) for r in run.report.failed if r.error]


def test_slots_are_sent_in_as_few_calls_as_the_provider_allows(engine: Engine, doubles: Doubles) -> None:
    """Five pictures at four per call: two calls, each with the seed of its first slot; results in slot order."""
    run = finish(begin(engine, request(prompt="five", seed=11), count=5))
    asked = doubles.request_log("five")
    assert asked["paid_calls"] == 2 and asked["paid_images"] == 5
    sent = sorted((entry["fields"]["n"], entry["fields"]["seed"]) for entry in asked["requests"])
    assert sent == sorted([(4, 11), (1, mixed_seed(11, 4))])
    assert [result.slot.index for result in run.tasks] == list(range(5))
    assert all(result.result and result.source == "provider" for result in run.tasks)
    assert len(run.report.requests) == 2 and run.report.provider == "onerouter"


def test_what_was_paid_is_taken_from_the_store(engine: Engine, doubles: Doubles) -> None:
    """The same again costs nothing and is the same, bit for bit; two more cost two."""
    first = finish(begin(engine, request(prompt="again", seed=3), count=2))
    second = finish(begin(engine, request(prompt="again", seed=3), count=2))
    assert doubles.request_log("again")["paid_images"] == 2
    assert [r.result.data for r in first.tasks if r.result] == [r.result.data for r in second.tasks if r.result]
    assert {r.source for r in second.tasks} == {"store"} and second.report.usd == 0.0
    third = finish(begin(engine, request(prompt="again", seed=3), count=4))
    assert [r.source for r in third.tasks] == ["store", "store", "provider", "provider"]
    assert doubles.request_log("again")["paid_images"] == 4


def test_two_runs_that_want_the_same_picture_pay_once(engine: Engine, doubles: Doubles) -> None:
    """Two equal nodes in one graph."""
    runs = [begin(engine, request(prompt="twins [[sim: slow=0.2]]", seed=1)) for _ in range(3)]
    for run in runs:
        finish(run)
    assert doubles.request_log("twins")["paid_calls"] == 1
    assert sorted(run.tasks[0].source for run in runs) == ["provider", "store", "store"]


def test_a_picture_that_stands_twice_in_one_run_is_paid_once(engine: Engine, doubles: Doubles) -> None:
    """Two equal frames of a batch."""
    one = request("edit", prompt="mirror", seed=2)
    run = finish(begin(engine, [replace(one, frame=0), replace(one, frame=1)]))
    assert doubles.request_log("mirror")["paid_images"] == 1
    assert [bool(r.result) for r in run.tasks] == [True, True]


def test_a_frame_that_fails_does_not_touch_the_others(engine: Engine, doubles: Doubles) -> None:
    """Each frame has its own result and its own error, in order."""
    frames = [
        replace(
            request("edit", prompt=f"frame {n} {'[[sim: refuse]]' if n == 1 else ''}"), references=(tiny(n),), frame=n
        )
        for n in range(4)
    ]
    run = finish(begin(engine, frames))
    assert [bool(r.result) for r in run.tasks] == [True, False, True, True]
    assert [r.slot.frame for r in run.tasks] == [0, 1, 2, 3]
    assert [kind for kind, _ in errors(run)] == ["content"]


def test_a_server_s_fault_is_never_sent_again(engine: Engine, doubles: Doubles) -> None:
    """A 500, and an answer that never came: one request each, maybe charged, and said."""
    for words in ("status=500 paid", "drop=headers", "reset=headers", "drop=body"):
        run = finish(begin(engine, request(prompt=f"once [[sim: {words}]]")))
        assert len(doubles.request_log(f"[[sim: {words}]]")["requests"]) == 1, words
        assert [charged for _, charged in errors(run)] == ["maybe"], words
        assert any("may have been charged" in notice for notice in run.report.notices)


def test_a_refusal_before_work_is_sent_again(engine: Engine, doubles: Doubles) -> None:
    """429, then the picture: two attempts, one payment."""
    run = finish(begin(engine, request(prompt="busy [[sim: status=429 retry_after=0 times=1]]")))
    assert run.tasks[0].result and run.report.requests[0]["attempts"] == 2
    assert doubles.request_log("busy")["paid_calls"] == 1


def test_an_upload_that_breaks_in_the_middle_is_sent_again(engine: Engine, doubles: Doubles) -> None:
    """The provider never had it."""
    doubles.fault("drop=upload times=1", provider="onerouter", match="")
    # More than the buffers of two sockets hold: else all of it was sent before the line is cut, and nobody can tell.
    big = replace(request("edit", prompt="cut"), references=(tiny(1, 1700, 1700),) * 2)
    run = finish(begin(engine, big))
    assert run.tasks[0].result and doubles.request_log("cut")["paid_calls"] == 1


def test_fewer_pictures_than_asked(engine: Engine, doubles: Doubles) -> None:
    """Those that came are kept in their slots; the next run asks for the missing one only."""
    run = finish(begin(engine, request(prompt="less [[sim: fewer times=1]]"), count=3))
    assert [bool(r.result) for r in run.tasks] == [True, True, False]
    again = finish(begin(engine, request(prompt="less [[sim: fewer times=1]]"), count=3))
    assert [r.source for r in again.tasks] == ["store", "store", "provider"] and not again.report.failed
    assert [entry["fields"]["n"] for entry in doubles.request_log("less")["requests"]] == [3, 1]


def test_more_pictures_than_asked(engine: Engine) -> None:
    """The last are the results; the other one is kept beside them, with a notice, and is in no output."""
    run = finish(begin(engine, request(prompt="gift [[sim: more]]"), count=2))
    assert not run.report.failed and len(run.tasks) == 2
    assert any("1 picture more" in notice and "results panel" in notice for notice in run.report.notices)
    assert sorted(shown.role for shown in History(engine.ledger).pictures()) == ["", "", "extra"]


@pytest.mark.parametrize("status", [401, 402])
def test_an_answer_that_makes_the_rest_pointless_stops_it(status: int, engine: Engine, doubles: Doubles) -> None:
    """One at a time: the first is refused, the others aren't sent and say why."""
    choice = ProviderChoice("onerouter", "nano-banana-2", max_parallel=1)
    frames = [replace(request(prompt=f"poor {n} [[sim: status={status}]]"), frame=n) for n in range(5)]
    run = finish(begin(engine, frames, choice))
    assert len(doubles.request_log("poor")["requests"]) == 1
    kinds = [kind for kind, _ in errors(run)]
    assert kinds[0] in ("key", "credit") and kinds[1:] == ["stopped"] * 4
    assert "earlier failure" in str(run.tasks[4].error)


def test_three_free_failures_in_a_row_stop_it(engine: Engine, doubles: Doubles) -> None:
    """A prompt that is refused each time is not tried for a batch of a hundred."""
    choice = ProviderChoice("onerouter", "nano-banana-2", max_parallel=1)
    frames = [replace(request(prompt=f"wrong {n} [[sim: status=400]]"), frame=n) for n in range(6)]
    run = finish(begin(engine, frames, choice))
    assert len(doubles.request_log("wrong")["requests"]) == 3
    assert [kind for kind, _ in errors(run)] == ["invalid"] * 3 + ["stopped"] * 3


def test_a_fallback_takes_over_after_a_free_failure(engine: Engine, doubles: Doubles) -> None:
    """Both are named, and only the second was paid."""
    doubles.fault("status=402", provider="onerouter", match="move on")
    chain = ProviderChoice("onerouter", "nano-banana-2", fallback=ProviderChoice("runflow", "nano-banana-2"))
    run = finish(begin(engine, request(prompt="move on"), chain, count=2))
    assert not run.report.failed and run.report.provider == "runflow"
    assert [(t.provider, t.pictures, t.charged) for t in run.report.tried] == [
        ("onerouter", 0, "no"),
        ("runflow", 2, "no"),
    ]
    assert doubles.request_log("move on", "onerouter")["paid_calls"] == 0
    assert doubles.request_log("move on", "runflow")["paid_images"] == 2


def test_a_fallback_never_follows_what_may_have_been_charged(engine: Engine, doubles: Doubles) -> None:
    """Paying twice for one picture is worse than none."""
    doubles.fault("status=500 paid", provider="onerouter", match="stay")
    chain = ProviderChoice("onerouter", "nano-banana-2", fallback=ProviderChoice("runflow", "nano-banana-2"))
    run = finish(begin(engine, request(prompt="stay"), chain))
    assert errors(run) == [("server", "maybe")] and not doubles.request_log("stay", "runflow")["requests"]


def test_a_stopped_run_lets_go_of_what_was_sent_and_drops_the_rest(engine: Engine, doubles: Doubles) -> None:
    """The sent one lands in the store: queueing again pays for the other two only."""
    choice = ProviderChoice("onerouter", "nano-banana-2", max_parallel=1)
    words = ("[[sim: hold]]", "", "")
    frames = [replace(request(prompt=f"stop {n} {word}"), frame=n) for n, word in enumerate(words)]
    run = begin(engine, frames, choice)
    assert doubles.wait(prompt="stop", state="received")
    summary = run.stop()
    finish(run)
    doubles.release()
    assert (summary.total, summary.completed, summary.pending, summary.dropped) == (3, 0, 1, 2)
    assert summary.usd is None or summary.usd >= 0
    assert [charged for _, charged in errors(run)] == ["maybe", "no", "no"]
    again = finish(begin(engine, frames, choice))
    assert [r.source for r in again.tasks] == ["store", "provider", "provider"]
    assert doubles.request_log("stop")["paid_calls"] == 3


def test_what_a_stopped_run_says_leaves_no_doubtful_picture_out(engine: Engine, doubles: Doubles) -> None:
    """One answer was lost before the interrupt: it isn't among those that were not sent and cost nothing."""
    frames = [replace(request(prompt=f"lost {n} [[sim: {w}]]"), frame=n) for n, w in enumerate(("drop=body", "hold"))]
    run = begin(engine, frames, ProviderChoice("onerouter", "nano-banana-2"))
    assert doubles.wait(prompt="lost", count=2)
    while run.tasks[0].error is None:
        run.done.wait(0.02)
    summary = run.stop()
    doubles.release()
    assert (summary.pending, summary.unresolved, summary.dropped) == (1, 1, 0)


def test_a_stopped_run_counts_its_own_pictures_of_a_call_that_was_left_behind(engine: Engine, doubles: Doubles) -> None:
    """The call has four, the run wants one of them."""
    four = request(prompt="four [[sim: task=done steps=4000 poll_status=401 poll_times=1]]")
    choice = ProviderChoice("fal", "nano-banana-2")
    assert errors(finish(begin(engine, four, choice, count=4))) == [("key", "maybe")] * 4
    run = begin(engine, four, choice)
    while run.progress.phase not in ("in queue", "in progress"):
        assert not run.done.wait(0.02), errors(run)
    summary = run.stop()
    assert (summary.total, summary.pending, summary.cancelling, summary.dropped) == (1, 1, 1, 0)


def test_auto_does_not_pay_again_for_what_a_provider_has_whose_key_is_away(doubles: Doubles, tmp_path: Path) -> None:
    """What it made is taken from the store, and what may be out there is asked about before another one is paid."""
    doubles.reset()
    environ = {**keyed(doubles, "fal", "onerouter"), "NANO_BANANA_ORDER": "fal,onerouter"}
    made, out = request(prompt="away made"), request(prompt="away out [[sim: task=done steps=4 poll_status=401]]")
    auto = ProviderChoice("auto", "nano-banana-2")
    with_fal = Engine(tmp_path, specs=QUICK_SPECS, environ=environ)
    assert finish(begin(with_fal, made, auto)).tasks[0].result
    assert errors(finish(begin(with_fal, out, auto))) == [("key", "maybe")]
    del environ["NANO_BANANA_FAL_API_KEY"]
    without = Engine(tmp_path, specs=QUICK_SPECS, environ=environ)
    assert finish(begin(without, made, auto)).tasks[0].source == "store"
    assert errors(finish(begin(without, out, auto))) == [("doubt", "maybe")]
    assert {entry["provider"] for entry in doubles.request_log("away")["requests"]} == {"fal"}
    assert doubles.request_log("away")["paid_calls"] == 2


def test_a_timeout_ends_the_node_and_not_the_call(engine: Engine, doubles: Doubles) -> None:
    """Maybe charged, no fallback; the late picture is taken by the next run without paying."""
    choice = ProviderChoice("onerouter", "nano-banana-2", timeout=1)
    prompt = "late [[sim: hold]]"
    run = finish(begin(engine, request(prompt=prompt), choice))
    assert errors(run) == [("timeout", "maybe")]
    doubles.release()
    again = finish(begin(engine, request(prompt=prompt)))
    assert again.tasks[0].source == "store" and doubles.request_log("late")["paid_calls"] == 1


def test_a_task_is_followed_through_faults_on_the_way(engine: Engine, doubles: Doubles) -> None:
    """An accepted task is paid: its polls go on through a 503."""
    for name in ("onerouter", "apiframe", "nanobanana", "runflow", "fal", "replicate"):
        prompt = f"task {name} [[sim: task steps=3 poll_status=503 poll_times=1]]"
        choice = ProviderChoice(name, max_parallel=1)
        asked = replace(request(prompt=prompt), num_images=1)
        run = finish(engine.run([asked], engine.plan(choice, [asked])))
        assert run.tasks[0].result, (name, str(run.tasks[0].error))
        assert doubles.request_log(f"task {name}")["paid_calls"] == 1


def test_a_failed_task_is_told_and_not_sent_again(engine: Engine, doubles: Doubles) -> None:
    """Free where the provider documents that failures are, maybe charged elsewhere."""
    for name, charged in (("nanobanana", "no"), ("apiframe", "maybe"), ("fal", "no"), ("replicate", "maybe")):
        asked = request(prompt=f"fails {name} [[sim: task=fail]]")
        run = finish(engine.run([asked], engine.plan(ProviderChoice(name), [asked])))
        assert [c for _, c in errors(run)] == [charged], name
        assert len(doubles.request_log(f"fails {name}")["requests"]) == 1


def test_the_variant_that_worked_is_remembered(engine: Engine, doubles: Doubles) -> None:
    """The first call is led on by a 404, the second begins with what worked; neither is paid twice."""
    doubles.switch("runflow", "run", 404)
    choice = ProviderChoice("runflow", "nano-banana-2")
    assert finish(begin(engine, request(prompt="form 1"), choice)).tasks[0].result
    assert finish(begin(engine, request(prompt="form 2"), choice)).tasks[0].result
    assert len(doubles.request_log("form 1")["requests"]) == 2 and doubles.request_log("form 1")["paid_calls"] == 1
    assert len(doubles.request_log("form 2")["requests"]) == 1


def test_an_upload_is_used_again(engine: Engine, doubles: Doubles) -> None:
    """The same picture in another request of the same machine isn't uploaded twice; another picture is."""
    choice = ProviderChoice("runflow", "nano-banana-2")

    def uploads() -> int:
        return sum(entry["method"] == "PUT" for entry in doubles.request_log()["free"])

    finish(begin(engine, request("edit", prompt="up 1"), choice))
    assert uploads() == 1
    finish(begin(engine, request("edit", prompt="up 2"), choice))
    assert uploads() == 1
    run = finish(begin(engine, replace(request("edit", prompt="up 3"), references=(tiny(77), tiny(0))), choice))
    assert run.tasks[0].result and uploads() == 2


def test_references_arrive_as_their_exact_pixels(engine: Engine, doubles: Doubles) -> None:
    """In order, at every provider, however they travel."""
    from hashlib import sha256

    pictures = tuple(tiny(n, 20 + n, 30) for n in range(3))
    wanted = [sha256(picture._load().tobytes()).hexdigest() for picture in pictures]
    for name in ("google", "onerouter", "apiframe", "nanobanana", "runflow", "fal", "replicate", "offline"):
        asked = replace(request("edit", 0, prompt=f"pixels {name}"), references=pictures)
        finish(engine.run([asked], engine.plan(ProviderChoice(name), [asked])))
        (entry,) = doubles.request_log(f"pixels {name}")["requests"]
        assert [reference["sha256_pixels"] for reference in entry["references"]] == wanted, name


def test_the_cost_is_the_provider_s_word_or_the_price_list(engine: Engine) -> None:
    """Runflow's runs name their cost; OneRouter's price is ours; an unknown one is none."""
    one = request(prompt="cost", resolution="1K")
    listed = finish(engine.run([one], engine.plan(ProviderChoice("onerouter", "nano-banana-2"), [one])))
    assert (listed.report.usd, listed.report.usd_source) == (pytest.approx(0.08), "price list")
    two = request(prompt="cost [[sim: task]]", resolution="1K")
    priced = finish(engine.run([two], engine.plan(ProviderChoice("runflow", "nano-banana-2"), [two])))
    assert priced.report.usd_source == "provider" and priced.report.usd is not None and priced.report.usd > 0
    three = request(prompt="cost", resolution="2K")
    unknown = finish(engine.run([three], engine.plan(ProviderChoice("onerouter", "nano-banana-2"), [three])))
    assert unknown.report.usd is None


def test_the_end_is_told_once(engine: Engine) -> None:
    """To a callback that waits, and at once to one that comes late."""
    run = begin(engine, request(prompt="end"))
    called = threading.Event()
    count: list[int] = []

    def tell(number: int) -> None:
        count.append(number)
        called.set()

    run.when_done(lambda: tell(1))
    assert called.wait(20) and run.done.is_set()
    run.when_done(lambda: tell(2))
    assert count == [1, 2]


def test_progress_ends_with_everything_back(engine: Engine) -> None:
    """Numbers, provider, model and the expected price."""
    run = finish(begin(engine, request(prompt="progress"), count=3))
    seen = run.progress
    assert (seen.total, seen.completed, seen.provider, seen.model) == (3, 3, "OneRouter", "nano-banana-2")


def test_a_bug_in_a_dialect_does_not_kill_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as ours; before anything was sent it cost nothing."""

    def explode(job: Any) -> Any:
        raise KeyError("private detail")

    broken = ModuleType("pack.core.dialects.exploding")
    broken.start = explode  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pack.core.dialects.exploding", broken)
    specs = QUICK_SPECS | {"onerouter": replace(QUICK_SPECS["onerouter"], dialect="exploding")}
    environ = {"ONEROUTER_API_KEY": "sim-run"}
    run = finish(begin(Engine(tmp_path, specs=specs, environ=environ), request(prompt="bug")))
    (error,) = [r.error for r in run.report.failed]
    assert error and error.charged == "no" and "pack itself" in str(error) and "private detail" not in str(error)


def test_references_that_can_t_travel_are_told_and_cost_nothing(doubles: Doubles, tmp_path: Path) -> None:
    """Found on the call's own thread, before a byte is sent."""
    specs = QUICK_SPECS | {"offline": replace(QUICK_SPECS["offline"], max_request_bytes=100)}
    small = Engine(tmp_path, local_address=lambda: doubles.base_url("offline"), specs=specs, environ={})
    asked = replace(request("edit", prompt="too large"), references=(tiny(1, 60, 60),))
    run = finish(small.run([asked], small.plan(ProviderChoice("offline"), [asked])))
    assert errors(run) == [("impossible", "no")] and not doubles.request_log("too large")["requests"]


@pytest.mark.parametrize(("word", "later"), [("b64", [("doubt", "maybe")]), ("url", [])])
def test_a_picture_that_can_t_be_stored_is_still_given(
    word: str, later: list[tuple[str, str]], engine: Engine, doubles: Doubles, tmp_path: Path
) -> None:
    """The disk fails after the request was sent: the picture is there with a notice, and is not paid again unasked. Where
    it waits at an address it is fetched again for nothing."""
    asked = request(prompt=f"full [[sim: hold {word}]]")
    run = begin(engine, asked)
    assert doubles.wait(prompt="full")
    incoming = tmp_path / "results" / "incoming"
    incoming.rmdir()
    incoming.write_text("in the way")
    doubles.release()
    finish(run)
    assert run.tasks[0].result and run.tasks[0].source == "provider"
    assert any("could not be stored" in notice and "Save this picture" in notice for notice in run.report.notices)
    incoming.unlink()
    assert errors(finish(begin(engine, asked))) == later
    assert doubles.request_log("full")["paid_calls"] == 1


def test_a_journal_that_fails_at_the_end_takes_no_picture_along(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the user was asked about one picture can't be written down: it is asked again, and the other one is given."""
    asked = [request(prompt="lost [[sim: drop=headers]]"), replace(request(prompt="good"), frame=1)]
    assert errors(finish(begin(engine, asked[0]))) == [("network", "maybe")]
    full = LedgerFailed("The disk is full")
    with monkeypatch.context() as patch:
        patch.setattr(engine.ledger, "mark_notified", Mock(side_effect=full))
        run = finish(begin(engine, asked))
    assert errors(run) == [("doubt", "maybe")] and run.tasks[1].result and full.reason in run.report.notices
    assert errors(finish(begin(engine, asked))) == [("doubt", "maybe")]
    assert doubles.request_log("lost")["paid_calls"] == 1


def test_bytes_that_are_no_picture_are_kept_and_named(engine: Engine, doubles: Doubles, tmp_path: Path) -> None:
    run = finish(begin(engine, request(prompt="half [[sim: short]]")))
    (error,) = [r.error for r in run.report.failed]
    (kept,) = (tmp_path / "results" / "unreadable").iterdir()
    assert error and error.charged == "yes" and kept.name in str(error) and kept.stat().st_size > 50
