"""One HTTP/1.1 connection: reads requests and sends replies. The only module that touches a client's socket."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
import time
from email.message import Message
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

from .message import Reply, Request, json_reply
from .problem import Problem
from .router import Router

PEEK = 64 * 1024
"""Bytes of a body that are read first; also the size up to which a reply goes out in one piece."""
LARGEST_BODY = 2 * 1024**3


class Gone(Exception):
    """The connection is over, whoever closed it."""


class Connection:
    """Serves one connection until either side is done with it."""

    def __init__(
        self,
        channel: socket.socket,
        router: Router,
        origin: str,
        names: tuple[str, ...],
        allowed_hosts: tuple[str, ...] | None,
        closing: threading.Event,
    ) -> None:
        self._channel = channel
        self._router = router
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
        except (Gone, OSError, ValueError):
            pass
        finally:
            self._close()

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
        return self._respond(request, keep)

    def _respond(self, request: Request, keep: bool) -> bool:
        """Read the body and send the reply; False when the connection should end."""
        refusal = self._read_body(request)
        reply = refusal or self._answer(request)
        keep = keep and refusal is None
        request.body = b""
        self._send(reply, close=not keep, head_only=request.method == "HEAD")
        if refusal is not None:
            self._drain()
        return keep

    def _answer(self, request: Request) -> Reply:
        host = request.header("host") or ""
        origin = f"http://{host}" if host in self._names else self._origin
        try:
            return self._router.answer(request, origin, self._names)
        except Exception as bug:
            # An error of the simulator itself must not look like a provider's: it is named in the answer.
            text = f"simulator bug: {type(bug).__name__}: {bug}"
            return json_reply(500, {"error": {"message": text, "type": "simulator_bug", "code": "simulator_bug"}})

    def _body_begins(self, request: Request, start: bytes | None) -> None:
        """Called before any of the body is read (`start` is None) and with its first bytes."""

    def _read_body(self, request: Request) -> Reply | None:
        """Read the body into the request; a reply when it can't be."""
        self._body_begins(request, None)
        length = request.header("content-length")
        if request.header("transfer-encoding") is not None or (length is None and request.method in ("POST", "PUT")):
            return self._refuse(request, Problem(411))
        if length is None:
            self._body_begins(request, b"")
            return None
        if not length.isdecimal():
            return self._refuse(request, Problem(400, "Content-Length is not a number."))
        wanted = int(length)
        if wanted > LARGEST_BODY:
            return self._refuse(request, Problem(413))
        if (request.header("expect") or "").lower() == "100-continue":
            self._channel.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray(self._exactly(min(PEEK, wanted)))
        self._body_begins(request, bytes(body))
        if wanted > len(body):
            body = self._rest(body, wanted)
        request.body = body
        return None

    def _exactly(self, size: int) -> bytes:
        content = self._reader.read(size)
        if len(content) < size:
            raise Gone
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
                raise Gone
            filled += got
        view.release()
        return whole

    def _refuse(self, request: Request, problem: Problem) -> Reply:
        api = self._router.locate(request)[0]
        return api.problem(problem) if api is not None else json_reply(problem.status, {"error": problem.message})

    def _send(self, reply: Reply, *, close: bool, head_only: bool) -> None:
        head = reply_head(reply, len(reply.body), close=close)
        if head_only:
            self._channel.sendall(head)
        elif len(reply.body) < PEEK:
            # One segment for small replies.
            self._channel.sendall(head + reply.body)
        else:
            self._channel.sendall(head)
            self._channel.sendall(reply.body)

    def _drain(self) -> None:
        """Read on for a moment: closing with unread bytes sends a reset, which discards the reply at the client."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
            self._channel.settimeout(0.3)
            for _ in range(256):
                if not self._channel.recv(PEEK):
                    return

    def _close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._channel.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError, ValueError):
            self._reader.close()
        with contextlib.suppress(OSError):
            self._channel.close()


def reply_head(reply: Reply, length: int, *, close: bool) -> bytes:
    """Status line and headers; `length` is what Content-Length says."""
    try:
        reason = HTTPStatus(reply.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [
        f"HTTP/1.1 {reply.status} {reason}",
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Type: {reply.content_type}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
