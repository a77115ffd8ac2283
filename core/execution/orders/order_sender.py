"""Sends the requests of one order's life: one try each. What a failure means is decided by the caller."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ...dialects.base.step import Job, Reply, Send
from ...files import private_files
from ...http.transport import TransferHooks, Transport
from ...planning.plan import Target
from ..call_key import CallKey
from ..call_status import FREE_SECONDS, SLOW_BYTES

MOST_ANSWERS = 16 << 30
"""Bytes of a file of answers."""


class _NoFile(Exception):
    """An answer that is no file."""


class OrderSender:
    """For one order."""

    def __init__(self, target: Target, key: CallKey) -> None:
        self._key = key
        uploads = target.spec.upload_base_url(target.base_url)
        self.transport = Transport(target.base_url, target.proxy, target.ca_bundle, uploads=uploads)

    def send(
        self,
        send: Send,
        *,
        is_cancelled: Callable[[], bool] = lambda: False,
        moved: Callable[[int, int], None] = lambda sent, total: None,
        on_last_byte: Callable[[], None] = lambda: None,
        before: Callable[[], None] = lambda: None,
        seconds: float = FREE_SECONDS,
    ) -> Reply:
        """One request. `before` is called once its key is here, and before anything is sent.

        `seconds`: how long it may take, besides what its bytes take on a slow line.

        Raises what `Transport.send` does, and NanoBananaError where there is no key, or by `before`.
        """
        key = self._key.auth_header() if send.with_key else None
        before()
        headers = dict(send.headers)
        size = 0
        if send.body is not None:
            headers["Content-Type"] = send.body.content_type
            size = len(send.body)
        return self.transport.send(
            send.method,
            send.url,
            headers=headers,
            body=send.body,
            key=key,
            # A large file takes minutes on a slow line: what moves is waited for.
            deadline=time.monotonic() + seconds + size / SLOW_BYTES,
            fresh=send.paid,
            hooks=TransferHooks(is_cancelled, moved, on_last_byte),
        )

    def save(self, send: Send, file: Path) -> Reply | None:
        """Fetches a file of answers; gives a reply where the answer is none, and an earlier file stays then.

        Raises what `Transport.save` does.
        """
        key = self._key.auth_header()
        end = time.monotonic() + MOST_ANSWERS / SLOW_BYTES
        private_files.make_folder(file.parent)
        try:
            with private_files.replacing(file) as stream:
                _, reply = self.transport.save(send.url, stream, key=key, deadline=end, most=MOST_ANSWERS)
                if reply is not None:
                    raise _NoFile
        except _NoFile:
            return reply
        return None


def job_of(target: Target, model_id: str, operation: str) -> Job:
    """What the dialect needs to know of an order: where it is, and its model."""
    return Job(target.spec, target.base_url, model_id, "edit" if operation == "edit" else "generate", "", {})
