"""Fetches the answer that a redirect leads to, at the provider's own origin and for nothing."""

from __future__ import annotations

import logging

from ..dialects.base.step import Reply, Send
from ..errors import NanoBananaError
from ..http.connections import UnsafeAddress
from ..http.failures import RequestFailed
from ..http.redirects import MOST_HOPS, answer_address
from ..http.transport import TooLong, Transport
from .call_key import CallKey
from .call_status import CallStatus
from .charge import RequestSent

log = logging.getLogger("nano_banana")


def redirected_answer(transport: Transport, send: Send, reply: Reply, status: CallStatus, key: CallKey) -> Reply | None:
    """The answer to `send` where `reply` says that it is at another address; None for any other reply.

    Also None where it can't be fetched: what goes wrong with that says nothing about the request that was sent.
    """
    is_get = send.method == "GET"
    if not (send.paid or is_get) or not send.with_key:
        return None
    answer, url = reply, send.url
    for _ in range(MOST_HOPS):
        url = answer_address(url, answer, is_get=is_get)
        if not url:
            break
        if send.paid:
            status.advance(RequestSent())
        log.info("%s answers at another address of its own", status.target.spec.label)
        try:
            answer = transport.send("GET", url, headers={}, key=key.auth_header(), deadline=status.deadline(send))
        except (RequestFailed, TooLong, UnsafeAddress, NanoBananaError):
            return None
        is_get = True
    return answer if answer is not reply and answer.ok else None
