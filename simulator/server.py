"""The listening socket and its threads.

One daemon thread accepts, one per connection serves. Closing ends everything at once: waits are cut short and every
connection is closed. Started by `start()`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TypeVar

from .connection import Connection
from .router import Router

Self = TypeVar("Self", bound="Simulator")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Simulator:
    """A running simulator; also a context manager."""

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self._router = self._make_router()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        self._listener = socket.create_server((host, port), backlog=256)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"http://{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{self.port}"
        names = LOOPBACK if host in LOOPBACK else (host, *LOOPBACK)
        self._hosts = tuple(f"{name}:{self.port}" for name in names)
        self._any_host = host not in LOOPBACK
        threading.Thread(target=self._accept, name="simulator", daemon=True).start()

    def base_url(self, provider_id: str) -> str:
        """Where a provider's API is mounted, without a trailing slash; raises KeyError for one that isn't."""
        if provider_id not in self._router.apis:
            raise KeyError(provider_id)
        return f"{self.origin}/{provider_id}"

    def close(self) -> None:
        """Stop listening and close every connection; returns at once and may be called twice."""
        self._closing.set()
        with contextlib.suppress(OSError):
            # Wakes the accepting thread where closing alone doesn't.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.abort()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            hosts = None if self._any_host else self._hosts
            connection = self._connect(channel, hosts)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="simulator-connection", daemon=True).start()

    def _make_router(self) -> Router:
        return Router()

    def _connect(self, channel: socket.socket, allowed_hosts: tuple[str, ...] | None) -> Connection:
        return Connection(channel, self._router, self.origin, self._hosts, allowed_hosts, self._closing)

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                self._connections.discard(connection)
