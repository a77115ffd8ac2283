"""A loopback server on raw sockets, for tests that need to know exactly which bytes arrived and how a connection ended.

Each connection is one call of a script, a function that reads and writes by hand. Everything received is kept, so that a
test can also say what never came.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

SECONDS = 60.0
"""No read of a script waits longer."""
JSON = "Content-Type: application/json"
CLOSE = "Connection: close"


class Connection:
    """One connection of a client: the head of its latest request, as much of the body as was read, and its end."""

    def __init__(self, channel: socket.socket, changed: threading.Condition | None = None) -> None:
        self.channel = channel
        self.head = b""
        self.ended = threading.Event()
        """Set when the connection is over, whoever ended it."""
        self._pieces: list[bytes] = []
        self._changed = changed or threading.Condition()
        channel.settimeout(SECONDS)

    @property
    def head_text(self) -> str:
        """The request line and the headers."""
        return self.head.decode("latin-1")

    @property
    def body(self) -> bytes:
        """What has been read of the body. Set by scripts that read it in another way, such as over TLS."""
        return b"".join(self._pieces)

    @body.setter
    def body(self, content: bytes) -> None:
        self._pieces = [content]

    @property
    def content_length(self) -> int:
        """The length that the request declares, 0 without one."""
        return int(self.header("content-length") or 0)

    def read_head(self) -> bytes:
        """Read up to the empty line; returns less when the client goes away before."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            piece = self.channel.recv(1)
            if not piece:
                break
            seen += piece
        self._pieces = []
        with self._changed:
            self.head = seen
            self._changed.notify_all()
        return seen

    def header(self, name: str) -> str | None:
        """A header of the request, None without it."""
        for field in self.head_text.split("\r\n")[1:]:
            found, _, value = field.partition(":")
            if found.strip().lower() == name.lower():
                return value.strip()
        return None

    def read_body(self, size: int | None = None) -> bytes:
        """Read `size` bytes, or what Content-Length promises and wasn't read yet; less when the client goes away."""
        wanted = self.content_length - sum(map(len, self._pieces)) if size is None else size
        start, have = len(self._pieces), 0
        while have < wanted:
            piece = self.channel.recv(min(65536, wanted - have))
            if not piece:
                break
            self._pieces.append(piece)
            have += len(piece)
        return b"".join(self._pieces[start:])

    def read_rest(self) -> int:
        """Read until the client goes away; returns the number of bytes."""
        total = 0
        with contextlib.suppress(OSError):
            while piece := self.channel.recv(65536):
                total += len(piece)
        return total

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.channel.sendall(data)

    def answer(self, body: bytes = b"{}", status: str = "200 OK", *headers: str) -> None:
        """Send a complete answer."""
        self.write(answer_head(len(body), status, *headers) + body)

    def answer_json(self, value: Any, status: str = "200 OK", *headers: str) -> None:
        """Send a complete JSON answer and announce the end of the connection."""
        self.answer(json.dumps(value).encode(), status, JSON, CLOSE, *headers)

    def serve(self, body: bytes = b"{}", status: str = "200 OK", *headers: str) -> None:
        """Read a whole request and answer it."""
        self.read_head()
        self.read_body()
        self.answer(body, status, *headers)

    def reset(self) -> None:
        """End the connection with RST."""
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.channel.close()


def answer_head(length: int, status: str = "200 OK", *headers: str) -> bytes:
    """The status line and the headers of an answer whose body has `length` bytes."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {length}", *headers]).encode() + b"\r\n\r\n"


Script = Callable[[Connection], None]


def after_head(handler: Script) -> Script:
    """A script that calls `handler` once the head of the first request has arrived."""

    def script(connection: Connection) -> None:
        if connection.read_head().endswith(b"\r\n\r\n"):
            handler(connection)

    return script


def not_found(connection: Connection) -> None:
    """A handler for servers that nobody should ask: answers 404."""
    connection.read_body()
    connection.answer_json({"error": "nothing is here"}, "404 Not Found")


def json_answers(*values: Any) -> Script:
    """A handler that answers requests in their order with these JSON values and 200; the last one is repeated."""
    pending = list(values)

    def handler(connection: Connection) -> None:
        connection.read_body()
        connection.answer_json(pending.pop(0) if len(pending) > 1 else pending[0])

    return handler


class RawServer:
    """Runs one script per connection, in order; the last one is repeated. Without a script it answers 404.

    `small_buffer` makes a sender wait for the reader soon.
    """

    def __init__(
        self,
        *scripts: Script,
        family: socket.AddressFamily = socket.AF_INET,
        host: str = "127.0.0.1",
        small_buffer: bool = False,
    ) -> None:
        self._scripts = list(scripts) or [after_head(not_found)]
        self._listener = socket.create_server((host, 0), family=family, backlog=64)
        if small_buffer:
            # Connections inherit it from the listener.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self.connections: list[Connection] = []
        self._changed = threading.Condition()
        self._busy = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def connection_count(self) -> int:
        """How many connections there were."""
        return len(self.connections)

    @property
    def requests(self) -> list[Connection]:
        """The connections on which the whole head of a request has arrived."""
        return [one for one in self.connections if one.head.endswith(b"\r\n\r\n")]

    def handle(self, handler: Script) -> None:
        """Call `handler` for every connection from now on, after the head of its request; forget earlier connections."""
        self._scripts = [after_head(handler)]
        self.forget()

    def forget(self) -> None:
        """Forget the connections so far."""
        with self._changed:
            self.connections = []

    def wait(self, count: int = 1, timeout: float = SECONDS) -> bool:
        """Wait until the heads of `count` requests have arrived; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, timeout)

    def settle(self, connections: int = 1) -> None:
        """Wait until so many connections have come and no script runs any more."""
        with self._changed:
            ended = self._changed.wait_for(lambda: len(self.connections) >= connections and not self._busy, SECONDS)
        assert ended, "a script is still running"

    def close(self) -> None:
        """Stop listening and close every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.channel.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                connection = Connection(channel, self._changed)
                script = self._scripts[min(len(self.connections), len(self._scripts) - 1)]
                self.connections.append(connection)
                self._busy += 1
            threading.Thread(target=self._run, args=(script, connection), daemon=True).start()

    def _run(self, script: Script, connection: Connection) -> None:
        try:
            script(connection)
        except OSError:
            pass  # the client went away; what the script has read is kept
        finally:
            with contextlib.suppress(OSError):
                connection.channel.close()
            connection.ended.set()
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()


@contextlib.contextmanager
def serving(*scripts: Script, small_buffer: bool = False) -> Iterator[RawServer]:
    """A running server, closed afterwards."""
    server = RawServer(*scripts, small_buffer=small_buffer)
    try:
        yield server
    finally:
        server.close()
