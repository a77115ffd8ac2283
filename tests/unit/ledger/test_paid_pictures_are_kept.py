"""No fault of this machine loses a picture that is paid, or reports it as free."""

from __future__ import annotations

import base64
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import PNG, QUICK_SPECS, keyed, request
from journal_driver import environ_of, lose_journal
from long_rows import every_value
from pack.core.engine import Engine
from pack.core.errors import ConfigError, LedgerFailed
from pack.core.execution import charge
from pack.core.execution.run import Run
from pack.core.http import download
from pack.core.http.transport import Transport
from pack.core.ledger import RunContext
from pack.core.ledger.history import History
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Request
from pack.tests.doubles.server import Doubles
from pack.tests.raw_server import Connection, serving

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.both_databases]

NAMES = ("fal", "kie", "onerouter", "google", "openrouter")
CDN = "https://cdn.example.com/picture.png"


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    doubles.reset()
    return Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, *NAMES) | environ_of(tmp_path))


def make(engine: Engine, asked: Request, provider: str, **choice: Any) -> Run:
    run = engine.run([asked], engine.plan(ProviderChoice(provider, **choice), [asked]))
    assert run.done.wait(30), "the run hangs"
    if run.error:
        raise run.error
    return run


def errors(run: Run) -> list[tuple[str, str]]:
    return [(result.error.kind, result.error.charged) for result in run.report.failed if result.error]


def state(engine: Engine) -> str:
    """Of the newest picture."""
    return History(engine.ledger).pictures()[0].state


# --------------------------------------------------------------------------------- settings that are wrong after the pay


@pytest.mark.parametrize(
    ("setting", "provider"), every_value(["NANO_BANANA_CA_BUNDLE", "ALL_PROXY"], ["fal", "onerouter"])
)
def test_a_download_that_this_machine_prevents_triggers_no_fallback(
    setting: str, provider: str, doubles: Doubles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API is reached and the host of the pictures isn't: certificates that are not there, a proxy without its package."""
    doubles.reset()
    environ = keyed(doubles, *NAMES)
    if setting == "ALL_PROXY":
        monkeypatch.setenv(setting, "socks5://127.0.0.1:9")
    else:
        environ[setting] = str(tmp_path / "none.pem")
    machine = Engine(tmp_path, specs=QUICK_SPECS, environ=environ | environ_of(tmp_path))
    asked = request(prompt=f"prevented [[sim: url={CDN}]]")
    run = make(machine, asked, provider, fallback=ProviderChoice("kie"))
    assert errors(run) == [("config", "yes")] and "Nothing was charged" not in str(run.tasks[0].error)
    assert doubles.request_log("prevented")["paid_images"] == 1 and state(machine) == "answered"
    assert errors(make(machine, asked, provider)) == [("config", "yes")]
    assert doubles.request_log("prevented")["paid_images"] == 1


def test_a_task_whose_poll_this_machine_prevents_is_resumed(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificates that are being replaced, say."""
    asked = request(prompt="poll")
    real = Transport.send

    def prevented(self: Transport, method: str, url: str, **more: Any) -> Any:
        if method == "GET":
            raise ConfigError("The file of CA certificates is away")
        return real(self, method, url, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "send", prevented)
        assert errors(make(engine, asked, "fal")) == [("config", "maybe")]
    assert state(engine) == "accepted"
    assert make(engine, asked, "fal").tasks[0].result and doubles.request_log("poll")["paid_images"] == 1


def test_a_task_stays_resumable_while_its_key_is_refused_for_days(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing about the picture, which a provider may keep for a week; a clock that jumped says as little."""
    asked = request(prompt="days [[sim: task=done poll_status=401 poll_times=2]]")
    monkeypatch.setattr(charge, "RESUMABLE_SECONDS", -1.0)
    for _ in range(2):
        assert errors(make(engine, asked, "fal")) == [("key", "maybe")] and state(engine) == "accepted"
    assert make(engine, asked, "fal").tasks[0].result and doubles.request_log("days")["paid_images"] == 1


# ------------------------------------------------------------------------------------------------ rows and bytes


@pytest.mark.parametrize("provider", ["fal", "google"])
def test_incoming_bytes_are_used_where_the_row_could_not_be_written(
    provider: str, engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is held by another process in the moment that the picture is to be stored."""
    asked = request(prompt="held")
    with monkeypatch.context() as patch:
        held = LedgerFailed("database is locked")
        patch.setattr(engine.ledger, "mark_stored", lambda *facts, **more: (_ for _ in ()).throw(held))
        assert make(engine, asked, provider).tasks[0].result
    run = make(engine, asked, provider)
    assert run.tasks[0].result and run.tasks[0].source == "store" and doubles.request_log("held")["paid_images"] == 1


def test_a_task_that_could_not_be_written_is_unresolved(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider has it, and its id is lost."""
    asked = request(prompt="nameless [[sim: task=done poll_status=401]]")
    full = LedgerFailed("The disk is full")
    with monkeypatch.context() as patch:
        patch.setattr(engine.ledger, "mark_accepted", lambda *facts: (_ for _ in ()).throw(full))
        assert errors(make(engine, asked, "fal")) == [("key", "maybe")]
    assert (
        errors(make(engine, asked, "fal")) == [("doubt", "maybe")]
        and doubles.request_log("nameless")["paid_calls"] == 1
    )


def test_a_call_ends_even_where_its_row_can_t_be_updated(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the last step must not leave a node waiting for ever."""
    monkeypatch.setattr(engine.ledger, "mark_failed", lambda *facts, **more: 1 / 0)
    assert errors(make(engine, request(prompt="row [[sim: status=400]]"), "google")) == [("invalid", "no")]


def test_a_failure_after_an_interrupt_is_unresolved(engine: Engine, doubles: Doubles) -> None:
    """An error that may have been billed comes after the interrupt: it is told before it is paid again."""
    asked = request(prompt="unheard [[sim: hold status=500 paid times=1]]")
    run = engine.run([asked], engine.plan(ProviderChoice("google"), [asked]))
    assert doubles.wait(prompt="unheard")
    run.stop()
    (call,) = run.calls
    doubles.release()
    assert call.done.wait(20)
    assert errors(make(engine, asked, "google")) == [("doubt", "maybe")]
    assert doubles.request_log("unheard")["paid_calls"] == 1


# -------------------------------------------------------------------------------------------------- half a character


@pytest.mark.parametrize("inside", [True, False], ids=["base64", "address"])
def test_a_lone_surrogate_in_the_model_s_text_loses_nothing(inside: bool, tmp_path: Path) -> None:
    """JSON can carry one, as a text that was cut inside an emoji does; UTF-8 and the journal can't."""

    def answer(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        if connection.head.startswith(b"GET"):
            connection.answer(PNG, "200 OK", "Content-Type: image/png")
            return
        picture = {"b64_json": base64.b64encode(PNG).decode()} if inside else {"url": f"{server.url}/a.png"}
        connection.answer(json.dumps({"data": [picture | {"revised_prompt": "a fox \ud83e"}]}).encode())

    with serving(answer) as server:
        environ = {"ONEROUTER_API_KEY": "sim-run", "NANO_BANANA_ONEROUTER_BASE_URL": server.url}
        machine, asked = (
            Engine(tmp_path, specs=QUICK_SPECS, environ=environ | environ_of(tmp_path)),
            request(prompt="half"),
        )
        assert make(machine, asked, "onerouter").tasks[0].result
        seen = server.connection_count
        again = make(machine, asked, "onerouter").tasks[0]
        assert (again.source, again.text, server.connection_count) == ("store", "a fox ?", seen)


def test_a_lone_surrogate_in_prompt_and_graph_is_kept(engine: Engine, tmp_path: Path) -> None:
    """The graph comes back as it was, and the journal can be made again from what is beside the picture."""
    asked, graph = request(prompt="cut \ud83e"), {"workflow": {"text": "cut \ud83e"}, "prompt": None}
    plan = engine.plan(ProviderChoice("google"), [asked])
    run = engine.run([asked], plan, run_context=RunContext("run", graph=graph))
    assert run.done.wait(20) and run.error is None and run.tasks[0].result
    (shown,) = History(engine.ledger).pictures()
    assert shown.prompt == "cut ?" and History(engine.ledger).graph(shown.uid) == graph
    History(engine.ledger).export(tmp_path / "out", [shown])
    engine.ledger.close()
    lose_journal(tmp_path)
    reopened = History(Engine(tmp_path, specs=QUICK_SPECS, environ=environ_of(tmp_path)).ledger)
    assert [known.uid for known in reopened.pictures()] == [shown.uid] and reopened.graph(shown.uid) == graph


# ----------------------------------------------------------------------------------------------------- time and sums


def test_a_slow_download_that_makes_progress_is_not_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is for a download without progress."""
    gone = threading.Event()

    def drip(connection: Connection) -> None:
        connection.read_head()
        connection.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(PNG)}\r\n\r\n".encode())
        for at in range(0, len(PNG), 10):
            connection.write(PNG[at : at + 10])
            gone.wait(0.1)

    with serving(drip) as server:
        begun = time.monotonic()
        assert download.download(Transport(server.url), f"{server.url}/a.png", 0.3) == PNG
        assert time.monotonic() - begun > 0.3 and server.connection_count == 1
        monkeypatch.setattr(download, "LONGEST_SECONDS", 0.3)
        with pytest.raises(download.DownloadFailed):
            download.download(Transport(server.url), f"{server.url}/a.png", 0.3)


def test_a_price_for_more_pictures_than_requested_counts_in_full(engine: Engine, doubles: Doubles) -> None:
    """The further picture has no row of its own, and caps count rows."""
    run = make(engine, request(prompt="beyond [[sim: more]]"), "openrouter")
    billed = doubles.request_log("beyond")["cost_usd"]
    assert any("1 picture more" in notice for notice in run.report.notices)
    assert run.report.usd == pytest.approx(billed)
    assert sum(spec["usd"] for spec in History(engine.ledger).spend()) == pytest.approx(billed)


def test_an_old_task_is_recovered_when_a_person_asks(engine: Engine, doubles: Doubles) -> None:
    """It is too old to be resumed at the start; fal keeps results for a week."""
    asked = request(prompt="long ago [[sim: task=done poll_status=401 poll_times=1]]")
    assert errors(make(engine, asked, "fal")) == [("key", "maybe")]
    engine.ledger._clock = lambda: time.time() + 5 * 86400
    unasked = engine.recover()
    assert unasked.wait(20) and unasked.result.text == ""
    wished = engine.recover(however_old=True)
    assert wished.wait(20) and wished.result.images == 1 and doubles.request_log("long ago")["paid_images"] == 1
