"""The connections that requests go out on: which addresses they may reach, and which answers count.

An interim answer (any 1xx: Continue, Processing, Early Hints) is followed by the real one, and `http.client` skips only
one of them. Here all are skipped, until the time is up: none of them is a refusal. Called by `transport`.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from . import addresses

MOST_INTERIM_ANSWERS = 10_000
_MOST_HEADERS = 200
_LINE_BYTES = 65_536

seconds_left: ContextVar[Callable[[], float]] = ContextVar("seconds_left", default=lambda: float("inf"))
"""How long the answer to the request under way may still take. Set by whoever sends, on the thread that sends."""


class Forbidden(Exception):
    """The address lies inside the user's network, or is no web address."""


class Private(Forbidden):
    """The address lies inside a private network: this machine's, or that of whoever named it."""


class NoFinalAnswer(OSError):
    """Only interim answers came until the time was up: the request has arrived, and nobody knows what became of it."""


class _FinalAnswer(http.client.HTTPResponse):
    """An answer whose status is final."""

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self._socket = sock

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INTERIM_ANSWERS):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            self._skip_headers()
            left = seconds_left.get()()
            if left <= 0:
                break
            wait = self._socket.gettimeout()
            self._socket.settimeout(left if wait is None else min(wait, left))
        raise NoFinalAnswer("only interim answers came")

    def _skip_headers(self) -> None:
        for _ in range(_MOST_HEADERS):
            line = self.fp.readline(_LINE_BYTES + 1)
            if len(line) > _LINE_BYTES:
                raise http.client.LineTooLong("header line")
            if line in (b"\r\n", b"\n", b""):
                return
        raise http.client.HTTPException("an interim answer has too many headers")


class _HTTP(HTTPConnection):
    response_class = _FinalAnswer


class _HTTPS(HTTPSConnection):
    response_class = _FinalAnswer


class _Guard:
    """Looks at the address that a connection really reached, before a byte is sent: names can be rebound."""

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        address = sock.getpeername()[0]
        if not addresses.is_public(address):
            sock.close()
            raise Private("the address of the result leads into a private network")
        return sock


class _GuardedHTTP(_Guard, _HTTP):
    pass


class _GuardedHTTPS(_Guard, _HTTPS):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPS


class _GuardedHTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _GuardedHTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


class Adapter(HTTPAdapter):
    """Connections to anywhere, directly or through a proxy."""

    pools = {"http": _HTTPPool, "https": _HTTPSPool}

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = self.pools

    def proxy_manager_for(self, proxy: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        if isinstance(manager, urllib3.ProxyManager):  # not one for SOCKS, which has connections of its own
            manager.pool_classes_by_scheme = Adapter.pools
        return manager


class GuardedAdapter(Adapter):
    """Direct connections only to public addresses. Through a proxy it is the proxy that looks names up."""

    pools = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}
