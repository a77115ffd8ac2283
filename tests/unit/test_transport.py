"""The transport against a scripted server on raw sockets: what had arrived when it broke, and what it never does."""

from __future__ import annotations

import gzip
import ipaddress
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3.connection
from hypothesis import given
from hypothesis import strategies as st
from pack.core.dialects.base.step import Reply
from pack.core.errors import ConfigError
from pack.core.http import transport, url_policy
from pack.core.http.body import Body, Raw
from pack.core.http.connections import UnsafeAddress
from pack.core.http.failures import RequestFailed
from pack.core.http.transport import Cancelled, TooLong, TransferHooks, Transport
from pack.tests.raw_server import Connection, RawServer, serving

KEY = ("Authorization", "Bearer Zq81secretsecretsecret")
LARGE = 24 << 20
"""More than the buffers of two sockets hold."""


def body(size: int) -> Body:
    return Body((Raw(bytes(size)),), "application/json")


def post(
    server: RawServer,
    size: int = 100,
    *,
    seconds: float = 10.0,
    hooks: TransferHooks | None = None,
    way: Transport | None = None,
    key: tuple[str, str] | None = KEY,
    fresh: bool = True,
) -> Reply:
    """A paid request of `size` bytes."""
    way = way or Transport(server.url)
    return way.send(
        "POST",
        server.url + "/v1/x",
        headers={"Content-Type": "application/json"},
        body=body(size),
        key=key,
        deadline=time.monotonic() + seconds,
        fresh=fresh,
        hooks=hooks,
    )


def get(server: RawServer, path: str = "/a.png", **more: Any) -> tuple[Reply, bool]:
    more.setdefault("deadline", time.monotonic() + 10)
    return Transport(server.url).download(server.url + path, **more)


def after_request(then: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """A script that reads the whole request first."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        then(connection)

    return script


def wait_for(event: threading.Event) -> None:
    """Holds a script until the test is done with it."""
    event.wait(60)


# ------------------------------------------------------------------------------------- how much arrived at a break


def test_a_refused_connection_took_nothing() -> None:
    """Nobody listens: nothing left this machine, and it says so in words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # ours and silent: nobody else can begin to listen there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RequestFailed) as broken:
            Transport(url).send("POST", url, headers={}, body=body(100), deadline=time.monotonic() + 10)
    assert broken.value.sent == "none" and not broken.value.timed_out
    assert broken.value.why == "the connection was refused"


def test_a_name_that_can_t_be_looked_up_took_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed DNS lookup."""

    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    way = Transport("https://api.example.com")
    with pytest.raises(RequestFailed) as broken:
        way.send("POST", "https://api.example.com/x", headers={}, body=body(9), deadline=time.monotonic() + 5)
    assert broken.value.sent == "none" and "looked up" in broken.value.why


def test_a_reset_in_the_middle_of_the_upload_took_a_part() -> None:
    """The provider can't have begun: it never had the whole request."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.read_body(64_000)
        connection.reset()

    with serving(script) as server, pytest.raises(RequestFailed) as broken:
        post(server, LARGE)
    assert broken.value.sent == "partial"


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(lambda connection: None, id="closed without an answer"),
        pytest.param(Connection.reset, id="reset without an answer"),
        pytest.param(lambda connection: connection.write(b"HTTP/1.1 2"), id="closed in the status line"),
        pytest.param(
            lambda connection: connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"),
            id="closed in the body",
        ),
        pytest.param(
            lambda connection: connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{abc"),
            id="half a chunk",
        ),
        pytest.param(
            lambda connection: connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            id="a broken chunk",
        ),
        pytest.param(lambda connection: connection.write(b"\x15\x03\x03 nonsense\r\n\r\n"), id="no HTTP at all"),
    ],
)
def test_a_break_after_the_whole_body_took_all(then: Callable[[Connection], None]) -> None:
    """Whatever happens from the last byte on, the provider may have worked on it."""
    with serving(after_request(then)) as server, pytest.raises(RequestFailed) as broken:
        post(server, 300_000)
    assert broken.value.sent == "all"
    assert len(server.connections[0].body) == 300_000


def test_headers_that_are_cut_are_no_success() -> None:
    """The standard library takes the end of a connection for the end of the headers: then nothing is in the answer."""
    with serving(after_request(lambda connection: connection.write(b"HTTP/1.1 200 OK\r\nContent-Le"))) as server:
        try:
            assert post(server).body == b""
        except RequestFailed as broken:
            assert broken.sent == "all"


def test_no_answer_in_time_took_all_and_timed_out() -> None:
    """The deadline ends the wait for the headers."""
    over = threading.Event()
    with serving(after_request(lambda connection: wait_for(over))) as server:
        began = time.monotonic()
        with pytest.raises(RequestFailed) as broken:
            post(server, seconds=1)
        over.set()
    assert broken.value.sent == "all" and broken.value.timed_out
    assert 0.9 < time.monotonic() - began < 20


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    """A byte now and then resets every socket timeout; the deadline holds all the same."""
    enough = threading.Event()

    def drip(connection: Connection) -> None:
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not enough.wait(0.05):
            connection.write(b" ")

    with serving(after_request(drip)) as server:
        end = threading.Timer(60, enough.set)
        end.start()
        began = time.monotonic()
        with pytest.raises(RequestFailed) as broken:
            post(server, seconds=1)
        took = time.monotonic() - began
        enough.set()
        end.cancel()
    assert broken.value.sent == "all" and broken.value.timed_out and took < 20


def test_a_deadline_that_is_over_sends_nothing() -> None:
    """Not even a connection."""
    with serving(Connection.serve) as server:
        with pytest.raises(RequestFailed) as broken:
            post(server, seconds=-1)
        assert broken.value.sent == "none" and broken.value.timed_out and server.connection_count == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key in the same file, made now."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    try:
        subprocess.run(
            [*command.split(), "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
            check=True,
            capture_output=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no openssl on this machine")
    return folder


def secured(folder: Path, then: Callable[[ssl.SSLSocket, socket.socket], None]) -> Callable[[Connection], None]:
    """A script that speaks TLS, reads a whole request and then does `then` with the secure and the raw socket."""

    def script(connection: Connection) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        raw = socket.socket(fileno=os.dup(connection.channel.fileno()))
        raw.settimeout(10)
        with context.wrap_socket(connection.channel, server_side=True) as secure:
            inner = Connection(secure)
            inner.read_head()
            connection.body = inner.read_body()
            then(secure, raw)
        raw.close()

    return script


def trusting(server: RawServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Transport:
    """A transport to a TLS server at loopback that trusts its certificate."""
    server.url = server.url.replace("http:", "https:")
    way = Transport(server.url)
    way._session(server.url, guarded=False).verify = str(folder / "cert.pem")
    return way


def test_tls_that_breaks_after_the_body_took_all(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS error is "nothing sent" only during the handshake: after the body it may have been paid."""
    with serving(secured(certificate, lambda secure, raw: raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32)))) as server:
        with pytest.raises(RequestFailed) as broken:
            post(server, 1000, way=trusting(server, certificate, monkeypatch))
        assert len(server.connections[0].body) == 1000
    assert broken.value.sent == "all"


def test_tls_answers_and_ragged_ends(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the test above: the same server with an honest answer works."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with serving(secured(certificate, lambda secure, raw: secure.sendall(answer))) as server:
        assert post(server, way=trusting(server, certificate, monkeypatch)).body == b"{}"


def test_an_unknown_certificate_took_nothing(certificate: Path) -> None:
    """Refused in the handshake, with the reason."""
    with serving(secured(certificate, lambda secure, raw: None)) as server:
        server.url = server.url.replace("http:", "https:")
        with pytest.raises(RequestFailed) as broken:
            post(server)
        assert broken.value.sent == "none" and broken.value.kind == "certificate" and broken.value.lasting
        assert broken.value.why.endswith("certificate verify failed: self-signed certificate")


# --------------------------------------------------------------------------------------------------- early answers


@pytest.mark.parametrize("status", ["401 Unauthorized", "413 Payload Too Large"])
def test_an_early_answer_during_the_upload_is_read(status: str) -> None:
    """The server answers after the headers, closes its side and drains: the status comes through, not "connection lost"."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.answer(b'{"error":"early"}', status, "Connection: close")
        connection.channel.shutdown(socket.SHUT_WR)
        connection.read_rest()

    with serving(script) as server:
        reply = post(server, 2 << 20)
    assert reply.status == int(status[:3]) and b"early" in reply.body


def test_an_early_answer_with_a_reset_is_never_taken_for_a_whole_request() -> None:
    """Most servers just hang up on a body they don't want: the answer or a break in the middle, nothing else."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.answer(b"{}", "401 Unauthorized", "Connection: close")

    with serving(script) as server:
        try:
            assert post(server, LARGE).status == 401
        except RequestFailed as broken:
            assert broken.sent == "partial"


# ----------------------------------------------------------------------------------------------------- key and origin


def test_a_key_goes_to_its_own_origin_only() -> None:
    """Another port is another origin: nothing is connected."""
    with serving(Connection.serve) as own, serving(Connection.serve) as other:
        with pytest.raises(UnsafeAddress):
            Transport(own.url).send(
                "POST", other.url + "/x", headers={}, body=body(5), key=KEY, deadline=time.monotonic() + 5
            )
        assert other.connection_count == own.connection_count == 0


def test_a_key_goes_to_the_provider_s_upload_address_too_and_nowhere_else() -> None:
    """Where the provider has two origins; a third hears nothing."""
    keys: list[str | None] = []

    def noting(connection: Connection) -> None:
        connection.serve()
        keys.append(connection.header(KEY[0]))

    with serving(noting) as own, serving(noting) as uploads, serving(noting) as other:
        transport = Transport(own.url, uploads=uploads.url + "/files")
        until = time.monotonic() + 5
        for server in (own, uploads):
            transport.send("POST", server.url + "/x", headers={}, body=body(5), key=KEY, deadline=until)
            server.settle()
        with pytest.raises(UnsafeAddress):
            transport.send("POST", other.url + "/x", headers={}, body=body(5), key=KEY, deadline=until)
        assert keys == [KEY[1]] * 2 and other.connection_count == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_by_a_request_with_a_key(status: int) -> None:
    """The reply comes back as it is; the other server hears nothing."""
    with serving(Connection.serve) as other:

        def script(connection: Connection) -> None:
            connection.serve(b"", f"{status} Moved", f"Location: {other.url}/v1/x")

        with serving(script) as server:
            reply = post(server)
            assert reply.status == status and server.connection_count == 1 and other.connection_count == 0


def test_a_download_carries_no_key_and_follows_redirects_of_its_own_origin() -> None:
    """The key is never attached to a file, at no hop."""

    def first(connection: Connection) -> None:
        connection.serve(b"", "302 Found", "Location: /b.png", "Connection: close")

    with serving(first, lambda connection: connection.serve(b"picture")) as server:
        reply, whole = get(server)
        assert (reply.body, whole) == (b"picture", True)
        assert [connection.header("authorization") for connection in server.connections] == [None, None]
        assert [connection.head.split()[1] for connection in server.connections] == [b"/a.png", b"/b.png"]


def test_redirects_without_end_end() -> None:
    """A loop is refused after a few hops."""
    with serving(
        lambda connection: connection.serve(b"", "302 Found", "Location: /a.png", "Connection: close")
    ) as server:
        with pytest.raises(UnsafeAddress, match="without end"):
            get(server)
        assert 2 < server.connection_count < 12


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/y", "gopher://x", "http://", "http://[::1"])
def test_a_redirect_to_something_else_is_forbidden(target: str) -> None:
    """Whatever a location says, only http(s) is fetched, and nonsense is no crash."""
    with serving(
        lambda connection: connection.serve(b"", "302 Found", f"Location: {target}", "Connection: close")
    ) as server:
        with pytest.raises(UnsafeAddress):
            get(server)


@pytest.mark.parametrize("address", ["nonsense", "file:///etc/passwd", "data:image/png;base64,xx", "http://[", ""])
def test_an_address_that_is_none_is_forbidden(address: str) -> None:
    """The same for the address in a reply."""
    with pytest.raises(UnsafeAddress):
        Transport("https://api.example.com").download(address, deadline=time.monotonic() + 5)


def test_netrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in place of the key, nor where there is none, nor for a file."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(Connection.serve) as server:
        post(server)
        post(server, key=None)
        get(server)
        assert [connection.header("authorization") for connection in server.connections] == [KEY[1], None, None]


def test_cookies_are_not_kept() -> None:
    """What one answer sets, the next request doesn't bring."""

    def script(connection: Connection) -> None:
        for _ in range(2):
            connection.serve(b"{}", "200 OK", "Set-Cookie: session=1; Path=/")

    with serving(script) as server:
        way = Transport(server.url)
        post(server, way=way, fresh=False)
        post(server, way=way, fresh=False)
        assert server.connection_count == 1 and server.connections[0].header("cookie") is None


def test_a_proxy_that_is_no_address_is_a_setting_to_correct() -> None:
    """And not the provider's address, which is fine."""
    transport = Transport("https://api.example.com", "http://")
    with pytest.raises(ConfigError, match=r"proxy.*NANO_BANANA_PROXY, or proxy in providers\.yaml"):
        transport.send("GET", "https://api.example.com/x", headers={}, deadline=time.monotonic() + 5)


def test_loopback_is_asked_directly_whatever_proxy_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The offline simulator isn't behind anybody's proxy."""
    with serving(Connection.serve) as proxy, serving(Connection.serve) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert Transport(server.url, proxy.url).send("GET", server.url, headers={}, deadline=time.monotonic() + 5).ok
        assert proxy.connection_count == 0 and server.connection_count == 1


def test_the_proxy_that_was_named_goes_before_the_machine_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names one for this pack or this provider wants its keys to go that way and no other."""
    with serving(Connection.serve) as named, serving(Connection.serve) as machine:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, machine.url)
        url = "http://api.example.com"
        key = ("Authorization", "Bearer sim-run")
        assert Transport(url, named.url).send("GET", url, headers={}, key=key, deadline=time.monotonic() + 5).ok
        assert named.connection_count == 1 and machine.connection_count == 0


CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def test_a_missing_ca_file_is_the_user_s_to_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named as a setting, not as a broken network."""
    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    way = Transport("https://api.example.com", ca_bundle="/nowhere/ca.pem")
    with pytest.raises(ConfigError, match="does not exist"):
        way.send("GET", "https://api.example.com/", headers={}, deadline=time.monotonic() + 5)


@pytest.mark.parametrize("name", CA_VARIABLES)
def test_the_pack_s_own_ca_file_beats_the_machine_s(
    name: str, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the user set for this pack is meant for this pack, whatever other programs are told."""
    for other in CA_VARIABLES:
        monkeypatch.delenv(other, raising=False)
    machine = tmp_path / "machine.pem"
    machine.write_text((certificate / "cert.pem").read_text())
    monkeypatch.setenv(name, str(machine))
    way = Transport("https://api.example.com", ca_bundle="/nowhere/ca.pem")
    with pytest.raises(ConfigError, match="does not exist"):
        way.send("GET", "https://api.example.com/", headers={}, deadline=time.monotonic() + 5)


def test_a_key_that_the_server_repeats_is_taken_out() -> None:
    """In headers and in the body, before anything reads them."""
    secret = KEY[1].split()[1]
    body, header = f"no {secret} here".encode(), f"X-Request-Id: {secret}"
    with serving(lambda connection: connection.serve(body, "401 No", header)) as server:
        reply = post(server)
    assert secret not in repr(reply) and reply.request_id


def test_a_paid_request_goes_out_on_a_new_connection() -> None:
    """A kept connection may be dead without knowing it; free requests may use it again."""

    def script(connection: Connection) -> None:
        while connection.read_head():
            connection.read_body()
            connection.answer()

    with serving(script) as server:
        way = Transport(server.url)
        post(server, way=way, fresh=False)
        post(server, way=way, fresh=False)
        assert server.connection_count == 1
        post(server, way=way, fresh=True)
        assert server.connection_count == 2
        way.close()


# --------------------------------------------------------------------------------------------- false lengths


@pytest.mark.parametrize("claim", [4 << 30, 1 << 62])
def test_four_gigabytes_are_refused_by_their_claim(claim: int) -> None:
    """Nothing of it is read into memory."""

    def claims(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        connection.write(f"HTTP/1.1 200 OK\r\nContent-Length: {claim}\r\n\r\n".encode())
        connection.write(bytes(1000))
        connection.read_rest()

    with serving(claims) as server:
        with pytest.raises(TooLong):
            post(server)
        with pytest.raises(TooLong):
            get(server)


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Connection: close"])
def test_a_stream_without_end_is_cut(framing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No length at all: counted while it is read."""
    monkeypatch.setattr(transport, "ANSWER_BYTES", 3 << 20)
    monkeypatch.setattr(transport, "PICTURE_BYTES", 3 << 20)
    sent: list[int] = []

    def flood(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        connection.write(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        piece = bytes(65536)
        for _ in range(4000):
            connection.write(b"10000\r\n" + piece + b"\r\n" if "chunked" in framing else piece)
            sent.append(len(piece))

    with serving(flood) as server:
        with pytest.raises(TooLong):
            post(server)
        with pytest.raises(TooLong):
            get(server)
        server.settle()
    assert sum(sent) < 100 << 20, "the client went on reading"


def test_a_compressed_flood_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for what it becomes, not for what travels."""
    monkeypatch.setattr(transport, "ANSWER_BYTES", 3 << 20)
    bomb = gzip.compress(bytes(64 << 20), 1)
    with serving(lambda connection: connection.serve(bomb, "200 OK", "Content-Encoding: gzip")) as server:
        with pytest.raises(TooLong):
            post(server)


def test_a_gzipped_answer_is_read() -> None:
    """As any client does."""
    packed = gzip.compress(b'{"a":1}')
    with serving(lambda connection: connection.serve(packed, "200 OK", "Content-Encoding: gzip")) as server:
        assert post(server).body == b'{"a":1}'


def test_a_broken_gzip_is_a_break_after_the_whole_body() -> None:
    """An answer that can't be unpacked: it was answered, so it may have been paid."""
    with serving(
        lambda connection: connection.serve(b"\x1f\x8b nonsense", "200 OK", "Content-Encoding: gzip")
    ) as server:
        with pytest.raises(RequestFailed) as broken:
            post(server)
    assert broken.value.sent == "all"


def test_a_file_that_a_server_gzips_all_the_same_is_whole() -> None:
    """A picture doesn't shrink: its gzip is longer than itself, and a promise about the one says nothing about the other."""
    picture = bytes(range(256)) * 4 + os.urandom(2000)
    packed = gzip.compress(picture)
    with serving(lambda connection: connection.serve(packed, "200 OK", "Content-Encoding: gzip")) as server:
        assert get(server)[0].body == picture and get(server)[1]
    tiny = os.urandom(40)
    with serving(
        lambda connection: connection.serve(gzip.compress(tiny), "200 OK", "Content-Encoding: gzip")
    ) as server:
        reply, whole = get(server)
    assert len(gzip.compress(tiny)) > len(tiny)
    assert (reply.body, whole) == (tiny, True)


@pytest.mark.parametrize("framing", ["Content-Length: 900000", "Transfer-Encoding: chunked"])
def test_the_beginning_of_a_file_is_kept_and_said_to_be_no_more(framing: str) -> None:
    """So that the rest can be asked for: most of what came, exactly, and never as a whole."""
    data = os.urandom(600_000)

    def cut(connection: Connection) -> None:
        connection.read_head()
        connection.write(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        connection.write(b"%x\r\n" % len(data) + data + b"\r\n" if "chunked" in framing else data)

    with serving(cut) as server:
        reply, whole = get(server)
    assert not whole and len(reply.body) > 300_000 and data.startswith(reply.body)


def test_the_rest_of_a_file_is_asked_for_by_range() -> None:
    """`start` is the first byte wanted; without it no range is asked for."""

    def ranged(connection: Connection) -> None:
        connection.serve(b"rest", "206 Partial Content", "Content-Range: bytes 1000-1003/1004")

    with serving(ranged, Connection.serve) as server:
        reply, whole = get(server, start=1000)
        assert (reply.status, reply.body, whole) == (206, b"rest", True)
        get(server)
        assert [connection.header("range") for connection in server.connections] == ["bytes=1000-", None]
        assert server.connections[0].header("accept-encoding") == "identity"


def test_more_than_promised_is_cut_to_the_promise() -> None:
    """Bytes behind the promised end belong to no answer."""

    def longer(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}GARBAGE")

    with serving(longer) as server:
        assert post(server).body == b"{}"


# ------------------------------------------------------------------------------------------------------ stopping


def test_an_abandoned_upload_never_arrives_whole() -> None:
    """Stopped in the middle: the line is cut and the server sees less than was promised."""
    left: list[int] = []
    seen: list[int] = []

    def script(connection: Connection) -> None:
        connection.read_head()
        seen.append(connection.read_rest())

    with serving(script) as server:
        way = Transport(server.url)
        hooks = TransferHooks(is_cancelled=lambda: bool(left), on_sent=lambda done, total: left.append(done))
        with pytest.raises(Cancelled):
            post(server, LARGE, hooks=hooks, way=way)
        way.close()
        server.settle()
    assert 0 < seen[0] < LARGE and "all" not in left


def test_a_run_that_is_stopped_before_it_begins_sends_no_body() -> None:
    """Not one byte of it."""
    with serving(Connection.serve) as server:
        way = Transport(server.url)
        with pytest.raises(Cancelled):
            post(server, hooks=TransferHooks(is_cancelled=lambda: True), way=way)
        way.close()


def test_the_last_byte_is_announced_before_it_leaves() -> None:
    """From `on_last_byte` on the request counts as out; the bytes that left are counted up to all of them."""
    story: list[Any] = []
    server_had: list[int] = []
    release = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        server_had.append(len(story))
        release.set()
        connection.answer()

    with serving(script) as server:
        hooks = TransferHooks(
            on_sent=lambda done, total: story.append((done, total)), on_last_byte=lambda: story.append("last")
        )
        post(server, 1_000_000, hooks=hooks)
    assert release.is_set()
    counts = [entry for entry in story if entry != "last"]
    assert counts == sorted(counts) and counts[-1] == (1_000_000, 1_000_000)
    assert story.index("last") == len(story) - 2, "announced once, right before the last piece"


def test_after_the_last_byte_a_stop_changes_nothing() -> None:
    """The answer is waited for: it may be paid."""
    gone: list[bool] = []
    with serving(Connection.serve) as server:
        hooks = TransferHooks(is_cancelled=lambda: bool(gone), on_last_byte=lambda: gone.append(True))
        assert post(server, 500_000, hooks=hooks).ok


# ------------------------------------------------------------------------------------------------------- the guard


def named(monkeypatch: pytest.MonkeyPatch, address: str, port: int) -> None:
    """Lets every name resolve to one address and the port of our server."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place: Any = (address, port, 0, 0) if ":" in address else (address, port)
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]
    )


def fetch_named(port: int) -> tuple[Reply, bool]:
    way = Transport("https://api.example.com")
    return way.download(f"http://pictures.example.com:{port}/a.png", deadline=time.monotonic() + 5)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_public_name_that_leads_home_is_refused_before_a_byte_is_sent(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names can be rebound after any check: it is the connection's real address that counts."""
    seen: list[int] = []
    try:
        server = (
            RawServer(lambda connection: seen.append(connection.read_rest()), family=socket.AF_INET6, host="::1")
            if address == "::1"
            else RawServer(lambda connection: seen.append(connection.read_rest()))
        )
    except OSError:
        pytest.skip("this machine has no IPv6")
    named(monkeypatch, address, server.port)
    try:
        with pytest.raises(UnsafeAddress):
            fetch_named(server.port)
        server.settle()
        assert server.connection_count == 1 and seen == [0]
    finally:
        server.close()


class Elsewhere(socket.socket):
    """A connection that says it leads to another address."""

    address = ""

    def getpeername(self) -> Any:
        return (self.address, 80)


def reaching(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Connections to our server, with `address` as what the system says about the other end."""
    genuine = urllib3.connection.HTTPConnection._new_conn

    def connect(connection: Any) -> socket.socket:
        elsewhere = Elsewhere(fileno=genuine(connection).detach())
        elsewhere.address = address
        elsewhere.settimeout(5)
        return elsewhere

    monkeypatch.setattr(urllib3.connection.HTTPConnection, "_new_conn", connect)


PRIVATE = [
    *(
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.254",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "127.9.9.9",
    ),
    *("224.0.0.1", "255.255.255.255", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "::", "ff02::1"),
    *("::ffff:10.0.0.1", "::ffff:169.254.169.254", "192.0.2.1", "240.0.0.1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_into_the_network_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Private, link-local (cloud metadata), shared, multicast, reserved; in both families and mapped."""
    seen: list[int] = []
    with serving(lambda connection: seen.append(connection.read_rest())) as server:
        named(monkeypatch, "127.0.0.1", server.port)
        reaching(monkeypatch, address)
        with pytest.raises(UnsafeAddress):
            fetch_named(server.port)
        server.settle()
        assert seen == [0]


@pytest.mark.parametrize(
    "address", ["198.18.0.7", "198.19.255.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"]
)
def test_a_public_address_is_fetched(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the stand-in addresses of TUN proxies, which answer for every name."""
    with serving(lambda connection: connection.serve(b"picture")) as server:
        named(monkeypatch, "127.0.0.1", server.port)
        reaching(monkeypatch, address)
        assert fetch_named(server.port)[0].body == b"picture"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[fe80::1]",
            "198.18.0.1",
            "0.0.0.0",
        ),
        *("2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "017700000001", "0X7F.0.0.1", "127.0.0.1."),
        *("localhost", "LOCALHOST.", "a.localhost", "printer", "printer.local", "x.internal", "nas.lan", "r.home.arpa"),
    ],
)
def test_a_literal_way_into_the_network_is_not_even_looked_up(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses in every spelling that some resolver takes, and local names."""

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    with pytest.raises(UnsafeAddress):
        Transport("https://api.example.com").download(f"http://{host}/latest/meta-data", deadline=time.monotonic() + 5)


def test_a_redirect_into_the_network_is_refused() -> None:
    """The second hop is held to the same rules as the first."""
    with serving(Connection.serve) as inside:

        def script(connection: Connection) -> None:
            connection.serve(b"", "302 Found", f"Location: http://127.0.0.1:{inside.port}/secret", "Connection: close")

        with serving(script) as server, pytest.raises(UnsafeAddress):
            get(server)
        assert inside.connection_count == 0


def test_the_provider_s_own_origin_may_be_local() -> None:
    """A self-hosted gateway, and our own simulator: the user named that address, not a reply."""
    with serving(lambda connection: connection.serve(b"picture")) as server:
        assert get(server)[0].body == b"picture"


LEADING_ON = tuple(ipaddress.ip_network(text) for text in ("64:ff9b:1::/48", "2002::/16"))
"""Private by the tables of newer Pythons (NAT64 and 6to4): they lead to the IPv4 address inside, and that one is judged."""


@given(st.ip_addresses())
def test_no_private_address_is_public(address: Any) -> None:
    """Against the standard library's own tables, but for the proxies' stand-ins."""
    judged = url_policy.is_public(str(address))
    leads_on = any(address in network for network in LEADING_ON)
    if judged:
        assert address.is_global or address in ipaddress.ip_network("198.18.0.0/15") or leads_on or address.ipv4_mapped
        assert not address.is_multicast and not address.is_loopback and not address.is_link_local
    if not address.is_global and not (address.version == 4 and address in ipaddress.ip_network("198.18.0.0/15")):
        assert not judged or getattr(address, "ipv4_mapped", None) or leads_on
