"""A browser's ears: one websocket to the host, everything it hears with its time, and waiting for a word.

Frames are kept as they come: JSON messages as dictionaries, binary ones as bytes, told apart by their first four bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from pack.dev.comfy_host import Host

TEXT, PREVIEW = 3, 4
ABILITIES = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
"""What a browser says first; without it the host sends no previews of nodes."""


@dataclass(frozen=True)
class Heard:
    """One frame. `kind` is the message's type, or "preview", "text", "binary"."""

    at: float
    kind: str
    data: Any
    raw: str


class Ears:
    """Listens until it is closed."""

    def __init__(self, host: Host) -> None:
        self.client = uuid.uuid4().hex
        self.heard: list[Heard] = []
        self._changed = threading.Condition()
        self._url = f"{host.url}/ws?clientId={self.client}"
        self._open = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        assert self._open.wait(60), "the host took no websocket"

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._listen())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    async def _listen(self) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(self._url, max_msg_size=0) as socket:
            await socket.send_json(ABILITIES)
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    value = json.loads(message.data)
                    if value["type"] == "feature_flags":
                        self._open.set()  # the host's answer to ours: it knows us now
                    self._add(Heard(time.monotonic(), value["type"], value["data"], message.data))
                elif message.type is aiohttp.WSMsgType.BINARY:
                    self._add(self._binary(message.data))

    @staticmethod
    def _binary(data: bytes) -> Heard:
        kind = struct.unpack(">I", data[:4])[0]
        now = time.monotonic()
        if kind == TEXT:
            size = struct.unpack(">I", data[4:8])[0]
            node, text = data[8 : 8 + size].decode(), data[8 + size :].decode()
            return Heard(now, "text", (node, text), text)
        if kind == PREVIEW:
            size = struct.unpack(">I", data[4:8])[0]
            return Heard(now, "preview", data[8 + size :], data[8 : 8 + size].decode())
        return Heard(now, "binary", data, data[:4000].decode("latin-1"))

    def _add(self, heard: Heard) -> None:
        with self._changed:
            self.heard.append(heard)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[Heard], bool], timeout: float = 60.0) -> Heard:
        """The first frame that is wanted. Fails when there is none in time."""

        def found() -> Heard | None:
            return next((heard for heard in self.heard if wanted(heard)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None, timeout)
            heard = found()
        assert heard is not None, f"not heard within {timeout} s; heard: {[(h.kind, h.raw[:120]) for h in self.heard]}"
        return heard

    def wait_text(self, piece: str, timeout: float = 60.0) -> Heard:
        """The first progress text with `piece` in it."""
        return self.wait(lambda heard: heard.kind == "text" and piece in heard.raw, timeout)

    def wait_end(self, prompt_id: str, timeout: float = 60.0) -> Heard:
        """How a prompt ended: `execution_success`, `execution_error` or `execution_interrupted`."""
        ends = ("execution_success", "execution_error", "execution_interrupted")
        return self.wait(lambda heard: heard.kind in ends and heard.data["prompt_id"] == prompt_id, timeout)

    def of(self, kind: str) -> list[Heard]:
        """Everything of one kind so far."""
        with self._changed:
            return [heard for heard in self.heard if heard.kind == kind]

    def close(self) -> None:
        """Hangs up."""
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(5)


@contextlib.contextmanager
def ears(host: Host) -> Iterator[Ears]:
    """A listener, hung up afterwards."""
    listener = Ears(host)
    try:
        yield listener
    finally:
        listener.close()
