"""One HTTP/1.1 connection: reads requests, sends replies in the manner they ask for.

The only module that touches a client's socket, and so the place of the faults that are about the wire: dropped
connections, resets, trickling bodies, wrong lengths.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import struct
import threading
import time
from email.message import Message
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

from .control import PLACE, Control
from .exchange import Exchange
from .message import Manner, Reply, Request, json_reply
from .problem import Problem
from .request_log import Record

PEEK = 64 * 1024
"""Bytes of a body read before a fault may cut the upload."""
LARGEST_BODY = 2 * 1024**3
ZEROS = bytes(256 * 1024)


class _Gone(Exception):
    """The connection is over: closed by the client, by the server, or by a fault."""


class Connection:
    """Serves one connection until either side is done with it."""

    def __init__(
        self,
        channel: socket.socket,
        exchange: Exchange,
        control: Control,
        origin: str,
        names: tuple[str, ...],
        allowed_hosts: tuple[str, ...] | None,
        closing: threading.Event,
    ) -> None:
        self._channel = channel
        self._exchange, self._control = exchange, control
        self._origin = origin
        self._names = names
        self._allowed_hosts = allowed_hosts
        self._closing = closing
        self._reader = cast(io.BufferedReader, channel.makefile("rb", 256 * 1024))

    def serve(self) -> None:
        """Answer requests one after the other; never raises."""
        try:
            self._channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._closing.is_set() and self._one():
                pass
        except (_Gone, OSError, ValueError):
            pass
        finally:
            self._close(reset=False)

    def abort(self) -> None:
        """Close from another thread, whatever the connection is doing."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    def _one(self) -> bool:
        """One request and its reply; False when the connection should end."""
        line = self._reader.readline(65537)
        if not line.strip():
            return bool(line)
        at = time.monotonic()
        try:
            method, target, version = line.decode("ascii").split()
            headers: Message = http.client.parse_headers(self._reader)
        except (ValueError, http.client.HTTPException):
            self._send(Reply(400, b"bad request\n", "text/plain"), close=True, head_only=False)
            return False
        path, _, query = target.partition("?")
        request = Request(method, path, query, headers, at)
        keep = version != "HTTP/1.0" and "close" not in (request.header("connection") or "").lower()
        host = request.header("host") or ""
        if self._allowed_hosts is not None and host not in self._allowed_hosts:
            # A web page that points its own name at the loopback address gets nothing.
            self._send(json_reply(421, {"error": "unknown Host"}), close=True, head_only=False)
            return False
        record = self._exchange.begin(request)
        try:
            refusal = self._read_body(request, record)
            origin = f"http://{host}" if host in self._names else self._origin
            reply = refusal or self._answer(request, record, origin)
            if refusal is not None:
                keep = False
                if record is not None:
                    record.outcome = refusal.status
            request.body = b""
            closes = not keep
            self._send(reply, close=closes, head_only=method == "HEAD")
            if refusal is not None:
                self._drain()
            return keep and not reply.manner.silent_close
        finally:
            if record is not None:
                self._exchange.request_log.answered(record)

    def _answer(self, request: Request, record: Record | None, origin: str) -> Reply:
        try:
            if request.path.startswith(PLACE):
                return self._control.answer(request)
            return self._exchange.answer(request, record, origin, self._names)
        except Exception as bug:
            # A fault of the simulator itself must not look like one of a provider: it is named in the answer.
            text = f"simulator bug: {type(bug).__name__}: {bug}"
            if record is not None:
                record.outcome = text
            return json_reply(500, {"error": {"message": text, "type": "simulator_bug", "code": "simulator_bug"}})

    def _read_body(self, request: Request, record: Record | None) -> Reply | None:
        """Read the body into the request; a reply when it can't be. Raises _Gone after a fault that drops."""
        if record is not None:
            self._maybe_drop(record, None)
        length = request.header("content-length")
        if request.header("transfer-encoding") is not None or (length is None and request.method in ("POST", "PUT")):
            return self._refuse(request, Problem(411))
        if length is None:
            if record is not None:
                self._maybe_drop(record, b"")
            return None
        if not length.isdecimal():
            return self._refuse(request, Problem(400, "Content-Length is not a number."))
        wanted = int(length)
        if wanted > LARGEST_BODY:
            return self._refuse(request, Problem(413))
        if (request.header("expect") or "").lower() == "100-continue":
            self._channel.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray(self._exactly(min(PEEK, wanted)))
        if record is not None:
            self._maybe_drop(record, bytes(body))
        if wanted > len(body):
            body = self._rest(body, wanted)
        request.body = body
        return None

    def _exactly(self, size: int) -> bytes:
        content = self._reader.read(size)
        if len(content) < size:
            raise _Gone
        return content

    def _rest(self, start: bytearray, wanted: int) -> bytearray:
        whole = bytearray(wanted)
        whole[: len(start)] = start
        view = memoryview(whole)
        filled = len(start)
        while filled < wanted:
            # readinto goes past the reader's buffer for large pieces: one copy only.
            got = self._reader.readinto(view[filled:])
            if not got:
                raise _Gone
            filled += got
        view.release()
        return whole

    def _refuse(self, request: Request, problem: Problem) -> Reply:
        api = self._exchange.locate(request)[0]
        return api.problem(problem) if api is not None else json_reply(problem.status, {"error": problem.message})

    def _maybe_drop(self, record: Record, start: bytes | None) -> None:
        words = self._exchange.early_words(record, start)
        if words:
            self._wait(words.get("slow", 0.0))
            self._close(reset="reset" in words)
            raise _Gone

    def _wait(self, seconds: float) -> None:
        if seconds > 0 and self._closing.wait(seconds):
            raise _Gone

    def _send(self, reply: Reply, *, close: bool, head_only: bool) -> None:
        manner = reply.manner
        self._wait(manner.slow)
        while manner.held is not None and not manner.held.wait(0.1):
            if self._closing.is_set():
                raise _Gone
        if manner.drop == "headers":
            self._close(reset=manner.reset)
            raise _Gone
        try:
            reason = HTTPStatus(reply.status).phrase
        except ValueError:
            reason = "Unknown"
        length = len(reply.body) if manner.declared_length is None else manner.declared_length
        lines = [
            f"HTTP/1.1 {reply.status} {reason}",
            f"Date: {formatdate(usegmt=True)}",
            f"Content-Type: {reply.content_type}",
            f"Content-Length: {length}",
            *(f"{name}: {value}" for name, value in reply.headers),
        ]
        if close:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        if head_only:
            self._channel.sendall(head)
            return
        self._send_body(head, reply.body, manner)

    def _send_body(self, head: bytes, body: bytes, manner: Manner) -> None:
        if manner.drop == "body":
            # At least one byte is missing, whatever the length.
            self._channel.sendall(head + body[: len(body) // 2])
            self._close(reset=manner.reset)
            raise _Gone
        if manner.slow_body > 0:
            self._channel.sendall(head)
            pieces = max(1, min(len(body), 20))
            for number in range(pieces):
                self._channel.sendall(body[len(body) * number // pieces : len(body) * (number + 1) // pieces])
                self._wait(manner.slow_body / pieces)
        elif len(body) < PEEK:
            # One segment for small replies.
            self._channel.sendall(head + body)
        else:
            self._channel.sendall(head)
            self._channel.sendall(body)
        left = manner.zeros
        while left > 0:
            self._channel.sendall(ZEROS[: min(left, len(ZEROS))])
            left -= len(ZEROS)
        if manner.declared_length is not None and manner.declared_length != len(body) + manner.zeros:
            self._close(reset=manner.reset)
            raise _Gone

    def _drain(self) -> None:
        """Read on for a moment, or closing with unread bytes would reset the reply away."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
            self._channel.settimeout(0.3)
            for _ in range(256):
                if not self._channel.recv(PEEK):
                    return

    def _close(self, *, reset: bool) -> None:
        with contextlib.suppress(OSError, ValueError):
            if reset:
                # Lingering for zero seconds turns the close into a reset.
                self._channel.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
                )
            else:
                self._channel.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError, ValueError):
            self._reader.close()
        with contextlib.suppress(OSError):
            self._channel.close()
