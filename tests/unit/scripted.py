"""A scripted loopback server on raw sockets: every connection is one call of a function that does what it likes.

For the tests of the transport, which have to know exactly how much arrived and how the line was cut.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

SECONDS = 60.0
"""No wait of a script is longer."""


class Line:
    """One connection: reading and writing by hand."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.head = b""
        self.body = b""
        channel.settimeout(SECONDS)

    def read_head(self) -> bytes:
        """Up to the empty line; what came after it is the beginning of the body."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            piece = self.channel.recv(1)
            if not piece:
                break
            seen += piece
        self.head = seen
        return seen

    def header(self, name: str) -> str | None:
        for spec in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = spec.partition(":")
            if key.strip().lower() == name.lower():
                return value.strip()
        return None

    def read_body(self, size: int | None = None) -> bytes:
        """`size` bytes, or all that Content-Length promises, or less when the client goes."""
        wanted = int(self.header("content-length") or 0) if size is None else size
        pieces, have = [], 0
        while have < wanted:
            piece = self.channel.recv(min(65536, wanted - have))
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        self.body = b"".join(pieces)
        return self.body

    def read_rest(self) -> int:
        """Everything until the client goes; how much that was."""
        total = 0
        with contextlib.suppress(OSError):
            while piece := self.channel.recv(65536):
                total += len(piece)
        return total

    def write(self, data: bytes) -> None:
        self.channel.sendall(data)

    def answer(self, body: bytes = b"{}", status: str = "200 OK", *headers: str) -> None:
        """A complete answer."""
        specs = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.write("\r\n".join(specs).encode() + b"\r\n\r\n" + body)

    def serve(self, body: bytes = b"{}", status: str = "200 OK", *headers: str) -> None:
        """Reads a whole request and answers it."""
        self.read_head()
        self.read_body()
        self.answer(body, status, *headers)

    def reset(self) -> None:
        """Ends the connection with RST."""
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.channel.close()


Script = Callable[[Line], None]


class Server:
    """Runs one script per connection, in order; the last one for all that follow."""

    def __init__(
        self, *scripts: Script, family: socket.AddressFamily = socket.AF_INET, host: str = "127.0.0.1"
    ) -> None:
        self._scripts = list(scripts)
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self.lines: list[Line] = []
        self.connections = 0
        self._idle = threading.Condition()
        self._busy = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            with self._idle:
                line = Line(channel)
                self.lines.append(line)
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                self._busy += 1
            threading.Thread(target=self._live, args=(script, line), daemon=True).start()

    def _live(self, script: Script, line: Line) -> None:
        try:
            script(line)
        except OSError:
            pass  # the client went; what the script has read is kept
        finally:
            with contextlib.suppress(OSError):
                line.channel.close()
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def settle(self, connections: int = 1) -> None:
        """Waits until so many connections have come and no script runs any more."""
        with self._idle:
            ended = self._idle.wait_for(lambda: self.connections >= connections and not self._busy, SECONDS)
        assert ended, "a script is still running"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self.lines:
            with contextlib.suppress(OSError):
                line.channel.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serving(*scripts: Script) -> Iterator[Server]:
    """A server for the length of a `with`."""
    server = Server(*scripts)
    try:
        yield server
    finally:
        server.close()
