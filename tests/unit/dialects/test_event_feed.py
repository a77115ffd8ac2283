"""Server-sent events as they arrive: however the bytes are split, the events are those of the whole body."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from pack.core.dialects.parsing.event_feed import EventFeed, event_value
from pack.core.dialects.parsing.event_stream import parse_events
from pack.core.http.long_json import LongJson

LAST_LINES = b"\n\n"
"""Ends the last event, as servers do."""
LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line of a stream, right or odd."""
    text = json.dumps(draw(VALUES), ensure_ascii=False).encode("utf-8", "replace")
    odd = draw(st.binary(max_size=12))
    kinds = [
        b"data: " + text,
        b"data:" + text,
        b": " + odd,
        b"event: x",
        b"id: 7",
        b"",
        b"   ",
        odd,
        b"data: " + odd,
        b"data",
    ]
    return draw(st.sampled_from(kinds))


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    end = draw(LINE_ENDS)
    body = end.join(draw(st.lists(lines(), max_size=12)))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + body + draw(st.sampled_from([b"", end, end * 2]))


def fed(body: bytes, cuts: list[int], most_bytes: int = 1 << 20) -> list[bytes]:
    """The events of a body that arrives in pieces cut at these places."""
    feed = EventFeed(most_bytes)
    places = sorted({min(cut, len(body)) for cut in cuts})
    pieces = [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]
    return [event for piece in [*pieces, LAST_LINES] for event in feed.feed(piece)]


@given(streams(), st.lists(st.integers(0, 400), max_size=12))
def test_any_split_gives_the_same_events(body: bytes, cuts: list[int]) -> None:
    """In the middle of a line end, of a byte order mark, of a character."""
    assert fed(body, cuts) == fed(body, []) == fed(body, list(range(len(body))))


@given(streams())
def test_the_events_are_those_that_the_whole_body_has(body: bytes) -> None:
    """The two readers may not disagree about what came."""
    whole = [value for value in parse_events(LongJson(body)) if value is not None]
    if b"\xef\xbb\xbf" not in body[3:]:
        assert [value for event in fed(body, []) if (value := event_value(event)) is not None] == whole


@given(st.lists(st.integers(0, 3000), max_size=8), st.integers(1, 40))
def test_an_event_that_is_too_large_is_passed_over_alone(cuts: list[int], size: int) -> None:
    """Those around it are read; the memory that it takes is bounded."""
    giant = b"data: " + b"x" * 60 * size + b"\n" + b"data: y\n"
    body = b"data: 1\n\n" + giant + b"\ndata: 2\n\n"
    seen = fed(body, cuts, most_bytes=50)
    assert seen == [b"1", b"2"]


def test_comments_without_end_take_no_room() -> None:
    """A server may send them for hours to keep the line open."""
    feed = EventFeed(100)
    for _ in range(2000):
        assert feed.feed(b": still here\n") == []
    assert feed.feed(b"data: 1\n\n") == [b"1"]


def test_a_character_that_is_split_is_whole_in_its_event() -> None:
    body = 'data: {"text": "熊猫"}\n\n'.encode()
    for cut in range(len(body)):
        assert [event_value(event) for event in fed(body, [cut])] == [{"text": "熊猫"}]


def test_what_is_no_json_is_no_event_value() -> None:
    assert [event_value(text) for text in (b"[DONE]", b"{", b'{"a": 1} {"b": 2}', b"<html>", b"\xff\xfe")] == [None] * 5
