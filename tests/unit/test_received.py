"""Bodies as they come: one copy in memory, and no key in them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from engine_play import engine_at, play
from hypothesis import given
from hypothesis import strategies as st
from pack.core.http import body_buffer, transport
from pack.core.http.body_buffer import Received, joined
from pack.core.ledger.kept_answers import KeptAnswer, KeptAnswers
from pack.core.redaction import sent_key
from pack.core.redaction.sent_key import Scrubber
from pack.tests.reply_server import replying

KEY = b"Zq81secret"


@given(
    st.lists(st.sampled_from([KEY, KEY[:4], KEY[4:], b"Z", KEY[:-1], b"x" * 30, b"", b"..."]), max_size=20), st.data()
)
def test_a_secret_is_taken_out_wherever_the_pieces_are_cut(parts: list[bytes], data: st.DataObject) -> None:
    """As `replace` does it in the whole body."""
    whole = b"".join(parts)
    got, at = Received(KEY), 0
    while at < len(whole):
        size = data.draw(st.integers(1, 12))
        got.add(whole[at : at + size])
        at += size
    assert len(got) <= len(whole)
    assert got.end() == whole.replace(KEY, b"...")


def test_a_body_is_in_memory_once() -> None:
    """While it is collected, and when it is handed out."""
    piece = bytes(1 << 20)
    tracemalloc.start()
    try:
        got = Received(KEY)
        for _ in range(64):
            got.add(piece)
        body = got.end()
        assert len(body) == 64 << 20 and tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()


def test_the_parts_of_a_download_are_joined() -> None:
    """Each longer than one step, or empty."""
    for first, second in ((b"ab" * (3 << 20), b"c" * (5 << 20)), (b"", b"x"), (b"x", b"")):
        assert joined(first, second) == first + second


def test_an_answer_that_is_too_long_is_kept_as_far_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been paid; nobody can ask for it again."""
    monkeypatch.setattr(transport, "ANSWER_BYTES", 1 << 20)
    raw = b'{"data":[{"url":"' + b"x" * (2 << 20) + b'"}]}'
    with replying() as server:
        server.replies = [{"status": 200, "raw": b"200000\r\n" + raw, "headers": {"Transfer-Encoding": "chunked"}}]
        run = play(engine_at(tmp_path, "onerouter", server.url), "onerouter")
    (result,) = run.tasks
    assert result.error is not None and result.error.charged == "maybe"
    (file,) = (tmp_path / "results" / "unreadable").glob("*.answer")
    # The piece with which it becomes too long isn't kept: up to 256 KiB, as many as had arrived at once.
    assert 3 << 18 <= file.stat().st_size < 2 << 20 and file.name in result.error.message
    assert b'{"data":[{"url":"xxx' in file.read_bytes()


def test_an_answer_is_kept_whole_and_in_pieces(tmp_path: Path) -> None:
    """Pictures with escaped slashes are not looked into; what is between is; far too much of it is cut."""
    picture = (b"iVBOR\\/" * 200_000)[: 1 << 20]
    body = b'{"a":"' + picture + b'","key":"sk-0123456789abcdef"}'
    scrubber = Scrubber(["sk-0123456789abcdef"])
    answers = KeptAnswers(tmp_path)
    answers.write("call", KeptAnswer(200, {}, body, {"at": "submit"}), scrubber.pieces)
    kept = answers.read("call")
    assert kept is not None and kept.body == body.replace(b"sk-0123456789abcdef", b"...")
    assert kept.body == scrubber.body(body)


def test_what_no_api_answers_is_not_looked_through_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred MB of words would take a minute."""
    monkeypatch.setattr(sent_key, "MOST_BESIDE", 100_000)
    words = b'"abc",' * 100_000
    assert Scrubber(["sk-0123456789abcdef"]).body(words) == words[:100_000]
    assert body_buffer.Received().end() == b""


@given(st.lists(st.sampled_from([KEY, KEY[:4], KEY[4:], b"x" * 30, b""]), max_size=12), st.data())
def test_a_look_at_what_has_come_changes_nothing(parts: list[bytes], data: st.DataObject) -> None:
    """Also where it ends in the middle of a secret, whose other half makes the body shorter."""
    got, looked = Received(KEY), Received(KEY)
    for part in parts:
        got.add(part)
        looked.add(part)
        if data.draw(st.booleans()):
            assert len(looked.so_far()) == len(looked)
    assert looked.end() == got.end()
