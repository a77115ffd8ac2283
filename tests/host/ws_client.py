"""A websocket client of the host, as a page has it: every frame with its time, and waiting for one.

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
"""A page's first message; without it the host sends no previews of nodes."""


@dataclass(frozen=True)
class Frame:
    """One frame. `kind` is the message's type, or "preview", "text", "binary"."""

    at: float
    kind: str
    data: Any
    raw: str


class WsClient:
    """Receives frames until it is closed."""

    def __init__(self, host: Host) -> None:
        self.client = uuid.uuid4().hex
        self.frames: list[Frame] = []
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
                    self._add(Frame(time.monotonic(), value["type"], value["data"], message.data))
                elif message.type is aiohttp.WSMsgType.BINARY:
                    self._add(self._binary(message.data))

    @staticmethod
    def _binary(data: bytes) -> Frame:
        kind = struct.unpack(">I", data[:4])[0]
        now = time.monotonic()
        if kind == TEXT:
            size = struct.unpack(">I", data[4:8])[0]
            node, text = data[8 : 8 + size].decode(), data[8 + size :].decode()
            return Frame(now, "text", (node, text), text)
        if kind == PREVIEW:
            size = struct.unpack(">I", data[4:8])[0]
            return Frame(now, "preview", data[8 + size :], data[8 : 8 + size].decode())
        return Frame(now, "binary", data, data[:4000].decode("latin-1"))

    def _add(self, frame: Frame) -> None:
        with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[Frame], bool], timeout: float = 300.0) -> Frame:
        """The first frame that is wanted. Fails when there is none in time."""

        def found() -> Frame | None:
            return next((frame for frame in self.frames if wanted(frame)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None, timeout)
            frame = found()
        assert frame is not None, (
            f"not received within {timeout} s; received: {[(h.kind, h.raw[:120]) for h in self.frames]}"
        )
        return frame

    def wait_text(self, piece: str, timeout: float = 300.0) -> Frame:
        """The first progress text with `piece` in it."""
        return self.wait(lambda frame: frame.kind == "text" and piece in frame.raw, timeout)

    def wait_end(self, prompt_id: str, timeout: float = 300.0) -> Frame:
        """How a prompt ended: `execution_success`, `execution_error` or `execution_interrupted`."""
        ends = ("execution_success", "execution_error", "execution_interrupted")
        return self.wait(lambda frame: frame.kind in ends and frame.data["prompt_id"] == prompt_id, timeout)

    def of(self, kind: str) -> list[Frame]:
        """Everything of one kind so far."""
        with self._changed:
            return [frame for frame in self.frames if frame.kind == kind]

    def close(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(5)


@contextlib.contextmanager
def ws_client(host: Host) -> Iterator[WsClient]:
    """A connected client, closed afterwards."""
    listener = WsClient(host)
    try:
        yield listener
    finally:
        listener.close()
