"""One HTTP/1.1 connection of the doubles: the faults that are about the wire, and the control routes.

Dropped connections, resets, trickling bodies and wrong lengths.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time

from pack.simulator import connection
from pack.simulator.connection import PEEK, Gone, reply_head
from pack.simulator.message import Reply, Request
from pack.simulator.problem import Problem

from .control import PREFIX, Control
from .delivery import Delivery, delivery_of
from .router import Router

ZEROS = bytes(256 * 1024)


class Connection(connection.Connection):
    """Serves one connection, with the faults that its requests ask for."""

    _router: Router
    _asked_at = 0.0
    """When the last request was read, on the monotonic clock."""

    def _respond(self, request: Request, keep: bool) -> bool:
        record = request.record = self._router.begin(request)
        self._silent_close = False
        try:
            return super()._respond(request, keep) and not self._silent_close
        finally:
            if record is not None:
                self._router.request_log.answered(record)

    def _answer(self, request: Request) -> Reply:
        if request.path.startswith(PREFIX):
            return Control(self._router).answer(request)
        self._asked_at = time.monotonic()
        reply = super()._answer(request)
        if request.record is not None and request.record.outcome is None:
            request.record.outcome = reply.status
        return reply

    def _refuse(self, request: Request, problem: Problem) -> Reply:
        reply = super()._refuse(request, problem)
        if request.record is not None:
            request.record.outcome = reply.status
        return reply

    def _body_begins(self, request: Request, start: bytes | None) -> None:
        options = {} if request.record is None else self._router.early_fault(request.record, start)
        if options:
            self._wait(options.get("slow", 0.0))
            self._hang_up(reset="reset" in options)

    def _wait(self, seconds: float) -> None:
        if seconds > 0 and self._closing.wait(seconds):
            raise Gone

    def _send(self, reply: Reply, *, close: bool, head_only: bool) -> None:
        delivery = delivery_of(reply)
        self._silent_close = delivery.silent_close
        # Pictures are drawn within the latency, as at a provider: eight at once take half a second of this process.
        self._wait(self._asked_at + delivery.slow - time.monotonic())
        while delivery.held is not None and not delivery.held.wait(0.1):
            if self._closing.is_set():
                raise Gone
        if delivery.drop == "headers":
            self._hang_up(reset=delivery.reset)
        length = len(reply.body) if delivery.declared_length is None else delivery.declared_length
        head = reply_head(reply, length, close=close)
        if head_only:
            self._channel.sendall(head)
            return
        self._send_body(head, reply.body, delivery)

    def _send_body(self, head: bytes, body: bytes, delivery: Delivery) -> None:
        if delivery.events[-1:] == (len(body),) and not delivery.drop and not delivery.slow_body:
            self._send_events(head, body, delivery)
            return
        if delivery.drop == "body":
            # At least one byte is missing, whatever the length.
            self._channel.sendall(head + body[: len(body) // 2])
            self._hang_up(reset=delivery.reset)
        if delivery.slow_body > 0:
            self._channel.sendall(head)
            path_params = max(1, min(len(body), 20))
            for number in range(path_params):
                self._channel.sendall(body[len(body) * number // path_params : len(body) * (number + 1) // path_params])
                self._wait(delivery.slow_body / path_params)
        elif len(body) < PEEK:
            # One segment for small replies.
            self._channel.sendall(head + body)
        else:
            self._channel.sendall(head)
            self._channel.sendall(body)
        left = delivery.zeros
        while left > 0:
            self._channel.sendall(ZEROS[: min(left, len(ZEROS))])
            left -= len(ZEROS)
        if delivery.declared_length is not None and delivery.declared_length != len(body) + delivery.zeros:
            self._hang_up(reset=delivery.reset)

    def _send_events(self, head: bytes, body: bytes, delivery: Delivery) -> None:
        """Each event in a segment of its own, with the pause and the end that were asked for."""
        self._channel.sendall(head)
        start = 0
        for end in delivery.events:
            while start == delivery.paused_at and delivery.paused is not None and not delivery.paused.wait(0.1):
                if self._closing.is_set():
                    raise Gone
            if 0 < delivery.cut_at < end:
                self._channel.sendall(body[start : delivery.cut_at])
                self._hang_up(reset=delivery.reset)
            self._channel.sendall(body[start:end])
            start = end

    def _hang_up(self, *, reset: bool) -> None:
        """End the connection now, orderly or with a TCP reset. Raises Gone."""
        if reset:
            with contextlib.suppress(OSError, ValueError):
                # Lingering for zero seconds turns the close into a reset.
                self._channel.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
                )
            with contextlib.suppress(OSError, ValueError):
                self._reader.close()
            with contextlib.suppress(OSError):
                self._channel.close()
        else:
            self._close()
        raise Gone
