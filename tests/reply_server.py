"""A loopback server that answers with replies given as data: what a real provider was seen to answer.

    {"status": 200, "body": {...}}            JSON, given in order to whatever is asked
    {"status": 200, "raw": b"...", "headers"} bytes as they are
    {"poll": True, ...}                       to every GET, as often as it comes
    {"path": "/v1/x", ...}                    to that path, as often as it comes

The last reply is repeated. Addresses of its files are `server.file(name)`.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pack.tests.raw_server import CLOSE, Connection, RawServer

Given = Mapping[str, Any]


@dataclass(frozen=True)
class ReceivedRequest:
    """One request that the server had."""

    method: str
    path: str
    head: str
    body: bytes


class ReplyServer:
    """Answers with `replies`; `files` are images by name, served at `/files/<name>` and in no count of requests."""

    def __init__(self, replies: Sequence[Given], files: Mapping[str, bytes] | None = None) -> None:
        self.replies = list(replies)
        self.files = dict(files or {})
        self.asked: list[ReceivedRequest] = []
        self.fetched: list[str] = []
        self._next = 0
        self._lock = threading.Lock()
        self._server = RawServer(self._serve)
        self.url = self._server.url

    def file(self, name: str) -> str:
        """The address of a file."""
        return f"{self.url}/files/{name}"

    @property
    def posts(self) -> list[ReceivedRequest]:
        """The requests that may cost money."""
        return [asked for asked in self.asked if asked.method == "POST"]

    def close(self) -> None:
        self._server.close()

    def _serve(self, connection: Connection) -> None:
        head = connection.read_head().decode("latin-1")
        if not head:
            return
        body = connection.read_body()
        method, path, _ = head.split(" ", 2)
        name = path.partition("/files/")[2].partition("?")[0]
        if name in self.files:
            self.fetched.append(path)
            connection.answer(self.files[name], "200 OK", "Content-Type: image/png", CLOSE)
            return
        with self._lock:
            self.asked.append(ReceivedRequest(method, path, head, body))
            given = self._chosen(method, path)
        self._answer(connection, given)

    def _chosen(self, method: str, path: str) -> Given:
        for given in self.replies:
            if given.get("path") == path.partition("?")[0] or (given.get("poll") and method == "GET"):
                return given
        ordered = [given for given in self.replies if "path" not in given and not given.get("poll")]
        if not ordered:
            return {"status": 404, "body": {"error": {"message": "nothing is here"}}}
        self._next += 1
        return ordered[min(self._next, len(ordered)) - 1]

    @staticmethod
    def _answer(connection: Connection, given: Given) -> None:
        raw = given.get("raw")
        body = raw if raw is not None else json.dumps(given.get("body", {})).encode()
        headers = {"Content-Type": "application/json", **given.get("headers", {})}
        for interim in given.get("interim", ()):
            connection.write(f"HTTP/1.1 {interim} Interim\r\nLink: </a.css>; rel=preload\r\n\r\n".encode())
        fields = [f"{name}: {value}" for name, value in headers.items()]
        connection.answer(body, f"{given['status']} Status", *fields, CLOSE)


@contextlib.contextmanager
def replying(*replies: Given, files: Mapping[str, bytes] | None = None) -> Iterator[ReplyServer]:
    """A server for the length of a `with`."""
    server = ReplyServer(replies, files)
    try:
        yield server
    finally:
        server.close()
