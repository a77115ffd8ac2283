"""Answers that are made to hold a thread, fill the memory or break the reader, over real sockets.

Every one of them ends as an answer, or as a break that says how much was sent. Deadlines are made short by arguments.
"""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import PNG
from engine_play import GEMINI_IMAGE, assert_said, assert_unsaid, engine_at, error_of, play
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from long_rows import first
from pack.core.dialects.base.step import Reply
from pack.core.execution import key_check
from pack.core.http import connections, content_encoding, response_head, socket_reader, transport
from pack.core.http.body import Body, Raw
from pack.core.http.connections import UnsafeAddress
from pack.core.http.content_encoding import Decoder, Undecodable
from pack.core.http.download import DownloadFailed, download
from pack.core.http.failures import RequestFailed
from pack.core.http.response_head import BadAnswer, clean_head, read_status_line
from pack.core.http.transport import TooLong, Transport
from pack.core.keys import google_service_account
from pack.tests.raw_server import Connection, RawServer, serving
from test_transport import certificate, trusting

assert certificate  # a fixture

JSON = b'{"some": "answer"}'
SHORT = 0.7
"""Seconds of a deadline that is meant to pass."""
PATIENT = 30.0
"""Seconds that a test gives what should be over at once, or at the short deadline."""


def post(server: RawServer, size: int = 100, *, seconds: float = PATIENT, way: Transport | None = None) -> Reply:
    """A paid request of `size` bytes."""
    body = Body((Raw(bytes(size)),), "application/json")
    way = way or Transport(server.url)
    try:
        return way.send("POST", server.url + "/x", headers={}, body=body, deadline=time.monotonic() + seconds)
    finally:
        way.close()


def get(server: RawServer, *, seconds: float = PATIENT, end: float | None = None) -> tuple[Reply, bool]:
    way = Transport(server.url)
    now = time.monotonic()
    try:
        return way.download(server.url + "/a.png", deadline=now + seconds, end=now + end if end else None)
    finally:
        way.close()


def answers(*pieces: bytes) -> Callable[[Connection], None]:
    """A script that reads a whole request, writes these bytes and hangs up."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        for piece in pieces:
            connection.write(piece)

    return script


def request_failed_by(script: Callable[[Connection], None], size: int = 100) -> RequestFailed:
    with serving(script) as server, pytest.raises(RequestFailed) as broken:
        post(server, size)
    return broken.value


def ok(*headers: str, body: bytes = JSON) -> bytes:
    specs = ["HTTP/1.1 200 OK", *headers]
    return "\r\n".join(specs).encode("utf-8") + b"\r\n\r\n" + body


# ----------------------------------------------------------------------------------------------------------- lengths

UNREADABLE_LENGTHS = [
    pytest.param(specs, id=" & ".join(specs))
    for specs in (
        ["Content-Length: ²"],
        ["Content-Length: -5"],
        ["Content-Length: +5"],
        ["Content-Length: 0x12"],
        ["Content-Length: 1e1"],
        ["Content-Length: ٥"],
        ["Content-Length: 1_8"],
        ["Content-Length: 5 5"],
        ["Content-Length:"],
        ["Content-Length: 5, 18"],
        ["Content-Length: 5", "Content-Length: 7"],
        ["Content-Length: NaN"],
    )
]


@pytest.mark.parametrize("specs", UNREADABLE_LENGTHS)
def test_a_length_that_is_none_is_not_believed(specs: list[str]) -> None:
    """The body ends with its connection: all of it counts."""
    with serving(answers(ok(*specs))) as server:
        assert post(server).body == JSON
        assert get(server)[0].body == JSON and get(server)[1]


@pytest.mark.parametrize("specs", [["Content-Length: -5"], ["Content-Length: 5, 7"]])
def test_without_a_length_and_without_an_end_silence_is_the_end(
    specs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server keeps the connection open for the next request."""
    monkeypatch.setattr(socket_reader, "SILENCE_SECONDS", 0.3)
    over = threading.Event()

    def script(connection: Connection) -> None:
        answers(ok(*specs))(connection)
        over.wait(60)

    with serving(script) as server:
        assert post(server).body == JSON
        over.set()


@pytest.mark.parametrize(
    "specs",
    [
        ["Content-Length: 18", "Content-Length: 18"],
        ["Content-Length: 18, 18"],
        ["Content-Length: 018"],
        ["content-length : 18"],
        ["Content-Length: 18", "Transfer-Encoding: identity"],
    ],
)
def test_a_length_that_is_said_twice_or_oddly_holds(specs: list[str]) -> None:
    """What follows the promised bytes belongs to nothing."""
    with serving(answers(ok(*specs) + b"GARBAGE")) as server:
        assert post(server).body == JSON


@pytest.mark.parametrize("digits", ["9" * 19, "9" * 5000, str(1 << 62)])
def test_a_length_beyond_all_sense_is_refused(digits: str) -> None:
    """By its claim; Python reads no number of 5000 digits."""
    with serving(answers(ok(f"Content-Length: {digits}"))) as server:
        with pytest.raises(TooLong):
            post(server)
        with pytest.raises(TooLong):
            get(server)


@pytest.mark.parametrize("length", ["3", "²", "-1", "400"])
@pytest.mark.parametrize("coding", ["chunked", "Chunked", "identity, chunked", "chunked\r\nTransfer-Encoding: chunked"])
def test_a_length_beside_chunks_counts_for_nothing(length: str, coding: str) -> None:
    """RFC 9112, section 6.3."""
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(JSON), JSON)
    with serving(
        answers(ok(f"Content-Length: {length}", f"Transfer-Encoding: {coding}", body=chunks)),
    ) as server:
        assert post(server).body == JSON
        assert get(server) == (get(server)[0], True)


@pytest.mark.parametrize("size", [b"-5", b"+5", b"0x5", b"1_0", b"", b"zz", b"f" * 16, b"\xc2\xb2"])
def test_a_size_of_a_chunk_that_is_none_is_a_break(size: bytes) -> None:
    """Nothing after it can be told from a size."""
    error = request_failed_by(
        answers(ok("Transfer-Encoding: chunked", body=b'5\r\n{"a":\r\n' + size + b"\r\n1}\r\n0\r\n\r\n"))
    )
    assert error.sent == "all"


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 900", JSON),
        ("Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(JSON), JSON)),
        ("Transfer-Encoding: chunked", b"%x\r\n%s\r\nzz\r\n" % (len(JSON), JSON)),
        ("Transfer-Encoding: chunked", b"%x\r\n%s" % (900, JSON)),
    ],
)
def test_json_that_is_whole_is_kept_although_its_connection_broke(framing: tuple[str, bytes]) -> None:
    """A paid answer isn't lost to a wrong length or a missing last chunk."""
    with serving(answers(ok(framing[0], body=framing[1]))) as server:
        assert post(server).body == JSON
    cut = framing[1].replace(b'"}', b'""')
    assert request_failed_by(answers(ok(framing[0], body=cut))).sent == "all"


def test_a_picture_that_is_whole_is_kept_although_more_was_promised() -> None:
    """Asking for the rest again and again would lose it."""
    with serving(answers(ok(f"Content-Length: {len(PNG) + 9}", body=PNG))) as server:
        assert download(Transport(server.url), server.url + "/a.png", 30.0) == PNG
        assert server.connection_count == 1


# --------------------------------------------------------------------------------------------------------- deadlines


def endless(begin: bytes, piece: bytes, every: float) -> Callable[[Connection], None]:
    """A script that reads a request and then sends `piece` for ever, `every` so many seconds."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        connection.write(begin)
        while True:
            connection.write(piece)
            time.sleep(every)

    return script


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NEVER_ENDING = {
    "a status line in single bytes": (b"HTTP/1.1 200 ", b"O"),
    "header lines": (b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n"),
    "one header in single bytes": (b"HTTP/1.1 200 OK\r\nX-A: ", b"1"),
    "folded lines": (b"HTTP/1.1 200 OK\r\nX-A: 1\r\n", b" 1\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103 Early Hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "headers of one 103": (b"HTTP/1.1 103 Early Hints\r\n", b"Link: </a>\r\n"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "a chunk's extension": (CHUNKED + b"5;", b"a"),
    "a chunk's extensions": (CHUNKED, b"1;a=b;c=d\r\nx\r\n"),
    "a chunk in single bytes": (CHUNKED + b"ffff\r\n", b"x"),
    "a body in single bytes": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
    "a body without a length": (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    "a body with two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", b"x"),
    "a gzip in single bytes": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10],
        b"\0\0\0\xff\xff",
    ),
}


def drip(name: str) -> None:
    """Posts to and downloads from a server that drips; both end at their deadline."""
    begin, piece = NEVER_ENDING[name]
    with serving(endless(begin, piece, 0.05)) as server:
        began = time.monotonic()
        with pytest.raises(RequestFailed) as broken:
            post(server, seconds=SHORT)
        try:
            reply, whole = get(server, seconds=SHORT)
        except RequestFailed as late:
            assert late.timed_out
        else:
            assert not whole and reply.status == 200
        assert time.monotonic() - began < PATIENT
        server.settle(2)  # both scripts found their connection closed
    assert broken.value.sent == "all" and broken.value.timed_out


def test_what_drips_for_ever_ends_at_the_deadline() -> None:
    """A byte now and then resets every timeout of a read; the deadline holds all the same, and lets the socket go."""
    before = set(threading.enumerate())
    # At the same time: each of them waits for two deadlines.
    with ThreadPoolExecutor(len(NEVER_ENDING)) as pool:
        running = {name: pool.submit(drip, name) for name in NEVER_ENDING}
    assert {name: ended.exception() for name, ended in running.items()} == dict.fromkeys(NEVER_ENDING)
    ours = [thread for thread in set(threading.enumerate()) - before if "_accept" not in thread.name]
    assert not ours


@pytest.mark.parametrize("name", ["header lines", "100 Continue", "folded lines", "headers of one 103"])
def test_what_floods_for_ever_ends_at_its_size(name: str) -> None:
    """Long before the deadline, and before it fills the memory."""
    begin, piece = NEVER_ENDING[name]
    with serving(endless(begin, piece * 500, 0)) as server:
        with pytest.raises(RequestFailed) as broken:
            post(server)
    assert broken.value.sent == "all"


def test_trailers_without_end_take_nothing_from_the_answer() -> None:
    """The last chunk has come. The connection isn't used again: another answer would begin in the middle of this one."""
    begin = CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(JSON), JSON)
    for every, seconds in ((0.0, PATIENT), (0.05, SHORT)):
        with serving(endless(begin, b"X-A: 1\r\n", every)) as server:
            way = Transport(server.url)
            assert post(server, seconds=seconds, way=way).body == JSON
            server.settle(1)


def test_a_server_that_reads_a_byte_now_and_then_ends_at_the_deadline() -> None:
    """A send waits for every piece again."""

    def script(connection: Connection) -> None:
        connection.read_head()
        while connection.channel.recv(1) and not over.wait(0.02):
            pass

    over = threading.Event()
    with serving(script) as server, pytest.raises(RequestFailed) as broken:
        post(server, 24 << 20, seconds=SHORT)
    over.set()
    assert broken.value.sent == "partial"


def test_a_server_that_reads_slowly_over_tls_ends_at_the_deadline(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There every record is waited for again; an answer that drips ends as well."""
    over = threading.Event()

    def script(connection: Connection) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        with context.wrap_socket(connection.channel, server_side=True) as secure:
            inner = Connection(secure)
            inner.read_head()
            if inner.header("content-length") != "100":
                while secure.recv(1) and not over.wait(0.02):
                    pass
                return
            inner.read_body()
            while True:
                inner.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                time.sleep(0.05)

    for size, sent in ((24 << 20, "partial"), (100, "all")):
        with serving(script) as server:
            with pytest.raises(RequestFailed) as broken:
                post(server, size, seconds=SHORT, way=trusting(server, certificate, monkeypatch))
            over.set()
            server.settle()
        assert broken.value.sent == sent


def test_a_handshake_without_an_answer_ends_at_the_deadline() -> None:
    """Of TLS, and of the tunnel through a proxy: nothing is sent by then."""
    over = threading.Event()
    with serving(lambda connection: [connection.channel.recv(10), over.wait(60)]) as silent:
        silent.url = silent.url.replace("http:", "https:")
        with pytest.raises(RequestFailed) as broken:
            post(silent, seconds=SHORT)
        over.set()
    assert broken.value.sent == "none" and broken.value.timed_out

    drip = endless(b"HTTP/1.1 200 Connection established\r\n", b"X-A: 1\r\n", 0.05)
    with serving(drip) as proxy:
        with pytest.raises(RequestFailed) as broken:
            way = Transport("https://api.example.com", proxy=proxy.url)
            body = Body((Raw(b"{}"),), "application/json")
            way.send("POST", "https://api.example.com/x", headers={}, body=body, deadline=time.monotonic() + SHORT)
        proxy.settle()
    assert broken.value.sent == "none"


def test_many_addresses_of_a_host_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would have been tried for the whole time."""
    tried: list[str] = []
    clock = [0.0]

    def connect(connection: Any) -> Any:
        tried.append(connection._dns_host)
        clock[0] += connection.timeout
        raise connections.urllib3.exceptions.ConnectTimeoutError(connection, "no answer")

    monkeypatch.setattr(connections.urllib3.connection.HTTPConnection, "_new_conn", connect)
    found = [(2, 1, 6, "", (f"203.0.113.{n}", 80)) for n in range(1, 200)]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    way = Transport("http://api.example.com", clock=lambda: clock[0])
    with pytest.raises(RequestFailed) as broken:
        way.send("GET", "http://api.example.com/x", headers={}, deadline=40.0)
    assert broken.value.sent == "none" and broken.value.timed_out
    assert tried == ["203.0.113.1", "203.0.113.2", "203.0.113.3"] and clock[0] == 40.0


def test_the_test_of_a_key_and_the_request_for_a_token_keep_their_deadlines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go through the same transport."""
    monkeypatch.setattr(key_check, "SECONDS", SHORT)
    monkeypatch.setattr(google_service_account, "TOKEN_SECONDS", SHORT)
    with serving(endless(*NEVER_ENDING["header lines"], 0.05)) as server:
        resolver = engine_at(tmp_path, "runflow", server.url).resolver()
        checked = key_check.check_key(resolver.target(resolver.specs["runflow"], "default"))
        assert checked.verdict == "unreachable"
        asking = google_service_account._TokenRequest(Transport(server.url), server.url)
        with pytest.raises(RequestFailed):
            asking._send(server.url, "POST", b"grant", {})
        server.settle(2)


def test_a_token_of_more_than_a_token_s_size_is_not_read() -> None:
    """Nor the 400 MB that a picture may have."""
    with serving(answers(ok("Content-Length: 5000000"))) as server:
        asking = google_service_account._TokenRequest(Transport(server.url), server.url)
        with pytest.raises(TooLong):
            asking._send(server.url, "POST", b"grant", {})


# ------------------------------------------------------------------------------------------------------------- heads


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * (10 << 20) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\n" + b" 1\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 " + b"2" * (1 << 20),
    ],
    ids=["a header of 10 MB", "100,000 headers", "100,000 folds", "a status of 1 MB"],
)
def test_a_head_beyond_all_sense_is_unreadable(head: bytes) -> None:
    """It was answered, so it may have been paid; the fault is the provider's."""
    error = request_failed_by(answers(head, JSON))
    assert error.sent == "all" and error.kind == "unreadable"


def test_many_headers_are_no_reason_to_lose_an_answer() -> None:
    """The standard library takes a hundred; those with a meaning stay."""
    specs = [f"X-{n}: {n}" for n in range(300)]
    with serving(answers(ok(*specs, f"Content-Length: {len(JSON)}", "Retry-After: 7", "Content-Type: a/b"))) as server:
        reply = post(server)
    assert reply.body == JSON and reply.headers["retry-after"] == "7" and reply.headers["content-type"] == "a/b"


@pytest.mark.parametrize(
    "spec",
    [
        b"X-A: a\0b",
        b"X-A: caf\xe9 \xff\xfe",
        "X-A: 图片".encode(),
        b"X-A: a\rX-B: b",
        b"X-A: a\r\n  folded\r\n\tagain",
        b" folded from nowhere",
        b"no colon at all",
        b": no name",
        b"X A: b",
        b"X-\xff: b",
        b"\x1b[31mX: b",
        b"Content-Length\0: 3",
        b"X-A:" + b"\x85\xa0\x0b\x0c",
        b"Set-Cookie: a=b; expires=" + b"0" * 5000,
        b"Content-Type: \xf0\x9f\x8d\x8c",
    ],
)
def test_odd_bytes_in_headers_harm_nothing(spec: bytes) -> None:
    """Neither the headers that follow, nor the body."""
    head = b"HTTP/1.1 200 OK\r\n" + spec + b"\r\nContent-Length: %d\r\nX-Last: here\r\n\r\n" % len(JSON)
    with serving(answers(head + JSON + b"GARBAGE")) as server:
        reply = post(server)
    assert reply.body == JSON and reply.headers["x-last"] == "here" and "set-cookie" not in reply.headers
    assert not any(c < " " or c == "\x7f" for value in reply.headers.values() for c in value)


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 99999 X",
        b"HTTP/1.1 2OO OK",
        b"HTTP/1.1 -20 OK",
        b"HTTP/1.1 2_0 OK",
        b"HTTP/1.1 020 OK",
        "HTTP/1.1 20² OK".encode(),
        b"HTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP",
        b"ICY 200 OK",
        b"SSH-2.0-OpenSSH_9.6",
        b"220 mail ready",
        b"<html>",
        b"\0\0\0",
        b"",
    ],
)
def test_a_status_line_that_is_none_is_an_unreadable_answer(line: bytes) -> None:
    """In words, and not as a broken connection: another internet connection wouldn't cure it."""
    error = request_failed_by(answers(line + b"\r\nContent-Length: 0\r\n\r\n"))
    assert error.sent == "all" and error.kind == "unreadable" and "no HTTP answer" in error.why
    assert error.why.isprintable()


@pytest.mark.parametrize("line", [b"HTTP/9.9 200 OK", b"HTTP/2 200", b"HTTP/1.1 200", b"HTTP/1.1  200  \xff\0"])
def test_an_odd_version_of_an_answer_is_read(line: bytes) -> None:
    """It may be a picture that was paid."""
    with serving(answers(line + b"\r\nContent-Length: %d\r\n\r\n%s" % (len(JSON), JSON))) as server:
        assert post(server).body == JSON


def test_an_empty_answer_and_one_that_is_cut_are_breaks() -> None:
    """Nothing came, or the beginning of a success; a refusal that is cut is one all the same."""
    assert request_failed_by(answers()).sent == "all"
    assert request_failed_by(answers(b"HTTP/1.1 200 OK\r\nContent-Ty")).sent == "all"
    with serving(answers(b"HTTP/1.1 402 Payment Required\r\nContent-Ty")) as server:
        assert post(server).status == 402


@pytest.mark.parametrize("hangs_up", [False, True])
def test_an_answer_in_the_middle_of_the_upload_is_read(hangs_up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that doesn't want a body says so and reads no more, whether it hangs up or not."""
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 1.0)
    over = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.answer(b'{"error":"too large"}', "413 Payload Too Large", "Connection: close")
        if not hangs_up:
            over.wait(60)

    with serving(script) as server:
        try:
            reply = post(server, 24 << 20)
        except RequestFailed as broken:
            # A reset may overtake the answer and take it away; then a part is all that is known.
            assert hangs_up and broken.sent == "partial"
        else:
            assert reply.status == 413 and b"too large" in reply.body
        over.set()


# ------------------------------------------------------------------------------------------------------------ packing


def layers(data: bytes, count: int) -> bytes:
    for _ in range(count):
        data = gzip.compress(data, 9, mtime=0)
    return data


@cache
def zeros() -> bytes:
    """10 GB of them, packed."""
    return gzip.compress(bytes(100 << 20), 9, mtime=0) * 100


PACKED: dict[str, Callable[[], bytes]] = {
    "gzip": zeros,
    "gzip, gzip": lambda: gzip.compress(zeros(), mtime=0),
    "deflate": lambda: zlib.compress(bytes(200 << 20), 9),
    "gzip, deflate": lambda: zlib.compress(zeros()),
}


@pytest.mark.parametrize("encoding", first(1, PACKED))
def test_a_body_that_unpacks_to_gigabytes_is_given_up_early(encoding: str) -> None:
    """After some megabytes, which no picture in so few bytes has."""
    bomb = PACKED[encoding]()
    error = request_failed_by(answers(ok(f"Content-Encoding: {encoding}", f"Content-Length: {len(bomb)}", body=bomb)))
    assert error.sent == "all" and error.kind == "unreadable" and "100 times" in error.why
    with serving(answers(ok(f"Content-Encoding: {encoding}", body=bomb))) as server:
        reply, whole = get(server)
    assert not whole and len(reply.body) <= 32 << 20


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", JSON),
        ("deflate", JSON),
        ("br", JSON),
        ("zstd, gzip", JSON),
        ("nonsense", JSON),
        ("utf-8", JSON),
        ("identity", JSON),
        (", ,", JSON),
        ("GZIP", gzip.compress(JSON, mtime=0)),
        ("x-gzip", gzip.compress(JSON, mtime=0)),
        ("gzip", gzip.compress(JSON[:7], mtime=0) + gzip.compress(JSON[7:], mtime=0)),
        ("gzip", gzip.compress(JSON, mtime=0) + b"garbage"),
        ("gzip", gzip.compress(JSON, mtime=0)[:-8]),
        ("deflate", zlib.compress(JSON)),
        ("deflate", zlib.compress(JSON)[2:-4]),
        ("deflate", gzip.compress(JSON, mtime=0)),
        ("gzip, gzip", layers(JSON, 2)),
        ("gzip\r\nContent-Encoding: gzip", layers(JSON, 2)),
        ("deflate, gzip", gzip.compress(zlib.compress(JSON), mtime=0)),
        ("br, gzip", gzip.compress(JSON, mtime=0)),
    ],
)
def test_a_body_is_read_whatever_is_said_of_its_packing(encoding: str, body: bytes) -> None:
    """Packed as it says, or not at all."""
    with serving(answers(ok(f"Content-Encoding: {encoding}", body=body))) as server:
        assert post(server).body == JSON
        assert get(server)[0].body == JSON


def test_the_packing_of_the_way_is_undone_too() -> None:
    """Transfer-Encoding: gzip, chunked."""
    packed = gzip.compress(JSON, mtime=0)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    with serving(answers(ok("Transfer-Encoding: gzip, chunked", body=chunks))) as server:
        assert post(server).body == JSON


def test_ten_layers_and_a_damaged_one_are_breaks() -> None:
    """They may hold an answer, which nobody can read."""
    many = ok("Content-Encoding: " + ", ".join(["gzip"] * 10), body=layers(JSON, 10))
    damaged = bytearray(gzip.compress(bytes(range(256)) * 20))
    damaged[20:30] = bytes(10)
    for answer in (many, ok("Content-Encoding: gzip", body=bytes(damaged))):
        error = request_failed_by(answers(answer))
        assert error.sent == "all" and error.kind == "unreadable"


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2100), max_size=8), st.integers(0, 3))
@settings(max_examples=examples(60), deadline=None)
def test_unpacking_doesn_t_depend_on_how_the_bytes_came(data: bytes, cuts: list[int], count: int) -> None:
    """In any pieces, through any number of layers; and anything at all is either passed on or refused."""
    packed = layers(data, count)
    places = sorted({0, len(packed), *(cut for cut in cuts if cut < len(packed))})
    decoder = Decoder(", ".join(["gzip"] * count))
    came = [out for a, b in zip(places, places[1:], strict=False) for out in decoder.feed(packed[a:b])]
    assert b"".join([*came, *decoder.end()]) == data
    for coding in ("gzip", "deflate", "gzip, deflate"):
        decoder = Decoder(coding)
        try:
            assert all(len(out) <= max(content_encoding.PIECE, len(data)) for out in decoder.feed(data))
        except Undecodable:
            pass


# ---------------------------------------------------------------------------------------------------------- redirects


def redirecting(location: bytes, body: bytes = b"") -> Callable[[Connection], None]:
    return answers(b"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: " + location + b"\r\n\r\n" + body)


@pytest.mark.parametrize(
    "location",
    [
        b"/" + b"a" * 20_000,
        b"http://example.com/" + b"a" * 20_000,
        b"http://a\0b.example.com/",
        b"http://exa\x01mple.com/",
        b"http://exam ple.com/",
        b"/a\tb",
        b"http://[",
        b"http://[::1",
        b"http://example.com:99999/",
        b"http://example.com:\xb2/",
        b"http://\xff\xff\xff/",
        b"http://" + b"a" * 300 + b".com/",
        b"http://.com/",
        b"file:///etc/passwd",
        b"javascript:alert(1)",
        b"http://169.254.169.254/latest/meta-data",
        b"http://user@169.254.169.254/",
        b"//169.254.169.254/",
        "http://169。254。169。254/".encode(),
        "http://①⑥⑨.254.169.254/".encode(),
        b"http://2852039166/",
        b"http://0251.0376.0251.0376/",
        b"http://0xa9fea9fe/",
        b"http://[::ffff:169.254.169.254]/",
        b"http://168.63.129.16/machine",
        b"http://metadata.google.internal/",
        b"http://metadata/",
        b"http://intranet.corp/",
    ],
)
def test_a_redirect_to_what_is_no_public_address_is_refused(location: bytes) -> None:
    """By a clear error, and nothing is asked there."""
    with serving(redirecting(location)) as server, pytest.raises(UnsafeAddress):
        get(server)


def test_redirects_in_a_circle_and_to_nowhere_end() -> None:
    """A redirect without an address is an answer without a picture."""
    with serving(redirecting(b"/a"), redirecting(b"/b")) as server:
        with pytest.raises(UnsafeAddress, match="without end"):
            get(server)
        assert server.connection_count == transport._REDIRECTS
    with serving(answers(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")) as server:
        assert get(server)[0].status == 302


def test_the_body_of_a_redirect_is_never_read() -> None:
    """Not even where it would unpack to gigabytes or goes on for ever."""
    endless_redirect = endless(
        b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Encoding: gzip\r\n\r\n", zeros()[:65536], 0
    )
    with serving(endless_redirect, answers(ok(body=PNG))) as server:
        assert get(server)[0].body == PNG
        server.settle(2)


def test_a_redirect_in_utf_8_is_followed() -> None:
    """Some storages name their files so."""
    with serving(redirecting("/图片.png".encode()), answers(ok(body=PNG))) as server:
        assert get(server)[0].body == PNG
        assert b"GET /%E5%9B%BE%E7%89%87.png " in server.connections[1].head


# ---------------------------------------------------------------------------------------------------- through the engine


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (lambda: b"HTTP/1.1 99999 X\r\n\r\n", "unreadable", "no HTTP answer"),
        (lambda: b"HTTP/1.1 200 OK\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n", "unreadable", "longer than 256 kB"),
        (lambda: ok("Content-Encoding: gzip", body=zeros()), "unreadable", "100 times"),
        (lambda: ok("Content-Length: " + "9" * 5000), "unreadable", r"longer than \d+ MB"),
        (lambda: ok("Transfer-Encoding: chunked", body=b"-5\r\n"), "network", "closed"),
        (lambda: b"", "network", "reset|closed"),
    ],
    ids=["status", "head", "bomb", "length", "chunk", "empty"],
)
def test_a_hostile_answer_to_a_paid_request_may_have_cost_money(
    answer: Callable[[], bytes], kind: str, text: str, tmp_path: Path
) -> None:
    """It says what came, whose fault it is, that it may have been charged, and what to do; nothing is sent twice."""
    with serving(answers(answer())) as server:
        error = error_of(play(engine_at(tmp_path, "google", server.url), "google"))
        assert server.connection_count == 1
    assert (error.kind, error.charged) == (kind, "maybe") and error.cure
    assert_said(text, error.what)
    assert_unsaid("pack itself", error.message)


@pytest.mark.parametrize("specs", [*UNREADABLE_LENGTHS, ["Content-Length: 99999999"], ["Transfer-Encoding: gzip"]])
def test_a_picture_that_came_whole_is_kept(specs: list[str], tmp_path: Path) -> None:
    """Whatever its headers say about its length."""
    with serving(answers(ok(*specs, body=json.dumps(GEMINI_IMAGE).encode()))) as server:
        assert play(engine_at(tmp_path, "google", server.url), "google").tasks[0].result


# --------------------------------------------------------------------------------------------------------- properties

FRAGMENTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 302 X\r\n",
        b"HTTP/1.1 103 X\r\n\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\0",
        b"\r",
        b"\xff",
    ]
    + [
        b"Content-Length: ",
        b"Transfer-Encoding: ",
        b"Content-Encoding: ",
        b"Location: ",
        b"chunked",
        b"gzip",
        b"5",
        b"-",
    ]
    + [
        b"0",
        b" ",
        b"{}",
        b"4\r\nabcd\r\n",
        b"0\r\n\r\n",
        b"X: y\r\n",
        b"http://",
        b"\x1f\x8b\x08",
        b"Range",
        b":",
        b",",
    ]
)


def test_no_bytes_make_it_crash() -> None:
    """Anything a server sends is an answer, a break after the whole request, or an address that isn't asked."""
    sent: list[bytes] = []

    with serving(lambda connection: answers(sent[-1])(connection)) as server:

        @given(st.lists(FRAGMENTS | st.binary(max_size=8), max_size=14).map(b"".join))
        @settings(max_examples=examples(150), deadline=None)
        def holds(answer: bytes) -> None:
            for head in (b"", b"HTTP/1.1 200 OK\r\n"):
                sent.append(head + answer)
                try:
                    post(server)
                except RequestFailed as broken:
                    assert broken.sent == "all" and broken.why.isprintable()
                except TooLong:
                    pass
                try:
                    get(server)
                except (RequestFailed, TooLong, UnsafeAddress):
                    pass

        holds()


@given(st.lists(FRAGMENTS | st.binary(max_size=30), max_size=20))
@settings(max_examples=examples(200), deadline=None)
def test_a_cleaned_head_is_clean(lines: list[bytes]) -> None:
    """One line a header, no control character, at most one framing, and cleaning it again changes nothing."""
    head = clean_head(lines)
    assert head.lines[-1] == b"\r\n" and len(head.lines) <= 100
    specs = head.lines[:-1]
    for spec in specs:
        assert spec.endswith(b"\r\n") and b": " in spec and not any(byte < 32 or byte == 127 for byte in spec[:-2])
    names = [spec.partition(b":")[0] for spec in specs]
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert clean_head(specs).lines == head.lines


@given(st.binary(max_size=40))
def test_any_first_line_is_a_status_or_refused(line: bytes) -> None:
    """With a status of three digits and words that can be shown."""
    for given_line in (line, b"HTTP/1.1 " + line):
        try:
            version, status, reason = read_status_line(given_line)
        except BadAnswer as error:
            assert str(error).isprintable()
        else:
            assert version in ("HTTP/1.0", "HTTP/1.1") and 100 <= status <= 999 and "\r" not in reason


def test_a_download_of_nonsense_is_an_error_of_its_own() -> None:
    """With its reason, after some tries; never something else."""
    with serving(answers(b"HTTP/1.1 2OO OK\r\n\r\n")) as server, pytest.raises(DownloadFailed, match="no HTTP answer"):
        download(Transport(server.url), server.url + "/a.png", 2.0)
    assert response_head.HEAD_BYTES == 256 << 10
