"""An answer that is read while it arrives: drafts before the picture, and what a stream that breaks or lies leaves behind."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import PNG, QUICK_SPECS, keyed, request
from engine_play import B64, answering, engine_at
from long_rows import every_value
from pack.core.dialects.gemini import Gemini
from pack.core.engine import Engine
from pack.core.errors import NanoBananaError
from pack.core.execution import call, draft_watch
from pack.core.execution.run import Run
from pack.core.http import stream_end, transport
from pack.core.ledger.history import History
from pack.core.ledger.types import MOST_DRAFTS
from pack.core.planning.choice import ProviderChoice
from pack.tests.doubles.server import Doubles
from pack.tests.raw_server import Connection, after_head, serving

STREAM, WHOLE = "stream", "generate"
STREAM_TYPE = {"Content-Type": "text/event-stream"}


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    """A machine with a key for Google, whose double draws two drafts for each picture."""
    doubles.reset()
    return Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "google"))


@pytest.fixture(autouse=True)
def nothing_held(doubles: Doubles) -> Iterator[None]:
    yield
    doubles.clear_faults()


def begin(engine: Engine, prompt: str = "a fox", *, wants_drafts: bool = True) -> Run:
    wanted = [replace(request(prompt=prompt), num_images=1)]
    return engine.run(
        wanted, engine.plan(ProviderChoice("google", "nano-banana-2.1"), wanted), wants_drafts=wants_drafts
    )


def finish(run: Run) -> Run:
    assert run.done.wait(30), "the run didn't end"
    assert run.error is None, run.error
    return run


def error_of(run: Run) -> NanoBananaError:
    error = finish(run).tasks[0].error
    assert error is not None, "it succeeded"
    return error


def routes(doubles: Doubles, prompt: str) -> list[str]:
    """The double's routes that were asked, in order."""
    return [entry["route_name"] for entry in log(doubles, prompt)]


def log(doubles: Doubles, prompt: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = doubles.request_log(prompt)["requests"]
    return found


def waited_for(run: Run, count: int) -> dict[str, bytes]:
    """The drafts that are here while the picture is awaited."""
    tick = threading.Event()
    for _ in range(600):
        if len(run.drafts) >= count:
            break
        tick.wait(0.05)
    return run.drafts


def test_drafts_are_here_before_the_picture_is(engine: Engine, doubles: Doubles) -> None:
    """The provider holds the picture back until they were seen."""
    doubles.fault("small drafts=2 pause", provider="google")
    run = begin(engine, "seen early")
    seen = waited_for(run, 2)
    assert len(seen) == 2 and not run.done.is_set() and run.progress.phase == "a draft is here"
    doubles.release()
    (task,) = finish(run).tasks
    assert [draft.data for draft in task.drafts] == list(seen.values()) and run.drafts == {}
    assert routes(doubles, "seen early") == [STREAM] and doubles.request_log("seen early")["paid_images"] == 1


def test_without_anybody_who_looks_it_is_asked_as_before(engine: Engine, doubles: Doubles) -> None:
    finish(begin(engine, "unwatched", wants_drafts=False))
    assert routes(doubles, "unwatched") == [WHOLE]


@pytest.mark.parametrize(("whole_events", "drafts"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_a_stream_that_breaks_is_a_lost_answer(
    engine: Engine, doubles: Doubles, whole_events: int, drafts: int
) -> None:
    """It may have been charged: the user is asked before it is sent again. Drafts that had come whole are kept."""
    doubles.fault(f"small drafts=2 cut={whole_events} times=1", provider="google")
    error = error_of(begin(engine, "broken"))
    assert (error.kind, error.charged) == ("network", "maybe")
    assert [entry.role for entry in History(engine.ledger).pictures()].count("extra") == drafts
    assert ("results panel" in error.message) == bool(drafts)
    again = error_of(begin(engine, "broken"))
    assert again.kind == "doubt" and doubles.request_log("broken")["paid_calls"] == 1
    assert finish(begin(engine, "broken")).tasks[0].result is not None
    assert doubles.request_log("broken")["paid_calls"] == 2


def test_a_picture_that_had_come_whole_is_the_result(engine: Engine, doubles: Doubles) -> None:
    """Only the end of the stream is missing. It is told, also when the picture comes from the store."""
    doubles.fault("small drafts=2 cut=4", provider="google")
    for source in ("provider", "store"):
        run = finish(begin(engine, "nearly"))
        (task,) = run.tasks
        assert task.result is not None and task.source == source and len(task.drafts) == 2
        assert [notice for notice in run.report.notices if "broke off after the picture" in notice]
    assert doubles.request_log("nearly")["paid_calls"] == 1


def test_a_base_without_the_route_is_asked_as_before_and_known_from_then_on(engine: Engine, doubles: Doubles) -> None:
    """A gateway for one route of the API. The refusal is free."""
    doubles.switch("google", "stream", 404)
    for prompt, expected in (("first", [STREAM, WHOLE]), ("second", [WHOLE])):
        (task,) = finish(begin(engine, prompt)).tasks
        assert task.result is not None and len(task.drafts) == 1 and routes(doubles, prompt) == expected
    assert doubles.request_log("first")["paid_images"] == 1


def test_a_model_that_is_gone_is_asked_for_once(engine: Engine, doubles: Doubles) -> None:
    """Its other route would say the same."""
    doubles.retire("google", "gemini-nano-banana-2.1")
    assert error_of(begin(engine, "gone")).kind == "model" and routes(doubles, "gone") == [STREAM]


def test_a_stopped_run_gets_its_picture_all_the_same(engine: Engine, doubles: Doubles) -> None:
    """Cancel in the middle of the stream: the picture is paid, and lands in the store."""
    doubles.fault("small drafts=1 pause", provider="google")
    run = begin(engine, "cancelled")
    waited_for(run, 1)
    summary = run.stop(cancel=True)
    assert (summary.pending, summary.dropped) == (1, 0)
    doubles.release()
    assert run.done.wait(30) and all(call.done.wait(30) for call in run.calls)
    again = finish(begin(engine, "cancelled"))
    assert again.tasks[0].source == "store" and len(again.tasks[0].drafts) == 1
    assert doubles.request_log("cancelled")["paid_calls"] == 1


# ------------------------------------------------------------------------------------------------- odd streams


def event(*parts: dict[str, Any], end: str = "\r\n\r\n", **more: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    reason = more.pop("finishReason", None)
    candidate |= {"finishReason": reason} if reason else {}
    return f"data: {json.dumps({'candidates': [candidate], **more}, ensure_ascii=False)}{end}".encode()


def picture(**more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": B64}, **more}


DRAFT = event(picture(thought=True))
USAGE = event(finishReason="STOP", usageMetadata={"totalTokenCount": 9})
GOOD: dict[str, tuple[bytes, int]] = {
    "the use of tokens in the last event only": (DRAFT + event(picture()) + USAGE, 1),
    "an end of next year": (event(picture(), finishReason="WATERMARKED_GLADLY"), 0),
    "words of more than one byte a character": (event({"text": "熊猫，好"}) + DRAFT + event(picture()) + USAGE, 1),
    "comments and other fields": (b": wait\n\nevent: x\nid: 1\nretry: 5\n" + DRAFT + event(picture()) + USAGE, 1),
    "a giant event before it": (b"data: " + b" " * (33 << 20) + b"1\n\n" + DRAFT + event(picture()) + USAGE, 1),
    "a list in place of events": (
        json.dumps([json.loads(each[6:]) for each in (DRAFT, event(picture()), USAGE)]).encode(),
        1,
    ),
    "one object in place of events": (event(picture(thought=True), picture(), finishReason="STOP")[6:], 1),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_picture_in_an_odd_stream_is_found(tmp_path: Path, name: str) -> None:
    body, drafts = GOOD[name]
    with answering({"status": 200, "raw": body, "headers": STREAM_TYPE}) as server:
        run = finish(begin(engine_at(tmp_path, "google", server.url)))
    (task,) = run.tasks
    assert task.result is not None, task.error
    assert len(task.drafts) == drafts and len(server.posts) == 1


BAD: dict[str, tuple[bytes, str, str]] = {
    "an end in the middle": (DRAFT, "unreadable", "maybe"),
    "nothing": (b"", "unreadable", "maybe"),
    "a page": (b"<html><body>Please log in</body></html>", "unreadable", "maybe"),
    "a refusal after a draft": (DRAFT + event(finishReason="IMAGE_SAFETY"), "content", "maybe"),
    "no picture, of next year": (DRAFT + event(finishReason="MOOD"), "empty", "maybe"),
    "an end in the middle, with ratings of the prompt": (
        event(picture(thought=True), promptFeedback={"safetyRatings": []}),
        "unreadable",
        "maybe",
    ),
    "a blocked prompt": (b'data: {"promptFeedback": {"blockReason": "SAFETY"}}\n\n', "content", "maybe"),
    "too many requests, after tokens were used": (
        b'data: {"usageMetadata": {"totalTokenCount": 9}, "modelVersion": "x"}\n\n'
        + b'data: {"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}\n\n',
        "rate",
        "maybe",
    ),
    "an error in the middle": (
        DRAFT + b'data: {"error": {"code": 500, "message": "Internal error", "status": "INTERNAL"}}\n\n',
        "server",
        "maybe",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_stream_without_a_picture_says_why(tmp_path: Path, name: str) -> None:
    """Sent once, never again by itself. What the model had drawn is in the results panel."""
    body, kind, charged = BAD[name]
    with answering({"status": 200, "raw": body, "headers": STREAM_TYPE}) as server:
        engine = engine_at(tmp_path, "google", server.url)
        error = error_of(begin(engine))
    assert (error.kind, error.charged) == (kind, charged) and len(server.posts) == 1, error.message
    extras = [entry for entry in History(engine.ledger).pictures() if entry.role == "extra"]
    assert len(extras) == body.count(b'"thought": true')


def test_what_follows_a_picture_without_its_end_is_told_and_no_turn(tmp_path: Path) -> None:
    """An error, or nothing: a signature may be missing, so a conversation goes on from the picture alone."""
    error = b'data: {"error": {"code": 500, "message": "Internal error", "status": "INTERNAL"}}\n\n'
    ratings: dict[str, Any] = {"promptFeedback": {"safetyRatings": []}}
    bodies = {"error": event(picture()) + error, "ratings": event(picture(), **ratings)}
    for name, body in bodies.items():
        with answering({"status": 200, "raw": body, "headers": STREAM_TYPE}) as server:
            engine = engine_at(tmp_path / name, "google", server.url)
            run = finish(begin(engine))
        (task,) = run.tasks
        assert task.result is not None, name
        assert [each for each in run.report.notices if "broke off after the picture" in each], name
        assert not engine.branch_after(task).last.parts, name


def test_drafts_that_cannot_be_read_are_given_up_once(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer itself is paid and read as ever; the log has one line about it and not one for each piece."""

    has_failed = threading.Event()

    def fails(self: Gemini, value: Any) -> Any:
        has_failed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(Gemini, "drafts_in", fails)
    doubles.fault("small drafts=2 pause", provider="google")
    run = begin(engine, "odd drafts")
    assert has_failed.wait(30)
    doubles.release()
    (task,) = finish(run).tasks
    assert task.result is not None and len(task.drafts) == 2
    assert len([entry for entry in caplog.records if "drafts in a stream" in entry.getMessage()]) == 1


@pytest.mark.parametrize(("most_bytes", "found"), [(draft_watch.DRAFT_BYTES, MOST_DRAFTS), (2 * len(PNG), 2)])
def test_a_stream_is_not_taken_apart_any_more_once_there_is_room_for_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int, found: int
) -> None:
    """Neither for their number nor for their bytes; the picture behind them is the result as ever."""
    looks: list[Any] = []
    drafts_in = Gemini.drafts_in

    def counted(self: Gemini, value: Any) -> Any:
        looks.append(value)
        return drafts_in(self, value)

    monkeypatch.setattr(Gemini, "drafts_in", counted)
    monkeypatch.setattr(draft_watch, "DRAFT_BYTES", most_bytes)
    body = DRAFT * (MOST_DRAFTS + 40) + event(picture()) + USAGE
    with answering({"status": 200, "raw": body, "headers": STREAM_TYPE}) as server:
        (task,) = finish(begin(engine_at(tmp_path, "google", server.url))).tasks
    assert task.result is not None and len(task.drafts) == MOST_DRAFTS
    assert len(looks) == found


SOON = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.1s"}]
REFUSALS = {
    "429": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED", "details": SOON},
    "503": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE", "details": SOON},
}


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("before", [b"", b": wait\n\n", b"data: {}\n\n"], ids=["alone", "comment", "empty"])
def test_a_stream_of_nothing_but_a_refusal_is_free_and_asked_for_again(
    tmp_path: Path, code: str, before: bytes
) -> None:
    """As the same refusal without a stream, whose status is in its head and not in its body."""
    refusal = before + b"data: " + json.dumps({"error": REFUSALS[code]}).encode() + b"\n\n"
    good = event(picture()) + USAGE
    answers = [{"status": 200, "raw": body, "headers": STREAM_TYPE} for body in (refusal, good)]
    with answering(*answers) as server:
        engine = engine_at(tmp_path, "google", server.url)
        (task,) = finish(begin(engine)).tasks
        assert task.result is not None and len(server.posts) == 2
    (stored,) = History(engine.ledger).pictures()
    assert History(engine.ledger).spend()[0]["usd"] == pytest.approx(stored.usd)


# ---------------------------------------------------------------------------------------------- streams without end


def endless(first: bytes, piece: bytes, every: float, gone: threading.Event) -> Any:
    """A script that streams `first`, then `piece` every so many seconds until the client or the test has gone."""

    def script(connection: Connection) -> None:
        connection.read_body()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + first)
        while not gone.wait(every):
            connection.write(piece)

    return after_head(script)


FLOOD = event({"text": "and so on " * 400})
ENDLESS = {"events": (FLOOD, 0.0), "a trickle": (b": wait\n\n", 0.02)}


@pytest.fixture
def skip_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets hours pass for the exchange that is under way. An answer may have a megabyte here."""
    passed = [0.0]
    timed = partial(transport.Transport, clock=lambda: time.monotonic() + passed[0])
    monkeypatch.setattr(call, "Transport", timed)
    monkeypatch.setattr(transport, "ANSWER_BYTES", 1 << 20)
    return lambda: passed.append(passed.pop() + 1e5)


def ended(engine: Engine, name: str, skip_time: Callable[[], None]) -> Run:
    """The run of a stream without end, after all of that stream's beginning was seen."""
    run = begin(engine)
    if name == "a trickle":
        waited_for(run, 1)
        skip_time()
    return finish(run)


@pytest.mark.parametrize("name", ENDLESS)
def test_a_stream_without_end_is_given_up_and_may_have_been_charged(
    tmp_path: Path, name: str, skip_time: Callable[[], None]
) -> None:
    """By its bytes or by the time. What had come whole is kept; nothing is sent again unasked."""
    gone = threading.Event()
    with serving(endless(DRAFT, *ENDLESS[name], gone)) as server:
        engine = engine_at(tmp_path, "google", server.url)
        error = ended(engine, name, skip_time).tasks[0].error
        assert error is not None and error.charged == "maybe", error
        assert error.kind == {"events": "unreadable", "a trickle": "timeout"}[name]
        said = {"events": "longer than 1 MB", "a trickle": "did not end in time"}[name]
        assert all(each in error.message for each in (said, "may have charged", "results panel")), error.message
        assert [entry.role for entry in History(engine.ledger).pictures()].count("extra") == 1
        assert error_of(begin(engine)).kind == "doubt"
        gone.set()
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ENDLESS)
def test_a_picture_before_an_endless_rest_is_the_result(
    tmp_path: Path, name: str, skip_time: Callable[[], None]
) -> None:
    """It came whole, and it is paid."""
    gone = threading.Event()
    with serving(endless(event(picture()) + DRAFT, *ENDLESS[name], gone)) as server:
        run = ended(engine_at(tmp_path, "google", server.url), name, skip_time)
        gone.set()
    (task,) = run.tasks
    assert task.error is None and task.result is not None, task.error
    assert [notice for notice in run.report.notices if "broke off after the picture" in notice]
    assert len(server.requests) == 1


# ------------------------------------------------------------------------------------------ streams that stay open


STOPPED_DRAFT = event(picture(thought=True), finishReason="STOP")
ENDED = event(picture(), finishReason="STOP")
SIGNED = event({"text": "", "thoughtSignature": "c2lnbmVk"}, finishReason="STOP")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> queue.Queue[bool]:
    """Whether the stream was found to be whole, each time that it was looked at; that is soon here."""
    answers: queue.Queue[bool] = queue.Queue()
    is_whole = Gemini.is_whole

    def noted(self: Gemini, body: bytes) -> bool:
        found = is_whole(self, body)
        answers.put(found)
        return found

    monkeypatch.setattr(Gemini, "is_whole", noted)
    monkeypatch.setattr(stream_end, "QUIET_SECONDS", 0.2)
    return answers


def staying_open(*pieces: bytes, asked: queue.Queue[bool], gone: threading.Event, chunked: bool, comments: bool) -> Any:
    """A script that sends each piece once what came before was found not to be whole, and then never hangs up."""

    def script(connection: Connection) -> None:
        connection.read_body()
        kind = "Transfer-Encoding: chunked" if chunked else "Connection: close"
        connection.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{kind}\r\n\r\n".encode())

        def write(data: bytes) -> None:
            connection.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)

        for number, piece in enumerate(pieces):
            if number:
                assert asked.get(timeout=30) is False
            write(piece)
        while not gone.wait(0.05):
            if comments:
                write(b": wait\n\n")

    return after_head(script)


OPEN = {
    "a picture before its end": (DRAFT, DRAFT, event(picture()), USAGE),
    "drafts that say STOP": (STOPPED_DRAFT, STOPPED_DRAFT, ENDED),
    "a picture that comes in halves": (DRAFT + DRAFT + USAGE, ENDED[:200], ENDED[200:]),
}


@pytest.mark.parametrize(("name", "comments", "chunked"), every_value(list(OPEN), (False, True), (False, True)))
def test_a_stream_that_stays_open_after_its_end_is_not_waited_for(
    tmp_path: Path, asked: queue.Queue[bool], name: str, chunked: bool, comments: bool
) -> None:
    """However long the pauses before its end are."""
    gone = threading.Event()
    with serving(staying_open(*OPEN[name], asked=asked, gone=gone, chunked=chunked, comments=comments)) as server:
        engine = engine_at(tmp_path, "google", server.url)
        run = finish(begin(engine))
        (task,) = run.tasks
        assert task.result is not None and len(task.drafts) == 2, task.error
        assert not [notice for notice in run.report.notices if "broke off" in notice]
        assert not gone.is_set() and asked.get(timeout=30) is True
        assert finish(begin(engine)).tasks[0].source == "store" and len(server.requests) == 1
        gone.set()


def test_what_follows_the_end_at_once_belongs_to_the_answer(tmp_path: Path, asked: queue.Queue[bool]) -> None:
    """Some models name the end in every event; a signature may come after the picture."""
    gone = threading.Event()
    answer = ENDED + SIGNED + USAGE
    with serving(staying_open(answer, asked=asked, gone=gone, chunked=True, comments=False)) as server:
        engine = engine_at(tmp_path, "google", server.url)
        (task,) = finish(begin(engine)).tasks
        gone.set()
    assert [part.signature for part in engine.branch_after(task).last.parts if part.signature] == ["c2lnbmVk"]


@pytest.mark.parametrize(
    "end",
    [
        event(finishReason="IMAGE_SAFETY"),
        b'data: {"promptFeedback": {"blockReason": "SAFETY"}}\n\n',
    ],
    ids=["refused", "blocked"],
)
def test_a_refusal_in_a_stream_that_stays_open_is_said_at_once(
    tmp_path: Path, asked: queue.Queue[bool], end: bytes
) -> None:
    gone = threading.Event()
    with serving(staying_open(end, asked=asked, gone=gone, chunked=True, comments=False)) as server:
        assert error_of(begin(engine_at(tmp_path, "google", server.url))).kind == "content"
        assert not gone.is_set()
        gone.set()


def test_a_stream_that_cannot_be_looked_at_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looked = threading.Event()

    def fails(self: Gemini, body: bytes) -> bool:
        looked.set()
        raise ZeroDivisionError

    def script(connection: Connection) -> None:
        connection.read_body()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + DRAFT)
        assert looked.wait(30)
        connection.write(event(picture()) + USAGE)

    monkeypatch.setattr(Gemini, "is_whole", fails)
    monkeypatch.setattr(stream_end, "QUIET_SECONDS", 0.2)
    with serving(after_head(script)) as server:
        (task,) = finish(begin(engine_at(tmp_path, "google", server.url))).tasks
    assert task.result is not None and len(server.requests) == 1
    assert [entry for entry in caplog.records if "a stream has ended" in entry.getMessage()]
