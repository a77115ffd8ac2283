"""The connections that requests go out on: which addresses they may reach, how long they may take, which answers count.

No operation on a connection outlives the deadline of its exchange (`socket_reader.seconds_remaining`), however slowly the
other end sends, reads or is reached. The head of an answer is bounded and cleaned (`response_head`) before any library
reads it. An interim answer (any 1xx: Continue, Processing, Early Hints) is followed by the real one, and `http.client`
skips only one of them: here all are skipped, until the time is up; none of them is a refusal. Called by `transport`.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any, cast

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import allowed_gai_family
from urllib3.util.wait import wait_for_read

from ..errors.messages import msg
from . import url_policy
from .response_head import HEAD_BYTES, clean_head, read_header_lines, read_status_line
from .socket_reader import LINE_BYTES, DeadlineReader, LineReader, seconds_remaining, wait_on

MOST_INTERIM_ANSWERS = 10_000
_INTERIM_BYTES = 1 << 20
"""The longest heads of interim answers that are read, all together."""
_TRAILER_LINES = 100
_RECORD_BYTES = 16 << 10
"""One TLS record: a socket applies its timeout to each of them."""
_EARLY_SECONDS = 5.0
"""How long an answer may take that was begun while the request was being sent."""
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)


class UnsafeAddress(Exception):
    """The address is inside the user's network, or is no web address."""


class PrivateAddress(UnsafeAddress):
    """The address is inside a private network: this machine's, or that of whoever named it."""


class NoFinalAnswer(OSError):
    """Only interim answers came until the time was up: the provider has the request, and its result is unknown."""


class _FinalAnswer(http.client.HTTPResponse):
    """An answer whose status is final, read by its deadline, with a head that makes sense."""

    fp: Any

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self._socket = sock
        self._reader = DeadlineReader(sock, cast(io.RawIOBase, self.fp.detach()))
        self.fp = LineReader(self._reader)

    def _read_status(self) -> tuple[str, int, str]:
        remaining = _INTERIM_BYTES
        for _ in range(MOST_INTERIM_ANSWERS):
            line = self.fp.readline(HEAD_BYTES)
            if not line:
                raise http.client.RemoteDisconnected("Remote end closed connection without response")
            version, status, reason = read_status_line(line)
            lines = read_header_lines(self.fp.readline, may_be_cut=status >= 300)  # its status says enough
            if not 100 <= status < 200:
                head = clean_head(lines)
                self._reader.silence_ends = not head.length_known
                self.fp.put_back(head.lines)
                return version, status, reason
            remaining -= sum(len(line) for line in lines) + len(line)
            if remaining < 0 or seconds_remaining.get()() <= 0:
                break
        raise NoFinalAnswer(msg("connections.only_interim_answers"))

    def _read_next_chunk_size(self) -> int:
        line = self.fp.readline(LINE_BYTES)
        found = _CHUNK_SIZE.fullmatch(line.rstrip(b"\r\n"))
        if found is None or not line.endswith(b"\n"):
            self._close_conn()  # type: ignore[attr-defined]
            raise ValueError("no size of a chunk")
        return int(found[1], 16)

    def _read_and_discard_trailer(self) -> None:
        # The last chunk is here: no later error changes the answer.
        with contextlib.suppress(OSError):
            for _ in range(_TRAILER_LINES):
                line = self.fp.readline(LINE_BYTES)
                if line in (b"\r\n", b"\n", b""):
                    return
        with contextlib.suppress(OSError):  # no other answer may begin in the middle of this one
            self._socket.shutdown(socket.SHUT_RDWR)


class _Timed:
    """A connection whose answer, and whose sending, end at the deadline."""

    response_class: Any = _FinalAnswer
    sock: Any
    timeout: Any
    _broke_while_sending = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        patience = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            for piece in _records(data) if isinstance(self.sock, ssl.SSLSocket) else (data,):
                wait_on(self.sock, patience)
                super().send(piece)  # type: ignore[misc]
        except OSError as error:
            # A server may answer before it has read everything, and hang up: its answer says why.
            if not _has_answered(self.sock):
                raise
            self._broke_while_sending = True
            raise BrokenPipeError(msg("connections.other_end_stopped_reading")) from error

    def getresponse(self, *args: Any, **named: Any) -> Any:
        if self._broke_while_sending:
            self._broke_while_sending = False
            self.timeout = min(self.timeout, _EARLY_SECONDS) if self.timeout else _EARLY_SECONDS
            self.sock.settimeout(self.timeout)
        return super().getresponse(*args, **named)  # type: ignore[misc]


class _Reaching(_Timed):
    """A connection that tries the addresses of its host one after the other, all within the deadline."""

    _dns_host: Any

    def _new_conn(self) -> socket.socket:
        name, patience = self._dns_host, self.timeout
        found = _addresses_of(name, self.port)  # type: ignore[attr-defined]
        try:
            for index, address in enumerate(found):
                remaining = seconds_remaining.get()()
                if remaining <= 0:
                    raise urllib3.exceptions.ConnectTimeoutError(self, msg("connections.time_is_up"))
                self._dns_host = address
                self.timeout = min(patience, remaining) if isinstance(patience, int | float) else patience
                try:
                    return super()._new_conn()  # type: ignore[misc]
                except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError):
                    if index == len(found) - 1:
                        raise
        finally:
            self._dns_host, self.timeout = name, patience
        return super()._new_conn()  # type: ignore[misc]


def _addresses_of(name: str, port: int) -> list[str]:
    """The addresses of a host, each once; none where the library had better say what is wrong with the name."""
    try:
        found = socket.getaddrinfo(name.strip("[]"), port, allowed_gai_family(), socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _records(data: Any) -> Iterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(view), _RECORD_BYTES):
        yield view[start : start + _RECORD_BYTES]


def _has_answered(sock: Any) -> bool:
    try:
        return bool(wait_for_read(sock, timeout=0))
    except (OSError, ValueError):
        return False


class _HTTP(_Reaching, HTTPConnection):
    pass


class _HTTPS(_Reaching, HTTPSConnection):
    pass


class _Guard:
    """Checks the address that a connection has reached, before a byte is sent: DNS names can be rebound."""

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        address = sock.getpeername()[0]
        if not url_policy.is_public(address):
            sock.close()
            raise PrivateAddress(msg("connections.result_address_is_private"))
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
        if isinstance(manager, urllib3.ProxyManager):
            manager.pool_classes_by_scheme = Adapter.pools
        else:  # one for SOCKS, which has connections of its own
            manager.pool_classes_by_scheme = _timed(manager.pool_classes_by_scheme)
        return manager


class GuardedAdapter(Adapter):
    """Direct connections only to public addresses. Through a proxy it is the proxy that looks names up: see `name_lookup`."""

    pools = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}


def _timed(pools: dict[str, Any]) -> dict[str, Any]:
    """The same connection pools, with connections that keep to the deadline."""
    timed = {}
    for scheme, pool in pools.items():
        if issubclass(pool.ConnectionCls, _Timed):
            return pools
        connection = type("Timed" + pool.ConnectionCls.__name__, (_Timed, pool.ConnectionCls), {})
        timed[scheme] = type("Timed" + pool.__name__, (pool,), {"ConnectionCls": connection})
    return timed
