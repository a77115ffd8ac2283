"""Testing a key: one free request, an honest verdict, and the key goes nowhere it wasn't meant for."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pack.core.config.settings_file import set_base_url
from pack.core.custom_providers.settings_form import save
from pack.core.engine import Engine
from pack.core.errors import ConfigError
from pack.core.execution import key_check
from pack.core.execution.key_check import Checked, check_key
from pack.core.planning.plan import Target
from pack.core.providers import BUILT_IN
from pack.tests.doubles.server import Doubles
from pack.tests.raw_server import Connection, serving

KEY = "sim-canary-77e1b2"
KEYED = ("onerouter", "apiframe", "nanobanana", "runflow")


def target(home: Path, provider: str, url: str, key: str = KEY) -> Target:
    """The provider at `url` with `key`, as the engine would use it."""
    prefix = f"NANO_BANANA_{provider.upper()}"
    resolver = Engine(home, environ={f"{prefix}_API_KEY": key, f"{prefix}_BASE_URL": url}).resolver()
    return resolver.target(resolver.specs[provider], "default")


def asked(home: Path, url: str, provider: str = "runflow") -> Checked:
    found = check_key(target(home, provider, url))
    assert KEY not in found.text and KEY not in repr(found)
    return found


@pytest.mark.parametrize("provider", KEYED)
def test_every_provider_tells_a_right_key_from_a_wrong_one_for_nothing(
    provider: str, doubles: Doubles, tmp_path: Path
) -> None:
    """Where acceptance can't be proven for nothing, that is said; a refusal is certain. Nothing paid is sent."""
    doubles.reset()
    url, label = doubles.base_url(provider), BUILT_IN[provider].label
    right, wrong = (
        check_key(target(tmp_path, provider, url)),
        check_key(target(tmp_path, provider, url, "nothing-good")),
    )
    assert right.verdict == ("works" if provider in ("apiframe", "runflow") else "unproven"), right
    assert wrong.verdict == "refused" and "401" in wrong.text, wrong
    assert label in right.text and label in wrong.text and "nothing-good" not in wrong.text
    seen = doubles.request_log()
    assert not seen["requests"] and seen["paid_images"] == 0
    assert [call["method"] for call in seen["free"]] == ["GET", "GET"]


def test_the_key_is_sent_once_and_whole_in_its_header(tmp_path: Path) -> None:
    """A GET without a body and without the key in its address."""
    with serving(lambda connection: connection.serve(b'{"balance": "1"}')) as server:
        assert asked(tmp_path, server.url).verdict == "works"
        server.settle()
        (connection,) = server.connections
    assert connection.head.startswith(b"GET /v1/billing/balance HTTP/1.1") and not connection.body
    assert connection.header("authorization") == f"Bearer {KEY}" and connection.head.count(KEY.encode()) == 1


ANSWERS: list[tuple[str, str, bytes]] = [
    ("refused", "401 Unauthorized", b"{}"),
    ("refused", "401 Unauthorized", b""),
    ("refused", "400 Bad Request", b'{"error": {"message": "Incorrect API key provided"}}'),
    ("refused", "403 Forbidden", b'{"message": "forbidden"}'),
    ("refused", "200 OK", b'{"code": 401, "message": "invalid token"}'),
    ("refused", "200 OK", b'{"error": {"message": "invalid api key"}}'),
    ("no credit", "402 Payment Required", b"{}"),
    ("no credit", "403 Forbidden", b'{"error": {"code": "insufficient_user_quota", "message": "quota"}}'),
    ("no credit", "429 Too Many Requests", b'{"error": {"message": "insufficient balance"}}'),
    ("unproven", "404 Not Found", b'{"error": {"message": "task not found"}}'),
    ("unproven", "400 Bad Request", b'{"error": {"message": "bad task id"}}'),
    ("unproven", "405 Method Not Allowed", b""),
    ("unreachable", "429 Too Many Requests", b'{"error": {"message": "slow down"}}'),
    ("unreachable", "500 Internal Server Error", b"oops"),
    ("unreachable", "502 Bad Gateway", b"<html><title>nginx</title></html>"),
    ("unreachable", "200 OK", b"<!doctype html><title>Log in to the hotel</title>"),
    ("unreachable", "200 OK", b""),
    ("unreachable", "200 OK", b"OK"),
    ("works", "200 OK", b'{"balance": "0.00"}'),
    ("works", "200 OK", b'{"code": 200, "data": []}'),
    ("works", "200 OK", b'\xef\xbb\xbf{"error": null}'),
    ("works", "200 OK", b"[]"),
]


@pytest.mark.parametrize(("verdict", "status", "body"), ANSWERS)
def test_what_an_answer_says_about_the_key(verdict: str, status: str, body: bytes, tmp_path: Path) -> None:
    """Neither a web page nor an error inside a 200 is taken for a good key, nor an empty account for a bad one."""
    with serving(lambda connection: connection.serve(body, status)) as server:
        found = asked(tmp_path, server.url)
    assert found.verdict == verdict, found
    if b"hotel" in body:
        assert "Log in to the hotel" in found.text and "check the address" in found.text


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_not_followed(status: str, tmp_path: Path) -> None:
    """It is told as an address to correct; whoever it leads to sees nothing."""
    with serving(lambda connection: connection.serve()) as elsewhere:
        with serving(lambda connection: connection.serve(b"", status, f"Location: {elsewhere.url}/v1")) as server:
            with pytest.raises(ConfigError, match="leads somewhere else") as refusal:
                check_key(target(tmp_path, "runflow", server.url))
            assert server.connection_count == 1
        assert elsewhere.connection_count == 0
    assert KEY not in str(refusal.value)


def test_an_answer_that_repeats_the_key_does_not_bring_it_back(tmp_path: Path) -> None:
    """Debug pages and gateways do that, in words and in headers."""
    words = json.dumps({"error": {"message": f"no such account: {KEY}", "code": KEY}}).encode()
    with serving(lambda connection: connection.serve(words, "401 Unauthorized", f"X-Request-Id: {KEY}")) as server:
        assert "no such account" in asked(tmp_path, server.url).text
    with serving(lambda connection: connection.serve(f"<title>{KEY} is here</title>".encode())) as server:
        assert "is here" in asked(tmp_path, server.url).text


def _silent(connection: Connection) -> None:
    connection.read_head()
    connection.read_rest()


def _dripping(connection: Connection) -> None:
    connection.read_head()
    connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.write(b" ")
        # Each byte is in time; all of them never are. The client's going ends it.
        connection.channel.settimeout(0.02)
        try:
            if not connection.channel.recv(1):
                return
        except TimeoutError:
            pass


def _hanging_up(connection: Connection) -> None:
    connection.read_head()
    connection.reset()


@pytest.mark.parametrize("script", [_silent, _dripping, _hanging_up])
def test_a_server_that_gives_no_answer_says_nothing_about_the_key(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent, dripping or hanging up: it ends in time and is asked once."""
    monkeypatch.setattr(key_check, "SECONDS", 0.4)
    with serving(script) as server:
        found = asked(tmp_path, server.url)
        server.settle()
        assert server.connection_count == 1
    assert found.verdict == "unreachable" and "known about the key" in found.text, found


def test_nobody_there(tmp_path: Path) -> None:
    """The connection is refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found = asked(tmp_path, f"http://127.0.0.1:{probe.getsockname()[1]}")
    assert found.verdict == "unreachable" and "refused" in found.text


def test_a_provider_without_an_address_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """Many resellers serve that API: the user names theirs."""
    resolver = Engine(tmp_path, environ={"NANO_BANANA_NANOBANANA_API_KEY": KEY}).resolver()
    with pytest.raises(ConfigError, match="NANO_BANANA_NANOBANANA_BASE_URL"):
        resolver.target(resolver.specs["nanobanana"], "default")


def test_without_a_key_or_a_way_to_test_it_nothing_is_sent(tmp_path: Path) -> None:
    """No key, a provider that needs none, and one whose API nobody knows a free address of."""
    engine = Engine(tmp_path, local_address=lambda: "http://127.0.0.1:9", environ={})
    resolver = engine.resolver()
    assert check_key(resolver.target(resolver.specs["onerouter"], "default")).verdict == "unproven"
    assert check_key(resolver.target(resolver.specs["offline"], "default")).verdict == "works"
    with serving(lambda connection: connection.serve()) as server:
        spec = save(tmp_path, "my_shop", {"base_url": server.url, "dialect": "openai_images"})
        engine.keys.put("my_shop", "default", KEY, server.url)
        found = check_key(engine.resolver().target(spec, "default"))
        assert found.verdict == "unproven" and "first picture" in found.text and server.connection_count == 0


def test_a_service_account_is_never_sent_itself(tmp_path: Path) -> None:
    """Its document signs for tokens; a `key_check` in the user's own file doesn't make it a token."""
    with serving(lambda connection: connection.serve()) as server:
        spec = replace(BUILT_IN["vertex"], key_check="/v1/me")
        found = check_key(replace(target(tmp_path, "onerouter", server.url), spec=spec))
        assert found.verdict == "unproven" and server.connection_count == 0


def test_a_key_for_another_address_is_not_sent_to_this_one(tmp_path: Path) -> None:
    """The test of a disabled key reaches nobody."""
    with serving(lambda connection: connection.serve()) as server:
        engine = Engine(tmp_path, environ={"RUNFLOW_API_KEY": KEY})
        engine.keys.put("runflow", "default", KEY, "https://api.runflow.io")
        set_base_url(tmp_path, "runflow", server.url)
        resolver = engine.resolver()
        found = check_key(resolver.target(resolver.specs["runflow"], "default"))
        assert found.verdict == "unproven" and server.connection_count == 0
