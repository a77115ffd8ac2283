"""The listening socket and its threads.

One daemon thread accepts, one per connection serves. Closing ends everything at once: waits are cut short and every
connection is closed. Started by `start()`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, TypeVar

from .api import Api
from .connection import Connection
from .control import Control
from .exchange import Exchange

Self = TypeVar("Self", bound="Simulator")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Simulator:
    """A running simulator; also a context manager."""

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", keys_required: bool = True) -> None:
        self._exchange = Exchange(keys_required)
        self._control = Control(self._exchange)
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
        if provider_id not in self._exchange.apis:
            raise KeyError(provider_id)
        return f"{self.origin}/{provider_id}"

    def providers(self) -> list[str]:
        """The ids of the mounted providers."""
        return sorted(self._exchange.apis)

    def mount(self, api: Api) -> None:
        """Serve one more API, below its id."""
        self._exchange.apis[api.id] = api

    def request_log(self, prompt: str = "", provider: str = "") -> dict[str, Any]:
        """What was asked and what it would have cost; see `RequestLog.show`."""
        return self._exchange.request_log.show(prompt, provider)

    def fault(self, fault: str, *, provider: str = "*", match: str = "") -> None:
        """Lay a fault down for requests whose prompt holds `match`; raises ValueError for an unknown word."""
        self._control.fault(fault, provider=provider, match=match)

    def clear_faults(self) -> None:
        """Forget every fault laid down and every count, and let go what is held."""
        self._exchange.faults.clear()

    def release(self) -> None:
        """Let go every answer that the word `hold` holds back now."""
        self._exchange.faults.release()

    def form(self, provider: str, form: str, status: int) -> None:
        """Switch one form of an API off (404 or 405) or on again (0); raises ValueError for an unknown one."""
        self._control.form(provider, form, status)

    def retire(self, provider: str, model: str, retired: bool = True) -> None:
        """Answer a wire model id of a provider with 404 from now on, or serve it again with `retired=False`."""
        self._control.retire(provider, model, retired)

    def wait(
        self, *, provider: str = "", prompt: str = "", state: str = "received", count: int = 1, timeout: float = 30.0
    ) -> bool:
        """Wait until `count` matching requests are `received` or `answered`; False when the time is over."""
        return bool(self._control.wait(provider, prompt, state, count, timeout)["reached"])

    def reset(self) -> None:
        """Forget requests, faults, tasks, files, switched-off forms and retired models."""
        self._exchange.reset()

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
            connection = Connection(
                channel, self._exchange, self._control, self.origin, self._hosts, hosts, self._closing
            )
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="simulator-connection", daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                self._connections.discard(connection)
