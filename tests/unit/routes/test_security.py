"""What every route goes through: who may ask at all, which bodies are read, and how failures look.

The rules are tested as a function, and once more on a real server with real sockets.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib
import importlib.machinery
import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pack.core.config import host_names
from pack.core.errors import ConfigError, Unresolved

if "pack.routes" not in sys.modules:
    # The folder's own __init__ is for a running ComfyUI.
    spec = importlib.machinery.ModuleSpec("pack.routes", None, is_package=True)
    spec.submodule_search_locations = [str(Path(__file__).resolve().parents[3] / "routes")]
    sys.modules["pack.routes"] = importlib.util.module_from_spec(spec)
guard = importlib.import_module("pack.routes.security")

HOST = "127.0.0.1:8188"


def refused(method: str, named: str = "", **headers: str) -> str:
    """Why a request is refused, or the name that isn't known. The headers' names with _ for -."""
    given_ = {name.replace("_", "-"): value for name, value in {"Host": HOST, **headers}.items()}
    found = guard.refused(method, given_)
    assert isinstance(found, str)
    if found:
        return found
    name = host_names.name_in(given_["Host"])
    return "" if host_names.is_own_host(name, {host_names.VARIABLE: named}, ()) else f"unknown: {name}"


LET_IN: list[tuple[str, dict[str, str]]] = [
    ("GET", {}),
    ("PUT", {}),
    ("GET", {"Sec_Fetch_Site": "same-origin"}),
    ("PUT", {"Sec_Fetch_Site": "same-origin", "Origin": f"http://{HOST}"}),
    ("GET", {"Sec_Fetch_Site": "none"}),
    ("HEAD", {"Sec_Fetch_Site": "none"}),
    ("PUT", {"Origin": f"http://{HOST}"}),
    ("POST", {"Origin": f"HTTP://{HOST}".upper()}),
    ("GET", {"Referer": f"http://{HOST}/some/page?x=http://evil.example"}),
    ("PUT", {"Host": "localhost:8188", "Origin": "http://localhost:8188"}),
    ("PUT", {"Host": "[::1]:8188", "Origin": "http://[::1]:8188", "Sec_Fetch_Site": "same-origin"}),
    ("PUT", {"Host": "desktop:8188"}),
    ("PUT", {"Host": "desktop.local:8188"}),
    ("PUT", {"Host": "192.168.1.20:8188"}),
    ("PUT", {"Host": "app.localhost:8188"}),
]


@pytest.mark.parametrize(("method", "headers"), LET_IN)
def test_the_pack_s_own_pages_and_command_lines_are_let_in(method: str, headers: dict[str, str]) -> None:
    """With and without the headers that only browsers send, under every name of this machine."""
    assert refused(method, **headers) == ""


TURNED_AWAY: list[tuple[str, dict[str, str]]] = [
    ("GET", {"Sec_Fetch_Site": "cross-site"}),
    ("GET", {"Sec_Fetch_Site": "same-site"}),
    ("HEAD", {"Sec_Fetch_Site": "cross-site"}),
    ("PUT", {"Sec_Fetch_Site": "cross-site", "Origin": f"http://{HOST}"}),
    ("PUT", {"Sec_Fetch_Site": "CROSS-SITE"}),
    ("PUT", {"Sec_Fetch_Site": "none"}),
    ("DELETE", {"Sec_Fetch_Site": "none"}),
    ("GET", {"Sec_Fetch_Site": "cross-origin"}),
    ("GET", {"Sec_Fetch_Site": "anything"}),
    ("GET", {"Origin": "https://evil.example"}),
    ("GET", {"Origin": "null"}),
    ("GET", {"Origin": "file://"}),
    ("GET", {"Origin": "http://127.0.0.1:9999"}),
    ("GET", {"Origin": "http://127.0.0.1"}),
    ("GET", {"Origin": "http://localhost:8188"}),
    ("GET", {"Origin": f"http://{HOST}.evil.example"}),
    ("GET", {"Origin": f"http://{HOST}@evil.example"}),
    ("GET", {"Origin": "http://[", "Host": HOST}),
    ("GET", {"Origin": HOST}),
    ("GET", {"Referer": "https://evil.example/page"}),
    ("GET", {"Referer": f"https://evil.example/?{HOST}"}),
    ("GET", {"Referer": "http://["}),
    ("PUT", {"Origin": f"http://{HOST}", "Referer": "https://evil.example/"}),
]


@pytest.mark.parametrize(("method", "headers"), TURNED_AWAY)
def test_other_web_sites_are_turned_away(method: str, headers: dict[str, str]) -> None:
    """GETs too: by the browser's own word, else by Origin, else by Referer; half an address is nobody's."""
    assert "refused" in refused(method, **headers)


@pytest.mark.parametrize(
    "name",
    ["evil.example", "evil.example:8188", "127.0.0.1.evil.example:8188", "localhost.evil.example", "EVIL.Example.",
     "local.evil.example", "1.evil.example:80", "0x7f.1:8188", "127.1.nip.io"],
)  # fmt: skip
def test_a_name_that_a_stranger_s_dns_may_point_here_is_turned_away(name: str) -> None:
    """For a rebound name the browser says same-origin: only the name itself tells."""
    rebound = {"Host": name, "Origin": f"http://{name}", "Sec_Fetch_Site": "same-origin"}
    for method in ("GET", "PUT"):
        assert refused(method, **rebound) == f"unknown: {name.lower().partition(':')[0].rstrip('.')}"


def test_a_person_may_name_a_host_of_theirs() -> None:
    """Exactly that one, in any case, among several; a part of it is another name."""
    named = " Comfy.Example.com; other.example,"
    assert refused("PUT", named=named, Host="comfy.example.com:8188", Sec_Fetch_Site="same-origin") == ""
    assert refused("GET", named=named, Host="other.example") == ""
    for name in ("evil.comfy.example.com", "comfy.example.com.evil.example", "example.com"):
        assert refused("GET", named=named, Host=name)
    assert refused("GET", named=named, Host="comfy.example.com", Sec_Fetch_Site="cross-site")


@pytest.mark.parametrize(
    "name",
    [
        "[",
        "[::1",
        "a]b",
        "[not-an-address]",
        "evil.example@127.0.0.1",
        "127.0.0.1/evil.example",
        "a b",
        "a\nb",
        ":8188",
        "127.0.0.1:x",
        "127.0.0.1:99999",
        "-",
        "a..example",
        "ä.example",
    ],
)
def test_a_malformed_host_is_refused_and_is_no_bug(name: str) -> None:
    """Said, not crashed on."""
    assert refused("GET", Host=name)


_strangers = st.sampled_from(
    ["https://evil.example", "http://evil.example:8188", "null", "http://localhost:1", "https://127.0.0.1", "file://"]
)
_methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"])


@given(
    _methods, st.sampled_from(["cross-site", "same-site"]), _strangers | st.just(f"http://{HOST}"), st.text(max_size=20)
)
def test_nothing_that_a_browser_calls_cross_site_gets_in(method: str, site: str, origin: str, words: str) -> None:
    """Whatever else it says."""
    assert refused(method, Sec_Fetch_Site=site, Origin=origin, Referer=words, named=words)


@given(_methods, _strangers, st.sampled_from(["Origin", "Referer"]))
def test_nothing_from_a_stranger_s_page_gets_in_without_fetch_metadata(method: str, origin: str, header: str) -> None:
    """Old browsers, and new ones on a plain http address of the local network."""
    assert refused(method, **{header: origin})
    assert refused(method, Host="192.168.1.5:8188", **{header: origin})


@given(
    st.from_regex(r"[a-z0-9-]{1,10}(\.[a-z0-9-]{1,10}){0,2}\.(com|example|io|dev)\.?(:[0-9]{1,4})?", fullmatch=True),
    _methods,
    st.sampled_from(["", "same-origin", "none", "cross-site"]),
)
def test_no_public_name_gets_in(name: str, method: str, site: str) -> None:
    """DNS rebinding, in all its forms."""
    headers = {"Host": name, "Origin": f"http://{name}"} | ({"Sec_Fetch_Site": site} if site else {})
    assert refused(method, **headers)


# --------------------------------------------------------------------------------------------------- on a real server


class Served:
    """An aiohttp server with a few guarded routes, on a thread of its own."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.threads: set[int] = set()
        self.go = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)

    async def _begin(self) -> int:
        app = web.Application()
        works = {"echo": self._echo, "slow": self._slow, "file": self._file, "fail": self._fail}
        for name, work in works.items():
            app.router.add_route("*", f"/{name}", guard.guarded(work))
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def _end(self) -> None:
        await self._runner.cleanup()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _echo(self, ask: Any) -> Any:
        self.asked.append(ask)
        self.threads.add(threading.get_ident())
        return {"body": dict(ask.body), "query": dict(ask.query)}

    def _slow(self, ask: Any) -> Any:
        assert self.go.wait(10)
        return {}

    def _file(self, ask: Any) -> Any:
        return guard.File(b"RIFF", "image/webp", "tag1")

    def _fail(self, ask: Any) -> Any:
        raise {
            "wrong": guard.ApiError(429, "Too many", "Wait", kind="rate", retry_after=7),
            "config": ConfigError("No key at https://x.example/?key=abc123456789", cure="Enter it"),
            "doubt": Unresolved("It may have been paid", charged="maybe"),
            "bug": RuntimeError("secret detail sk-1234567890abcdef"),
        }[ask.query["how"]]

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and kind:
            sent["Content-Type"] = kind
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data

    def close(self) -> None:
        self.go.set()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.close()


def error(answer: tuple[int, dict[str, str], bytes]) -> dict[str, str]:
    status, headers, data = answer
    assert headers["content-type"].startswith("application/json") and headers["cache-control"] == "no-store"
    found: dict[str, str] = json.loads(data)["error"]
    assert set(found) == {"kind", "what", "cure"}
    return found


def test_a_good_request_reaches_the_work_off_the_server_s_loop(served: Served) -> None:
    """Query and body as they were sent; the answer is JSON that no other site's page can be made to read."""
    status, headers, data = served.ask("PUT", "/echo?a=1&b=%20x", '{"key": "ä\\ud800"}'.encode())
    assert status == 200 and json.loads(data) == {"body": {"key": "ä\ud800"}, "query": {"a": "1", "b": " x"}}
    assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert served._thread.ident not in served.threads
    assert served.ask("GET", "/echo")[0] == 200 and served.ask("DELETE", "/echo")[0] == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"key=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "multipart/form-data; boundary=x", 415),
        (b"{}", "", 415),
        (b"{}", "application/json-patch+json", 415),
        (b"{}", "text/plain; x=application/json", 415),
        (b"[]", "application/json", 400),
        (b'"x"', "application/json", 400),
        (b"null", "application/json", 400),
        (b"5", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "application/json; charset=utf-8", 200),
        (b"{}", "Application/JSON", 200),
    ],
)
def test_a_body_is_a_json_object_or_is_not_read(body: bytes, kind: str, status: int, served: Served) -> None:
    """What a form on another site can send without asking is refused by its type."""
    before = len(served.asked)
    answer = served.ask("PUT", "/echo", body, kind)
    assert answer[0] == status and len(served.asked) - before == (status == 200)
    if status != 200:
        assert error(answer)["kind"] == "request"
    assert served.ask("GET", "/echo", body, kind)[0] == status


def test_without_a_body_a_put_is_refused(served: Served) -> None:
    """It has nothing to say."""
    assert served.ask("PUT", "/echo")[0] == 415


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_refused_before_it_is_all_here(chunked: bool, served: Served) -> None:
    """By what has come, whatever was promised."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {1 << 40}"
        head = f"PUT /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
        line.sendall(head.encode())
        piece = b" " * (1 << 16)
        for _ in range((guard.MAX_BODY >> 16) + 1):
            line.sendall(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
        assert line.recv(100).startswith(b"HTTP/1.1 413")


def test_cross_site_and_rebound_requests_do_no_work(served: Served) -> None:
    """On the wire, as browsers send them."""
    before = len(served.asked)
    for method, headers in (
        ("GET", {"Sec_Fetch_Site": "cross-site"}),
        ("PUT", {"Origin": "https://evil.example"}),
        ("GET", {"Referer": "https://evil.example/x"}),
        ("DELETE", {"Sec_Fetch_Site": "none"}),
        ("GET", {"Host": f"rebound.example:{served.port}"}),
        ("GET", {"Host": "[::1"}),
    ):
        answer = served.ask(method, "/echo", b"{}" if method == "PUT" else None, **headers)
        assert answer[0] in (400, 403), (headers, answer)
        if answer[0] == 403:
            assert error(answer)["kind"] == "forbidden"
            assert "access-control-allow-origin" not in answer[1]
    assert len(served.asked) == before


@pytest.mark.parametrize(
    ("name", "values"),
    [("Sec-Fetch-Site", ("same-origin", "cross-site")), ("Sec-Fetch-Site", ("cross-site", "same-origin")),
     ("Origin", ("http://HOST", "http://evil.example")), ("Referer", ("http://HOST/", "http://evil.example/")),
     ("Host", ("evil.example",))],
)  # fmt: skip
def test_what_is_said_twice_is_refused(name: str, values: tuple[str, ...], served: Served) -> None:
    """A proxy may read another one of them than this server does."""
    host = f"127.0.0.1:{served.port}"
    lines = [f"{name}: {value.replace('HOST', host)}" for value in values]
    head = "\r\n".join(["GET /echo HTTP/1.1", f"Host: {host}", *lines, "Connection: close", "", ""])
    before = len(served.asked)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
        line.sendall(head.encode())
        assert line.recv(100).split()[1] in (b"400", b"403")
    assert len(served.asked) == before


def test_a_name_from_the_environment_is_let_in(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read for every request, for the port it is asked under."""
    host = f"comfy.example:{served.port}"
    assert served.ask("GET", "/echo", Host=host)[0] == 403
    monkeypatch.setenv(guard.HOSTS_VARIABLE, "comfy.example")
    assert served.ask("GET", "/echo", Host=host)[0] == 200


@pytest.mark.parametrize(
    ("how", "status", "kind"),
    [("wrong", 429, "rate"), ("config", 400, "config"), ("doubt", 409, "doubt"), ("bug", 500, "bug")],
)
def test_every_failure_is_json_in_words(how: str, status: int, kind: str, served: Served) -> None:
    """With its cure, a time to wait where there is one, and nothing that looks like a secret."""
    answer = served.ask("GET", f"/fail?how={how}")
    found = error(answer)
    assert answer[0] == status and found["kind"] == kind and found["what"]
    assert "abc123456789" not in found["what"] and "sk-12345" not in answer[2].decode()
    if how == "wrong":
        assert answer[1]["retry-after"] == "7" and found["cure"] == "Wait"


def test_slow_work_holds_nobody_up(served: Served) -> None:
    """Other requests are answered meanwhile; a browser that goes away leaves no trace of itself."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as gone:
        gone.sendall(b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        waiting: list[int] = []
        patient = threading.Thread(target=lambda: waiting.append(served.ask("GET", "/slow")[0]))
        patient.start()
        assert served.ask("GET", "/echo")[0] == 200 and not waiting
    served.go.set()
    patient.join(10)
    assert waiting == [200] and served.ask("GET", "/echo")[0] == 200


def test_a_file_is_sent_once_and_then_by_its_tag(served: Served) -> None:
    """Its own type, for this user's browser only, not to be guessed at, not for other sites."""
    status, headers, data = served.ask("GET", "/file")
    assert (status, headers["content-type"], data) == (200, "image/webp", b"RIFF")
    assert headers["cache-control"].startswith("private") and headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    again = served.ask("GET", "/file", If_None_Match=headers["etag"])
    assert again[0] == 304 and not again[2]
    assert served.ask("GET", "/file", If_None_Match='"other"')[0] == 200
