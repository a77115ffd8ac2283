"""What a reply may have a proxy fetch: a proxy looks names up in its own network, and would connect to anything there.

The proxy is a scripted server; names are answered by the test. A SOCKS proxy needs PySocks: where that is missing, its
tests are skipped by name.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dialect_driver import PNG
from hypothesis import given
from hypothesis import strategies as st
from pack.core.dialects.base.step import Reply
from pack.core.http import proxy_policy, url_policy
from pack.core.http.connections import PrivateAddress, UnsafeAddress
from pack.core.http.failures import RequestFailed
from pack.core.http.proxy_policy import looks_public
from pack.core.http.transport import Transport
from pack.tests.raw_server import Connection, RawServer, serving

KNOWN: dict[str, list[str]] = {}
"""The names that can be looked up in a test."""
ASKED: list[str] = []


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name but those of KNOWN; nothing is remembered from another test."""
    genuine = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == "127.0.0.1":
            return genuine(host, port, *rest, **more)
        ASKED.append(name)
        if name not in KNOWN:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        families = [(socket.AF_INET6 if ":" in found else socket.AF_INET, found) for found in KNOWN[name]]
        return [(family, socket.SOCK_STREAM, 6, "", (found, port or 0)) for family, found in families]

    KNOWN.clear()
    ASKED.clear()
    proxy_policy._kept.clear()
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    proxy_policy._kept.clear()


def serve_picture(connection: Connection) -> None:
    connection.serve(PNG, "200 OK", "Connection: close")


def fetch(proxy: RawServer, url: str, *, scheme: str = "http") -> tuple[Reply, bool]:
    """A picture at an address out of a reply, through a proxy."""
    way = Transport("https://api.example.com", proxy=proxy.url.replace("http:", f"{scheme}:"))
    try:
        return way.download(url, deadline=time.monotonic() + 30)
    finally:
        way.close()


UNKNOWN_AND_PRIVATE = [
    *(
        "intranet.corp",
        "wiki.intranet",
        "nas.home",
        "printer.lan",
        "db.internal",
        "x.local",
        "a.localdomain",
        "git.private",
    ),
    *("kubernetes.default.svc", "api.cluster.local", "redis.consul", "host.docker.internal", "a.b.test", "x.onion"),
    *("wiki", "metadata", "instance-data", "localhost", "sub.localhost", "router.home.arpa", "wpad.unheardof"),
    *("metadata.google.internal", "metadata.tencentyun.com", "instance-data.ec2.internal"),
    *(
        "169.254.169.254.nip.io",
        "10-0-0-1.sslip.io",
        "a9fea9fe.nip.io",
        "x.xip.io",
        "localtest.me",
        "a.lvh.me",
        "1u.ms",
    ),
    *("www.10.0.0.1.example.com", "ip-10-0-0-1.example.com", "192-168-1-1.example.com", "169.254.169.254.example.com"),
]
LITERAL = [
    *("169.254.169.254", "10.0.0.1", "127.0.0.1", "192.168.1.1", "100.100.100.200", "168.63.129.16", "161.26.0.10"),
    *("0.0.0.0", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "0xa9.254.169.254", "169.16689662", "127.1"),
    *(
        "[::1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[2002:a00:1::]",
    ),
    *(
        "169。254。169。254",
        "①⑥⑨.254.169.254",
        "１６９.254.169.254",
        "ⓛocalhost",
        "169.254.169.254.",
        "[::ffff:168.63.129.16]",
    ),
]


@pytest.mark.parametrize("host", [*UNKNOWN_AND_PRIVATE, *LITERAL])
def test_what_may_lead_into_a_network_is_not_given_to_a_proxy(host: str) -> None:
    """Names of a company, of a cloud's host, of the form name-and-address, and addresses in every spelling."""
    with serving(serve_picture) as proxy:
        for scheme in ("http", "https"):
            with pytest.raises(PrivateAddress if host.isascii() else UnsafeAddress):
                fetch(proxy, f"{scheme}://{host}/a.png")
        assert proxy.connection_count == 0


@pytest.mark.parametrize(
    "host",
    [
        *("cdn.example.com", "files.provider.ai", "a.b.c.aliyuncs.com", "x1.provider.vip", "xn--fiq228c.xn--fiqs8s"),
        *("bucket.s3.us-east-1.amazonaws.com", "my_bucket.example.co.uk", "8-8-8-8.example.com", "v3.fal.media"),
    ],
)
def test_a_public_name_passes_although_it_can_t_be_looked_up_here(host: str) -> None:
    """Behind many companies' proxies no machine can look up a name of the internet."""
    with serving(serve_picture) as proxy:
        assert fetch(proxy, f"http://{host}/a.png")[0].body == PNG
        assert f"GET http://{host}/a.png ".encode() in proxy.connections[0].head
    assert [host] == ASKED


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        (["93.184.216.34"], True),
        (["198.18.0.9"], True),
        (["2606:4700::1111", "93.184.216.34"], True),
        (["10.1.2.3"], False),
        (["93.184.216.34", "10.1.2.3"], False),
        (["169.254.169.254"], False),
        (["168.63.129.16"], False),
        (["::ffff:127.0.0.1"], False),
        (["fd00::1", "93.184.216.34"], False),
        (["0.0.0.0"], False),
    ],
)
def test_a_name_that_can_be_looked_up_is_judged_by_all_its_addresses(found: list[str], passes: bool) -> None:
    """One that isn't public is enough: nobody knows which the proxy takes."""
    KNOWN["cdn.example.com"] = found
    with serving(serve_picture) as proxy:
        for _ in range(2):
            if passes:
                assert fetch(proxy, "http://cdn.example.com/a.png")[0].body == PNG
            else:
                with pytest.raises(PrivateAddress):
                    fetch(proxy, "http://cdn.example.com/a.png")
        assert proxy.connection_count == (2 if passes else 0)
    assert ASKED == ["cdn.example.com"]  # it is remembered for a while


@pytest.mark.parametrize(
    "target", ["http://intranet.corp/a", "http://169.254.169.254.nip.io/a", "http://168.63.129.16/a"]
)
def test_a_redirect_through_a_proxy_is_held_to_the_same(target: str) -> None:
    """The second hop comes from a reply, too."""

    def move(connection: Connection) -> None:
        connection.serve(b"", "302 Found", f"Location: {target}", "Connection: close")

    with serving(move, serve_picture) as proxy:
        with pytest.raises(PrivateAddress):
            fetch(proxy, "http://cdn.example.com/a.png")
        assert proxy.connection_count == 1


def test_the_proxy_of_the_environment_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most machines name it there."""
    with serving(serve_picture) as proxy:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        way = Transport("https://api.example.com")
        with pytest.raises(PrivateAddress):
            way.download("http://intranet.corp/a.png", deadline=time.monotonic() + 30)
        assert way.download("http://cdn.example.com/a.png", deadline=time.monotonic() + 30)[0].body == PNG


def test_an_upload_to_an_address_out_of_a_reply_is_held_to_the_same() -> None:
    """A picture of the user's would go to it."""
    with serving(serve_picture) as proxy:
        way = Transport("https://api.example.com", proxy=proxy.url)
        with pytest.raises(PrivateAddress):
            way.send("PUT", "http://storage.corp/x", headers={}, deadline=time.monotonic() + 30)
        assert proxy.connection_count == 0


def test_the_provider_s_own_address_goes_through_the_proxy_as_it_is() -> None:
    """The user named it: a gateway inside the company is theirs to name."""
    with serving(serve_picture) as proxy:
        way = Transport("http://gateway.corp", proxy=proxy.url)
        assert way.download("http://gateway.corp/a.png", deadline=time.monotonic() + 30)[0].body == PNG
    assert not ASKED


@given(st.ip_addresses(v=4), st.sampled_from(["{}.example.com", "x-{}.example.com", "a.{}.io"]), st.booleans())
def test_no_private_address_hides_in_a_name(address: Any, form: str, dashes: bool) -> None:
    """Whoever runs the rest of the name may answer with it."""
    host = form.format(str(address).replace(".", "-") if dashes else str(address))
    assert looks_public(host) == url_policy.is_public(str(address))


@given(st.text(max_size=60))
def test_no_text_makes_the_judgement_crash(text: str) -> None:
    """And what has no dot is never public."""
    assert not looks_public(text) or "." in text


# --------------------------------------------------------------------------------------------------------------- SOCKS


def socks(then: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """A SOCKS5 proxy (RFC 1928) that takes every address and then answers by itself."""

    def script(connection: Connection) -> None:
        connection.channel.recv(2 + 255)
        connection.write(b"\x05\x00")
        connection.channel.recv(4 + 256 + 2)
        connection.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
        then(connection)

    return script


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_is_held_to_the_same(scheme: str) -> None:
    """It looks names up itself (socks5h), or gets whatever address this machine found (socks5)."""
    pytest.importorskip("socks")
    KNOWN["cdn.example.com"] = ["93.184.216.34"]
    KNOWN["rebound.example.com"] = ["10.0.0.1"]
    with serving(socks(serve_picture)) as proxy:
        for host in ("intranet.corp", "rebound.example.com", "169.254.169.254.nip.io", "168.63.129.16"):
            with pytest.raises(PrivateAddress):
                fetch(proxy, f"http://{host}/a.png", scheme=scheme)
        assert proxy.connection_count == 0
        assert fetch(proxy, "http://cdn.example.com/a.png", scheme=scheme)[0].body == PNG


def test_an_answer_through_socks_keeps_the_deadline() -> None:
    """Its connections are the library's own."""
    pytest.importorskip("socks")
    over = threading.Event()

    def drip(connection: Connection) -> None:
        connection.read_head()
        connection.write(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            connection.write(b"X-A: 1\r\n")

    with serving(socks(drip)) as proxy:
        way = Transport("http://api.example.com", proxy=proxy.url.replace("http:", "socks5h:"))
        with pytest.raises(RequestFailed) as broken:
            way.send("GET", "http://api.example.com/x", headers={}, deadline=time.monotonic() + 0.7)
        proxy.settle()
        over.set()
    assert broken.value.timed_out
