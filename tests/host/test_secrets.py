"""A key goes to its provider and nowhere else: not into files, histories, logs, messages, proxies or other servers."""

from __future__ import annotations

import importlib.util
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from pack.dev.comfy_host import TEST_ARGUMENTS, Host
from pack.tests.host.kit import Bench, Ran, colours, node, provider_variables
from pack.tests.host.ws_client import ws_client
from pack.tests.raw_server import CLOSE, Connection, RawServer, serving
from PIL import Image

ECHOES = {
    "header": "401 Unauthorized|bad header Authorization: {key}",
    "plain": "500 Internal Server Error|there is no account {key} here",
    "quoted": '500 Internal Server Error|upstream said {{"credentials": "{key}"}}',
    "glued": "400 Bad Request|headers={{authorization={key},accept=*}}",
    "address": "422 Unprocessable Entity|see https://example.com/login/{key}?token={key}",
    "moved": "307 Temporary Redirect|https://example.com/moved/{key}/here?key={key}",
}
"""Servers that repeat what they were sent, as debug pages and gateways do: status and words."""


class Planted:
    """The secrets of one test run, by where they were put."""

    def __init__(self) -> None:
        self.keys = {name: secrets.token_hex(16) for name in ("onerouter", "nanobanana", "runflow", "netrc")}
        # Of no provider's usual shape, as keys of resellers are: only who knows it can hide it.
        self.keys["apiframe"] = "Zq" + secrets.token_hex(16)

    def leaks(self, text: str | bytes) -> list[str]:
        """Which of them are in a text."""
        data = text.encode() if isinstance(text, str) else text
        return [name for name, key in self.keys.items() if key.encode() in data]


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


@pytest.fixture(scope="module")
def echo() -> Iterator[RawServer]:
    """A provider that repeats its Authorization header wherever it can."""
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def proxy() -> Iterator[RawServer]:
    """A proxy that writes down what it is asked and lets nothing through."""

    def turn_away(connection: Connection) -> None:
        connection.answer(b"no way", "502 Bad Gateway", CLOSE)

    with serving() as server:
        server.handle(turn_away)
        yield server


@pytest.fixture(scope="module")
def canary(
    doubles: Any, planted: Planted, echo: RawServer, proxy: RawServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """A host with a planted key per provider, each given in another way, a proxy for everything and a .netrc.

    FAL is on the internet, and the keys of Replicate and kie.ai are no keys.
    """
    aside = tmp_path_factory.mktemp("aside")
    (aside / "key.txt").write_text(f"\ufeffsim-{planted.keys['nanobanana']}\n", encoding="utf-8")
    (aside / "raw.txt").write_text(planted.keys["apiframe"] + "\r\n")
    (aside / ".netrc").write_text(f"machine 127.0.0.1\nlogin somebody\npassword {planted.keys['netrc']}\n")
    (aside / ".netrc").chmod(0o600)
    variables = provider_variables(doubles)
    for name in ("NANOBANANA", "APIFRAME", "RUNFLOW"):
        del variables[f"NANO_BANANA_{name}_API_KEY"]
    variables |= {
        "NANO_BANANA_ONEROUTER_API_KEY": f' "Bearer sim-{planted.keys["onerouter"]}" ',
        "NANO_BANANA_NANOBANANA_API_KEY_FILE": str(aside / "key.txt"),
        "RUNFLOW_API_KEY": f"'sim-{planted.keys['runflow']}'",
        "NANO_BANANA_APIFRAME_API_KEY_FILE": str(aside / "raw.txt"),
        "NANO_BANANA_APIFRAME_BASE_URL": echo.url,
        "NANO_BANANA_FAL_BASE_URL": "https://images.example.com",
        "NANO_BANANA_FAL_API_KEY": "sim-remote-5a1b2c3d4e5f",
        "NANO_BANANA_REPLICATE_API_KEY": "sim-in\u200bvisible-77aa88bb99",
        "NANO_BANANA_KIE_API_KEY_FILE": str(aside / "nowhere.txt"),
        "NETRC": str(aside / ".netrc"),
        "HOME": str(aside),
        "NO_PROXY": "",
        "no_proxy": "",
    }
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        address = proxy.url.replace("//", "//somebody:pr0xy-pa55word@") if name == "HTTPS_PROXY" else proxy.url
        variables |= {name: address, name.lower(): address}
    base = tmp_path_factory.mktemp("canary")
    home = tmp_path_factory.mktemp("data")
    with Host.start(base, variables | {"NANO_BANANA_HOME": str(home)}, (*TEST_ARGUMENTS, "--verbose", "DEBUG")) as host:
        host.home = home
        yield Bench(host, doubles)


def saved(text: str, provider: str, **inputs: Any) -> dict[str, Any]:
    return {
        "config": node("ProviderConfig", provider=provider),
        "make": node("NanoBananaGenerate", prompt=text, provider=["config", 0], **inputs),
        "save": node("SaveImage", images=["make", 0], filename_prefix=f"saved-{provider}"),
        "say": node("PreviewAny", source=["make", 3]),
    }


def echoing(words: str) -> Any:
    """An act that answers with the key in the words, the request id and the place to go."""
    status, _, text = words.partition("|")

    def handler(connection: Connection) -> None:
        connection.read_body()
        message = text.format(key=connection.header("authorization"))
        headers = [f"X-Request-Id: {connection.header('authorization')}"]
        if status.startswith("3"):
            headers.append(f"Location: {message}")
        connection.answer_json({"errors": [{"msg": message}], "code": message}, status, *headers)

    return handler


@pytest.fixture(scope="module")
def traces(canary: Bench, echo: RawServer, planted: Planted) -> dict[str, bytes]:
    """Good and bad prompts of every provider, and everything that they left behind."""
    host = canary.host
    found: dict[str, bytes] = {}
    messages: list[str] = []

    def fail(prompt: dict[str, Any]) -> None:
        ran = Ran(host, host.wait_prompt(host.queue_prompt(prompt, listener.client)))
        assert ran.error, f"that was no failure: {prompt['make']}"
        messages.append(ran.error)

    with ws_client(host) as listener:
        for provider in ("onerouter", "nanobanana", "runflow"):
            prompt = saved(f"secret-good-{provider}", provider)
            workflow = {"nodes": [{"type": "ProviderConfig", "widgets_values": [provider]}]}
            body = {
                "prompt": prompt,
                "client_id": listener.client,
                "extra_data": {"extra_pnginfo": {"workflow": workflow}},
            }
            entry = host.wait_prompt(host.post("/prompt", body)["prompt_id"])
            assert entry["status"]["status_str"] == "success", entry["status"]
            for words in ("status=401", "drop=headers", "status=500", "redirect=https://example.com/elsewhere"):
                fail(saved(f"secret-bad-{provider} [[sim: {words}]]", provider))
        for words in ECHOES.values():
            echo.handle(echoing(words))
            fail(saved(f"secret-echo {words}", "apiframe"))
            assert [connection.header("authorization") for connection in echo.requests] == [planted.keys["apiframe"]]
        canary.doubles.fault("hold", provider="onerouter", match="secret-slow")
        slow = host.queue_prompt(saved("secret-slow", "onerouter"), listener.client)
        assert canary.doubles.wait(prompt="secret-slow")
        found["queue"] = json.dumps(host.get("/queue")).encode()
        assert b"secret-slow" in found["queue"], "it is no longer there, so this proves nothing"
        canary.doubles.clear_faults()
        assert host.wait_prompt(slow)["status"]["status_str"] == "success"
        found["websocket"] = "\n".join(frame.raw for frame in listener.frames).encode()
    found["messages"] = "\n".join(messages).encode()
    found["history"] = json.dumps(host.get("/history")).encode()
    found["object_info"] = json.dumps(host.get("/object_info")).encode()
    found["log"] = host.log.read_bytes()
    return found


@pytest.mark.parametrize("channel", ["queue", "websocket", "messages", "history", "object_info", "log"])
def test_no_key_is_left_behind(traces: dict[str, bytes], planted: Planted, channel: str) -> None:
    """After good runs, failures, and servers that repeat the key, with the host's log at DEBUG."""
    assert len(traces[channel]) > 20, "there is nothing to look through"
    leaked = planted.leaks(traces[channel])
    lines = [line[:300] for line in traces[channel].splitlines() if planted.leaks(line)][:3]
    assert leaked == [], f"{leaked} in {lines}"


def test_no_key_is_in_a_saved_picture(canary: Bench, traces: dict[str, bytes], planted: Planted) -> None:
    """Pictures are shared with the workflow in them."""
    files = sorted((canary.host.base / "output").glob("saved-*.png"))
    assert len(files) >= 3
    for file in files:
        texts = json.dumps(Image.open(file).info)
        assert "ProviderConfig" in texts, "the graph is not in it, so this proves nothing"
        assert planted.leaks(texts) == []


def test_no_key_is_in_any_file(canary: Bench, traces: dict[str, bytes], planted: Planted) -> None:
    """Under the host's folders and under the pack's own data folder."""
    assert canary.host.home is not None
    leaked = []
    for folder in (canary.host.base, canary.host.home):
        for path in folder.rglob("*"):
            # The pack itself is linked in: its sources are none of this test's business. The log has its own test.
            ours = "custom_nodes" in path.parts or path == canary.host.log
            if path.is_file() and not ours and planted.leaks(path.read_bytes()):
                leaked.append(path.name)
    assert leaked == []


def test_keys_are_cleaned_and_netrc_is_not_read(canary: Bench, traces: dict[str, bytes]) -> None:
    """Quotes, spaces, `Bearer`, a BOM and a line end are taken off, and .netrc has no say in the header."""
    for provider in ("onerouter", "nanobanana", "runflow"):
        asked = canary.asked(f"secret-good-{provider}", provider)
        assert [request["headers"]["authorization"] for request in asked] == ["bearer sim-…"]


def test_a_raw_key_is_sent_raw(canary: Bench, traces: dict[str, bytes], echo: RawServer, planted: Planted) -> None:
    """The key of a file, without the line end, and without a scheme where the provider wants none."""
    assert echo.requests[-1].header("authorization") == planted.keys["apiframe"]


def test_a_download_carries_no_key(canary: Bench, traces: dict[str, bytes]) -> None:
    """Not even to the provider's own origin: result files are public addresses."""
    free = canary.doubles.request_log()["free"]
    files = [call for call in free if call["kind"] == "file"]
    assert len(files) >= 4 and {call["authorization"] for call in files} == {""}


def test_an_upload_address_gets_no_key(canary: Bench, tag: str) -> None:
    """Its address came out of a reply; the announcement before it does need the key."""
    picture = canary.put("upload.png", colours(64, 64, seed=5))
    ran = canary.edit(tag, {"image_1": picture}, "runflow")
    assert ran.status == "success", ran.error
    uploads = [call for call in canary.doubles.request_log(provider="runflow")["free"] if call["kind"] == "upload"]
    forms = {(call["method"], call["authorization"]) for call in uploads}
    assert ("PUT", "") in forms and not any(method == "PUT" and form for method, form in forms)
    assert any(method == "POST" and form.startswith("bearer") for method, form in forms)


def test_a_provider_on_this_machine_is_never_asked_through_a_proxy(
    canary: Bench, traces: dict[str, bytes], proxy: RawServer
) -> None:
    """The proxy variables name a proxy for everything and there is no NO_PROXY: the doubles are asked directly."""
    assert canary.asked("secret-good-onerouter"), "nothing was asked"
    assert [
        connection.head_text for connection in proxy.requests if "127.0.0.1" in connection.head_text.splitlines()[0]
    ] == []


def test_a_key_does_not_follow_the_redirect_of_a_poll(
    canary: Bench, echo: RawServer, planted: Planted, tag: str
) -> None:
    """The task was accepted before: the key stays, and the message must not say that nothing was charged."""
    with serving() as stranger:

        def accept_then_send_away(connection: Connection) -> None:
            connection.read_body()
            if "/fetch " in connection.head_text:
                connection.answer(b"", "307 Temporary Redirect", f"Location: {stranger.url}/fetch", CLOSE)
            else:
                connection.answer_json({"task_id": "task-1", "status": "pending"})

        echo.handle(accept_then_send_away)
        ran = canary.generate(tag, "apiframe")
        assert ran.error_type == "NanoBanana.ConfigError" and "a key is never sent along" in ran.error
        assert "The provider may have charged for it." in ran.error, ran.error
        assert len(echo.requests) == 2 and stranger.requests == []


def test_a_provider_on_the_internet_is_asked_through_the_proxy(canary: Bench, proxy: RawServer, tag: str) -> None:
    """A tunnel is asked for, without the key; the message blames the proxy and not the provider."""
    proxy.forget()
    ran = canary.generate(tag, "fal")
    assert ran.error_type == "NanoBanana.NetworkError"
    assert "proxy" in ran.error and "Nothing was charged." in ran.error
    tunnels = [
        connection for connection in proxy.requests if "images.example.com" in connection.head_text.splitlines()[0]
    ]
    assert tunnels and all(connection.head_text.startswith("CONNECT images.example.com:443") for connection in tunnels)
    assert not any(
        connection.header("authorization") or "5a1b2c3d4e5f" in connection.head_text for connection in tunnels
    )
    for text in (ran.error, json.dumps(ran.entry), canary.host.log.read_text("utf-8", "replace")):
        assert "pr0xy-pa55word" not in text and "5a1b2c3d4e5f" not in text


def test_invisible_characters_in_a_key_are_refused_without_repeating_it(canary: Bench, tag: str) -> None:
    """A zero-width space that was pasted along is named as what it is."""
    ran = canary.generate(tag, "replicate")
    assert ran.error_type == "NanoBanana.ConfigError"
    assert "NANO_BANANA_REPLICATE_API_KEY" in ran.error and "invisible" in ran.error and "Paste it again" in ran.error
    assert "visible-77aa88bb99" not in json.dumps(ran.entry) and "\u200b" not in ran.error
    assert canary.asked(tag) == []


def test_a_missing_key_file_is_named_by_its_variable(canary: Bench, tag: str) -> None:
    """The path stays out of the message: it is the user's disk."""
    ran = canary.generate(tag, "kie")
    assert ran.error_type == "NanoBanana.ConfigError"
    assert "NANO_BANANA_KIE_API_KEY_FILE" in ran.error and "nowhere.txt" not in ran.error


@pytest.fixture(scope="module")
def misled(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A host whose network settings name a SOCKS proxy and a file of certificates that isn't there."""
    variables = provider_variables(doubles) | {
        "NANO_BANANA_ONEROUTER_BASE_URL": "https://images.example.com",
        "NANO_BANANA_RUNFLOW_BASE_URL": "https://direct.example.net",
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "all_proxy": "socks5://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost,direct.example.net",
        "no_proxy": "127.0.0.1,localhost,direct.example.net",
        "REQUESTS_CA_BUNDLE": str(tmp_path_factory.getbasetemp() / "no-such-bundle.pem"),
    }
    with Host.start(tmp_path_factory.mktemp("misled"), variables) as host:
        yield Bench(host, doubles)


@pytest.mark.long
def test_a_socks_proxy_without_its_package_is_explained(misled: Bench, tag: str) -> None:
    """The bare error of the HTTP library would say nothing about what to install."""
    if importlib.util.find_spec("socks") is not None:
        pytest.skip("this Python has PySocks")
    ran = misled.generate(tag, "onerouter")
    assert ran.error_type == "NanoBanana.ConfigError"
    assert "SOCKS" in ran.error and "pip install pysocks" in ran.error and "Nothing was charged." in ran.error


def test_a_missing_file_of_certificates_is_explained(misled: Bench, tag: str) -> None:
    """It names the variables that may be wrong and not the path."""
    ran = misled.generate(tag, "runflow")
    assert ran.error_type == "NanoBanana.ConfigError"
    assert "CA certificates" in ran.error and "REQUESTS_CA_BUNDLE" in ran.error and "Nothing was charged." in ran.error
    assert "no-such-bundle" not in ran.error
