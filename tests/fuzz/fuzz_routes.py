"""Feeds every route through the guard: an answer below 500 to whatever is asked, and no key in any of them.

An input is JSON {"route": "PUT /settings", "path": {...}, "query": {...}, "headers": {...}, "body": anything}; a body that is
a text is sent as it is. The nodes' modules come from the ComfyUI of the development environment; nothing of it is started.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import logging
import os
import re
import shutil
import sys
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import inputs
from aiohttp import web
from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from folders import folder
from harness import ROOT, Harness
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

KEY = "AIzaFuzzFuzzFuzzFuzzFuzzFuzzFuzz012"
"""Stored in the folder: it may be in no answer."""
_UIDS = tuple(hashlib.sha256(bytes([number])).hexdigest()[:32] for number in range(3))
_FOLDER = folder("routes")
_RENEWED_AFTER = 400
_loop: asyncio.AbstractEventLoop | None = None
_routes: dict[str, Any] = {}
_raised: list[BaseException] = []
_count = 0


def _load() -> None:
    """Makes the routes ready, on a data folder of their own."""
    global _loop
    from pack.dev.environment import ready

    arguments, sys.argv = sys.argv, sys.argv[:1]
    sys.path.append(str(ready().comfyui))
    # The host's own nodes would start half of it; a workflow's LoadImage is then a picture that isn't known.
    sys.modules["nodes"] = None  # type: ignore[assignment]
    os.environ["NANO_BANANA_HOME"] = str(_FOLDER / "home")
    logging.getLogger("nano_banana").setLevel(logging.CRITICAL)
    routes: Any = importlib.import_module("pack.routes")
    sys.argv = arguments
    host: Any = importlib.import_module("pack.comfyui")
    keys: Any = importlib.import_module("pack.routes.keys")
    checked = importlib.import_module("pack.core.execution.key_check").Checked

    async def at_once(work: Any) -> Any:
        return work()

    host.off_loop = at_once
    host.input_folder = lambda: _FOLDER / "input"
    keys.check_key = lambda target: checked("good", "fine")  # nothing is sent from here
    errors = (routes.security.ApiError, importlib.import_module("pack.core.errors").NanoBananaError)
    guarded = routes.guarded
    routes.guarded = lambda work, **more: guarded(_noting(work, errors), **more)
    host.server_routes = _Table
    routes.register()
    _loop = asyncio.new_event_loop()


class _Connection:
    """A connection that came in on this machine's own address, and takes what is written."""

    def __init__(self) -> None:
        self.transport = self
        self.ssl_context = self.peername = self.sockname = None
        self._reading_paused = False
        self.pause_reading = self.resume_reading = lambda **_: None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 8188) if name == "sockname" else default


class _Table:
    """Takes the routes as the server does: `table.get(path)(handler)`."""

    def __getattr__(self, method: str) -> Any:
        def at(path: str) -> Any:
            return lambda handler: _routes.update({f"{method.upper()} {path.removeprefix('/nano_banana')}": handler})

        return at


def _noting(work: Any, errors: Any) -> Any:
    """`work`, with what it raises beyond its errors written down: the guard tells its name only."""

    def noted(ask: Any) -> Any:
        try:
            return work(ask)
        except errors:
            raise
        except BaseException as error:
            _raised.append(error)
            raise

    return noted


def _renew() -> None:
    """A folder with a stored key, settings and three pictures, as before the first input."""
    host: Any = importlib.import_module("pack.comfyui")
    importlib.import_module("pack.routes.keys")._tests.clear()
    if host._engine is not None:
        host._engine.ledger.database.close()
        host._engine = None
    home = _FOLDER / "home"
    shutil.rmtree(home, ignore_errors=True)
    (_FOLDER / "input").mkdir(exist_ok=True)
    home.mkdir()
    stored = {"default": {"key": KEY, "origin": "https://generativelanguage.googleapis.com:443", "added": 1.0}}
    (home / "keys.json").write_text(json.dumps({"version": 1, "keys": {"google": stored}, "tests": {}}))
    for number, uid in enumerate(_UIDS):
        data = inputs.tiny_png(2 + number)
        name = hashlib.sha256(data).hexdigest()
        subfolder = home / "results" / name[:2]
        subfolder.mkdir(parents=True, exist_ok=True)
        (subfolder / f"{name}.png").write_bytes(data)
        facts = {
            "uid": uid,
            "fingerprint": f"v1:{number}",
            "operation": "generate",
            "provider": "google",
            "created": 1.7e9,
        }
        facts["graph"] = {"prompt": {"1": {"class_type": "NanoBananaGenerate", "inputs": {}}}, "workflow": {}}
        sidecar = {"version": 1, "file": f"{name}.png", "pictures": [facts]}
        (subfolder / f"{name}.json").write_text(json.dumps(sidecar))
    history = importlib.import_module("pack.core.ledger.history")
    history.History(host.engine().ledger).reindex()


def prepare() -> None:
    """Loads the routes once, and renews their data folder now and then."""
    global _count
    if _loop is None:
        _load()
    if _count % _RENEWED_AFTER == 0:
        _renew()
    _count += 1


def run(data: bytes) -> None:
    """Asks a route; raises what it raised, and AssertionError for an answer of 500 or with the key in it."""
    assert _loop is not None
    given = _given(data)
    _raised.clear()
    response = _loop.run_until_complete(_ask(given))
    if _raised and not isinstance(_raised[0], OSError):
        raise _raised[0]
    body = getattr(response, "body", None) or b""
    assert response.status < 500 or (response.status == 503 and _raised), f"an answer of {response.status}"
    assert KEY.encode() not in body, "the key is in an answer"
    assert response.status < 400 or json.loads(body)["error"]["what"], "an error without words"


async def _ask(given: dict[str, Any]) -> web.StreamResponse:
    name = given["route"]
    method, _, template = name.partition(" ")
    path = "/nano_banana" + re.sub(r"\{(\w+)\}", "x", template)
    query = urllib.parse.urlencode(given["query"], errors="replace")
    headers = CIMultiDict({"Host": "127.0.0.1:8188", **given["headers"]})
    connection: Any = _Connection()
    payload: Any = EMPTY_PAYLOAD
    if given["body"] is not None:
        payload = StreamReader(connection, 2**16, loop=asyncio.get_running_loop())
        payload.feed_data(given["body"])
        payload.feed_eof()
        headers.setdefault("Content-Type", "application/json")
        headers["Content-Length"] = str(len(given["body"]))
    target = f"{path}?{query}"
    # Made here and not by aiohttp's own helper, whose doubles take longer than most routes.
    message = RawRequestMessage(
        method,
        target,
        HttpVersion11,
        CIMultiDictProxy(headers),
        (),
        False,
        None,
        False,
        False,
        URL(target, encoded=True),
    )
    request = web.Request(message, payload, connection, connection, None, asyncio.get_running_loop())  # type: ignore[arg-type]
    request._match_info = given["path"]
    answer: web.StreamResponse = await _routes[name](request)
    return answer


def _given(data: bytes) -> dict[str, Any]:
    """An input as what is asked; whatever the bytes are, it is something."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = {"route": "PUT /settings", "body": data.decode("latin-1")}
    value = value if isinstance(value, dict) else {"body": value}
    names = sorted(_routes)
    route = str(value.get("route"))
    body = value.get("body")
    if isinstance(body, str):
        sent: bytes | None = body.encode("utf-8", "surrogatepass")
    else:
        sent = None if body is None else json.dumps(body).encode()
    found: dict[str, Any] = {"route": route if route in _routes else names[len(data) % len(names)], "body": sent}
    for name in ("path", "query", "headers"):
        each = value.get(name)
        plain = {str(k): _sendable(str(v)) for k, v in each.items()} if isinstance(each, dict) else {}
        found[name] = plain
    for name in re.findall(r"\{(\w+)\}", found["route"]):
        found["path"].setdefault(name, "x")
    found["headers"] = {
        re.sub(r"[^A-Za-z-]", "", name) or "X": re.sub(r"[\r\n\0]", "", text) for name, text in found["headers"].items()
    }
    return found


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


# ------------------------------------------------------------------------------------------------ inputs

_PROMPTS = tuple(
    json.loads(file.read_text("utf-8")) for file in sorted((Path(ROOT) / "example_workflows" / "api").glob("*.json"))
)
_IDS = ("google", "fal", "offline", "mine", "my_other", "auto", "x", "../x", "", "A", "\0", "é", "google_x", *_UIDS)
_PROFILES = ("default", "team", "sk-abcdefabcdefabcdef012345", "x" * 33, "", "a b", "..", "\0")
_QUERIES = inputs.words("routes", "queries")
_QUERY_VALUES = inputs.words("routes", "query_values")
_SETTINGS = inputs.words("routes", "settings")
_FACTS = inputs.words("routes", "facts")
_GOOD = inputs.words("routes", "good")


def make(rng: Random) -> bytes:
    """A question that is nearly one of a page."""
    route = rng.choice(_ROUTE_NAMES)
    value: dict[str, Any] = {"route": route}
    value["path"] = {"provider": rng.choice(_IDS), "profile": rng.choice(_PROFILES), "id": rng.choice(_IDS)}
    if route.startswith(("GET", "DELETE")):
        value["query"] = {rng.choice(_QUERIES): rng.choice(_QUERY_VALUES) for _ in range(rng.randrange(4))}
    if route.startswith(("PUT", "POST")) or rng.random() < 0.05:
        value["body"] = _body(rng, route)
    if rng.random() < 0.1:
        names = ("Host", "Origin", "Referer", "Sec-Fetch-Site", "Content-Type", "If-None-Match", "Accept-Encoding")
        value["headers"] = {rng.choice(names): inputs.text(rng)}
    return json.dumps(value).encode()


def _body(rng: Random, route: str) -> Any:
    draw = rng.random()
    if draw < 0.04:
        return inputs.made_json(rng).decode("latin-1")
    if "estimate" in route:
        prompt = _chain(rng) if rng.random() < 0.15 else rng.choice(_PROMPTS)
        for _ in range(rng.choice((0, 1, 2, 4))):
            prompt = inputs.mutated_value(prompt, rng, rng.choice(_PROMPTS))
        return {"prompt": prompt, "detail": rng.random() < 0.5, "everywhere": rng.random() < 0.3}
    names = _SETTINGS if "settings" in route else _FACTS
    if draw < 0.3:
        return inputs.value(rng)
    return {
        rng.choice(names): rng.choice(_GOOD) if rng.random() < 0.6 else inputs.value(rng, 2)
        for _ in range(rng.randrange(6))
    }


def _chain(rng: Random) -> dict[str, Any]:
    """ProviderConfigs one behind the other, in a circle or without an end."""
    length = rng.choice((1, 3, 30, 1500))
    nodes: dict[str, Any] = {
        str(number): {"class_type": "ProviderConfig", "inputs": {"fallback": [str(number + 1), 0]}}
        for number in range(length)
    }
    nodes[str(length)] = {
        "class_type": "ProviderConfig",
        "inputs": {"provider": "google", "fallback": [rng.choice(("0", "x")), 0]},
    }
    nodes["a"] = {"class_type": "NanoBananaGenerate", "inputs": {"prompt": "x", "provider": ["0", 0]}}
    return nodes


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return inputs.mutated_json(data, rng, others)


def _route_names() -> tuple[str, ...]:
    """The routes as their modules list them, read without a ComfyUI."""
    found = []
    for file in sorted((Path(ROOT) / "routes").glob("*.py")):
        found += [
            f"{method} {path}" for method, path in re.findall(r'\("([A-Z]+)", "(/[^"]*)", ', file.read_text("utf-8"))
        ]
    return tuple(found)


_ROUTE_NAMES = _route_names()
HARNESS = Harness(
    "routes",
    run,
    make,
    mutate,
    (
        *(
            f"routes/{name}.py"
            for name in (
                "security",
                "hosts",
                "host_codes",
                "keys",
                "models",
                "providers",
                "settings",
                "estimate",
                "results",
            )
        ),
        "nodes/estimate.py",
        "core/config/allowed_models.py",
        "core/config/host_names.py",
        "core/config/settings_file.py",
        "core/custom_providers/settings_form.py",
        "core/custom_providers/added_models.py",
    ),
    prepare,
    inputs_in_suite=600,
    examples=30,
)
