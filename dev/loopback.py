"""JSON over HTTP to our own processes on this machine, never through a proxy. Used by hosts and simulators here."""

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


def fetch(url: str, timeout: float = 30.0) -> bytes:
    """GET. Raises Answered, OSError."""
    try:
        with _OPENER.open(url, timeout=timeout) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        raise Answered(error.code, _parsed(error.read())) from None


def get(url: str, timeout: float = 30.0) -> Any:
    """GET, the JSON of the answer. Raises Answered, OSError."""
    return _parsed(fetch(url, timeout))


def post(url: str, body: Any, timeout: float = 30.0) -> Any:
    """POST of JSON, the JSON of the answer. Raises Answered, OSError."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            return _parsed(answer.read())
    except urllib.error.HTTPError as error:
        raise Answered(error.code, _parsed(error.read())) from None
