"""JSON over HTTP to our own processes on this machine, never through a proxy."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answered(Exception):
    """The server answered with an error status; `body` is its JSON, or its text."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"HTTP {status}: {body}")
        self.status = status
        self.body = body


def free_port() -> int:
    """A port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def fetch(url: str, body: bytes | None = None) -> bytes:
    """GET, or POST of JSON. Raises Answered, OSError (a connection that ends amid the answer is one, too)."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with _OPENER.open(request, timeout=30) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise Answered(error.code, _parsed(error.read())) from None
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from None


def get(url: str) -> Any:
    """GET, the JSON of the answer. Raises as `fetch` does."""
    return _parsed(fetch(url))


def post(url: str, body: Any) -> Any:
    """POST of JSON, the JSON of the answer. Raises as `fetch` does."""
    return _parsed(fetch(url, json.dumps(body).encode()))
