"""How long references take until their last byte has left on a line of 50 Mbit/s, against the partner nodes' own path.

Run by `python3 dev.py bench upload`. A server in a process of its own reads at that rate and notes when the last byte of the
paid request came. Ours goes through the engine as to Google's API: within the request, and by its Files API where that would
be over 20 MB. The partner path is `tensor_to_base64_string` for one picture after the other, then one JSON body.
"""

from __future__ import annotations

import base64
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
import torch
from measuring import ROOT, Table, is_quiet
from pack.core.engine import Engine
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Options, Request
from pack.nodes import tensors
from partner_nodes import partner_encoder
from photographs import as_tensor, mosaic
from PIL import Image

BYTES_PER_SECOND = 50e6 / 8
_PIECE = 32 << 10
_BUFFER = 64 << 10
SIDE = 2048
ROUNDS = 3


class SlowLine(BaseHTTPRequestHandler):
    """Reads bodies as fast as the line is, and answers like Google."""

    protocol_version = "HTTP/1.1"
    last_byte = 0.0

    def do_POST(self) -> None:
        self._read_slowly(int(self.headers["Content-Length"]))
        if self.headers.get("X-Goog-Upload-Command") == "start":
            self._answer({}, {"X-Goog-Upload-URL": f"http://{self.headers['Host']}/put"})
        elif self.path == "/put":
            self._answer({"file": {"name": "files/a", "uri": "https://files.example/a", "state": "ACTIVE"}})
        else:
            SlowLine.last_byte = time.time()
            self._answer({"candidates": [{"content": {"parts": [{"inlineData": {"data": _ANSWER}}]}}]})

    def do_GET(self) -> None:
        self._answer({"last_byte": SlowLine.last_byte})

    def _read_slowly(self, length: int) -> None:
        begun, read = time.perf_counter(), 0
        while read < length:
            piece = self.rfile.read(min(_PIECE, length - read))
            read += len(piece)
            time.sleep(max(0.0, begun + read / BYTES_PER_SECOND - time.perf_counter()))

    def _answer(self, value: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        for name, text in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Silence."""


def _small_answer() -> str:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (9, 90, 200)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


_ANSWER = _small_answer()


def serve() -> None:
    import socket

    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowLine)
    # What the system takes in before it is read would count as sent.
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def slow_line() -> Iterator[str]:
    """The address of the server."""
    process = subprocess.Popen([sys.executable, str(Path(__file__)), "serve"], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def by_pack(url: str, frames: Sequence[torch.Tensor], seed: int) -> None:
    variables = {"NANO_BANANA_GOOGLE_API_KEY": "k" * 20, "NANO_BANANA_GOOGLE_BASE_URL": url}
    with tempfile.TemporaryDirectory(prefix="nano-banana-bench-") as home:
        engine = Engine(Path(home), environ=variables)
        pictures = tuple(tensors.picture(frame, "image") for frame in frames)
        request = Request("edit", "a boat", Options(), seed, 1, pictures)
        run = engine.run([request], engine.plan(ProviderChoice("google"), [request]))
        run.done.wait()
        assert run.tasks[0].result is not None, run.tasks[0].error


def by_partner(url: str, encode: Callable[[torch.Tensor], str], frames: Sequence[torch.Tensor]) -> None:
    parts = [{"inlineData": {"mimeType": "image/png", "data": encode(frame)}} for frame in frames]
    body = {"contents": [{"role": "user", "parts": [{"text": "a boat"}, *parts]}]}
    requests.post(f"{url}/v1beta/models/m:generateContent", json=body, timeout=600).raise_for_status()


def seconds_to_last_byte(url: str, work: Callable[[], None]) -> float:
    begun = time.time()
    work()
    return float(requests.get(url, timeout=60).json()["last_byte"]) - begun


def main() -> int:
    if sys.argv[1:] == ["serve"]:
        serve()
    quiet = is_quiet()
    table = Table("seconds until the last byte has left at 50 Mbit/s, against the partner path")
    whole = as_tensor(mosaic(SIDE))
    frames = [whole.roll(index * 37, 0) for index in range(14)]
    with partner_encoder() as encode, slow_line() as url:
        for count, bar in ((1, 0.55), (14, 0.40)):
            pairs = []
            for seed in range(ROUNDS):
                ours = seconds_to_last_byte(url, partial(by_pack, url, frames[:count], seed))
                theirs = seconds_to_last_byte(url, partial(by_partner, url, encode, frames[:count]))
                pairs.append((ours, theirs))
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
            note = f"{ours:.1f} s against {theirs:.1f} s"
            table.line(f"references of {SIDE}x{SIDE}: {count}", ratio, bar, note=note, counts=quiet)
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
