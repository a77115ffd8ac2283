"""A finished picture that is too large to be decoded, and an answer that is too long to be read: neither is paid twice."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

from dialect_driver import PNG
from engine_play import answering, assert_said, engine_at, error_of, play
from pack.core.images import decoding
from pack.tests.raw_server import Connection, serving
from pytest import MonkeyPatch

_HEADER = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
HUGE = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + _HEADER + struct.pack(">I", zlib.crc32(_HEADER)) + b"\0" * 5000
"""A PNG whose header names 20,000 x 20,000 pixels."""


def coded(*pictures: bytes) -> dict[str, object]:
    return {"status": 200, "body": {"data": [{"b64_json": base64.b64encode(data).decode()} for data in pictures]}}


def test_a_picture_that_is_too_large_is_kept_and_not_paid_again(tmp_path: Path) -> None:
    """Refused by its header; the error names the file, and the next run finds it."""
    with answering(coded(HUGE)) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        for _ in range(3):
            error = error_of(play(engine, "nanobanana"))
            assert error.charged == "yes"
            assert_said(r"20000x20000.*kept in the results folder as (\w\w)/\1\w+\.png", error.what)
            assert len(server.posts) == 1
        (file,) = (tmp_path / "results").glob("??/*.png")
        assert file.read_bytes() == HUGE and file.name in error.what
        engine.ledger.close()


def test_a_stored_picture_above_a_lower_limit_is_not_damaged(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    """It was decoded and stored while more pixels were taken."""
    with answering(coded(PNG)) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        play(engine, "nanobanana")
        monkeypatch.setattr(decoding, "MAX_PIXELS", 5)
        run = play(engine, "nanobanana")
        assert_said("kept in the results folder", error_of(run).what)
        assert not any("damaged" in notice for notice in run.report.notices)
        monkeypatch.undo()
        assert play(engine, "nanobanana").tasks[0].result is not None and len(server.posts) == 1
        engine.ledger.close()


def test_an_extra_picture_that_is_too_large_is_kept(tmp_path: Path) -> None:
    """As bytes, as all of them are."""
    with answering(coded(HUGE, PNG)) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        run = play(engine, "nanobanana")
        assert run.tasks[0].result is not None and any("1 picture more" in each for each in run.report.notices)
        assert HUGE in [file.read_bytes() for file in (tmp_path / "results").glob("??/*.png")]
        engine.ledger.close()


def test_an_answer_that_promises_too_much_may_have_cost_money(tmp_path: Path) -> None:
    """It is refused unread."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n{")

    with serving(script) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        error = error_of(play(engine, "nanobanana"))
        assert error.charged == "maybe" and server.connection_count == 1
        assert_said("not read: the answer is longer than 320 MB", error.what)
        engine.ledger.close()


def test_a_task_whose_answer_promises_too_much_can_still_be_had(tmp_path: Path) -> None:
    """The provider has the task: the next run asks for it again, and pays nothing."""
    polls = [b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n{"]

    def script(connection: Connection) -> None:
        head = connection.read_head()
        connection.read_body()
        if head.startswith(b"POST"):
            posts.append(head)
            connection.answer(b'{"id": "t-1", "status": "processing"}', "201 Created", "Connection: close")
        elif polls:
            connection.write(polls.pop())
        else:
            body = b'{"id": "t-1", "status": "succeeded", "output": ["data:image/png;base64,%s"]}' % base64.b64encode(
                PNG
            )
            connection.answer(body, "200 OK", "Connection: close")

    posts: list[bytes] = []
    with serving(script) as server:
        engine = engine_at(tmp_path, "replicate", server.url)
        error = error_of(play(engine, "replicate"))
        assert error.charged == "maybe" and "t-1" in error.what and "without paying again" in error.cure
        assert play(engine, "replicate").tasks[0].result is not None
        assert len(posts) == 1
        engine.ledger.close()
