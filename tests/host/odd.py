"""A tiny server that does what no strict double would: echoes secrets, reads slowly, stops in the middle.

It speaks no API. A test hands it an act: what to do with one connection. Everything that was received is kept, so that a
test can say what never came.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any


class Visit:
    """One connection: the head of its request, as much of its body as was read, and whether the caller went away."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.head = ""
        self.body = b""
        self.promised = 0
        """Content-Length of the request."""
        self.ended = threading.Event()
        """The connection is over, whoever ended it."""

    def header(self, name: str) -> str:
        """A header of the request, "" without it."""
        for line in self.head.splitlines()[1:]:
            found, _, value = line.partition(":")
            if found.strip().lower() == name.lower():
                return value.strip()
        return ""

    def read_head(self) -> bool:
        """Reads up to the empty line; False when the caller went away first."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.channel.recv(4096)
            if not piece:
                return False
            data += piece
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        self.promised = int(self.header("content-length") or 0)
        return True

    def read_body(self) -> bool:
        """Reads the rest; False when the caller went away before its end."""
        while len(self.body) < self.promised:
            piece = self.channel.recv(1 << 16)
            if not piece:
                return False
            self.body += piece
        return True

    def answer(self, status: str, body: bytes, *headers: str) -> None:
        """A whole answer, after which the connection is closed."""
        self.channel.sendall(self.answer_head(status, len(body), *headers) + body)

    @staticmethod
    def answer_head(status: str, length: int, *headers: str) -> bytes:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", *headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


Act = Callable[[Visit], None]


def refuse(visit: Visit) -> None:
    """For visitors that should never have come."""
    visit.read_body()
    visit.answer("404 Not Found", b'{"error": "nothing is here"}', "Content-Type: application/json")


def answering(*answers: Any) -> Act:
    """Answers requests in their order with these JSON values and HTTP 200; the last one goes to all that follow."""
    left = list(answers)

    def act(visit: Visit) -> None:
        visit.read_body()
        answer = left.pop(0) if len(left) > 1 else left[0]
        visit.answer("200 OK", json.dumps(answer).encode(), "Content-Type: application/json")

    return act


class Odd:
    """A listening server; `act` is what it does with a connection whose head has been read."""

    def __init__(self, *, small_buffer: bool = False) -> None:
        self.act: Act = refuse
        self.visits: list[Visit] = []
        self._arrived = threading.Condition()
        self._listener = socket.socket()
        if small_buffer:
            # Inherited by every connection: a sender soon waits for the reader.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, act: Act) -> None:
        """Another act, and nobody has come yet."""
        with self._arrived:
            self.visits = []
        self.act = act

    def wait(self, count: int = 1, timeout: float = 60.0) -> bool:
        """Waits until that many requests have arrived, heads at least."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.visits) >= count, timeout)

    def close(self) -> None:
        """Stops listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(channel,), daemon=True).start()

    def _serve(self, channel: socket.socket) -> None:
        visit = Visit(channel)
        try:
            with channel:
                if visit.read_head():
                    with self._arrived:
                        self.visits.append(visit)
                        self._arrived.notify_all()
                    self.act(visit)
        except OSError:
            pass
        finally:
            visit.ended.set()


@contextlib.contextmanager
def odd(*, small_buffer: bool = False) -> Iterator[Odd]:
    """A running odd server, closed afterwards."""
    server = Odd(small_buffer=small_buffer)
    try:
        yield server
    finally:
        server.close()
