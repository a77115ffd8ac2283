"""JSON over HTTP to our own processes on this machine, never through a proxy. Used by hosts and doubles here."""

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


def _opened(request: str | urllib.request.Request, timeout: float) -> bytes:
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        raise Answered(error.code, _parsed(error.read())) from None
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from None


def fetch(url: str, timeout: float = 30.0) -> bytes:
    """GET. Raises Answered, OSError (a connection that ends amid the answer is one, too)."""
    return _opened(url, timeout)


def get(url: str, timeout: float = 30.0) -> Any:
    """GET, the JSON of the answer. Raises Answered, OSError."""
    return _parsed(fetch(url, timeout))


def post(url: str, body: Any, timeout: float = 30.0) -> Any:
    """POST of JSON, the JSON of the answer. Raises Answered, OSError."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    return _parsed(_opened(request, timeout))
