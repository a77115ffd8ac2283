"""How long an answer holds the interpreter, and how much memory it takes beside its tensors: honest ones and hostile ones.

Each case is played by a process of its own, through the engine and over a socket, against a server in another process. A
thread notes the longest gap between two of its ticks in which this process worked: as far as its CPU time went on, since
another process that takes the core makes a gap, too. The least of some rounds counts. Linux only.

Run by `python3 dev.py bench hostile_answers`; `CASES=text` takes those named so.
"""

from __future__ import annotations

import base64
import gc
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from measuring import ROOT, Gaps, Table
from PIL import Image

HOLD_MS = 50.0
MEMORY_MB = 400.0
ROUNDS = 3


# ------------------------------------------------------------------------------------------------------- the answers


def noise(width: int, height: int = 0) -> Image.Image:
    shape = (height or width, width, 3)
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, shape, dtype=np.uint8))


def soft(side: int) -> Image.Image:
    return noise(side // 16).resize((side, side), Image.Resampling.BICUBIC)


def file_of(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png(image: Image.Image) -> bytes:
    return file_of(image, "PNG", compress_level=1)


def listed(*files: bytes) -> bytes:
    return b'{"created":1,"data":[' + b",".join(b'{"b64_json":"%b"}' % base64.b64encode(f) for f in files) + b"]}"


def gemini(text: str) -> str:
    return json.dumps(
        {"candidates": [{"content": {"parts": [{"inlineData": {"data": text}}]}, "finishReason": "STOP"}]}
    )


def escaped(file: bytes) -> bytes:
    """As PHP writes JSON, in lines of 76."""
    text = base64.b64encode(file).decode()
    lines = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    return json.dumps({"data": [{"b64_json": lines}]}).replace("/", "\\/").encode()


def in_markdown(file: bytes) -> bytes:
    uri = f"Here:\n![a fox](data:image/png;base64,{base64.b64encode(file).decode()})\nEnjoy!"
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": uri}}]}).encode()


def in_deltas(file: bytes) -> bytes:
    text = f"![](data:image/png;base64,{base64.b64encode(file).decode()})"
    pieces = (text[at : at + 4000] for at in range(0, len(text), 4000))
    return b"".join(b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % p.encode() for p in pieces)


def webp_claiming() -> bytes:
    """342 bytes that claim 16383x16383."""
    return (
        b"RIFF" + struct.pack("<I", 334) + b"WEBPVP8L" + struct.pack("<I", 321) + b"\x2f\xfe\xbf\xff\x0f" + bytes(317)
    )


def with_texts(file: bytes) -> bytes:
    text = b"zTXta\0\0" + zlib.compress(bytes(1 << 20))
    return file[:33] + 400 * (struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))) + file[33:]


Made = Callable[[], bytes]
CASES: dict[str, tuple[str, int, Made]] = {
    "30 MB of base64, a PNG": ("onerouter", 1, lambda: listed(png(noise(2750)))),
    "4K PNG, 67 MB of base64": ("onerouter", 1, lambda: listed(png(noise(4096)))),
    "4K PNG with escaped slashes and lines": ("onerouter", 1, lambda: escaped(png(noise(4096)))),
    "4K PNG as server-sent events": (
        "google",
        1,
        lambda: b"data: " + gemini(base64.b64encode(png(noise(4096))).decode()).encode() + b"\n\n",
    ),
    "4K PNG in markdown": ("openrouter", 1, lambda: in_markdown(png(noise(4096)))),
    "30 MB in deltas of 4 kB": ("openrouter", 1, lambda: in_deltas(png(noise(2750)))),
    "four 4K PNG for four": ("onerouter", 4, lambda: listed(*(png(noise(4096 - n, 4096)) for n in range(4)))),
    "400 pictures for one": ("onerouter", 1, lambda: listed(*(png(noise(432, 440 + n % 7)) for n in range(400)))),
    "300 MB of small strings": ("onerouter", 1, lambda: b'{"data":["' + b'abcde","' * 37_000_000 + b'"]}'),
    "300 MB of empty lists": ("onerouter", 1, lambda: b'{"data":[' + b"[]," * 100_000_000 + b"0]}"),
    "300 MB of events": ("google", 1, lambda: b'data: {"candidates":[]}\n\n' * 12_000_000),
    "300 MB of escaped quotes": ("onerouter", 1, lambda: b'{"data":"' + b'\\"' * 150_000_000 + b'"}'),
    "300 MB of data URI heads": ("openrouter", 1, lambda: in_text("data:image/png;base64,", 300_000_000)),
    "10 MB of opened markdown": ("openrouter", 1, lambda: in_text("![", 10_000_000)),
    "16 bits grey PNG, 4K": (
        "onerouter",
        1,
        lambda: listed(png(Image.fromarray(np.arange(1 << 24, dtype=np.uint16).reshape(4096, 4096)))),
    ),
    "16 bits grey PNG, 80 megapixels": (
        "onerouter",
        1,
        lambda: listed(file_of(Image.new("I;16", (10_000, 8000)), "PNG")),
    ),
    "16 bits grey PNG, 300 megapixels": (
        "onerouter",
        1,
        lambda: listed(file_of(Image.new("I;16", (17_300, 17_300)), "PNG")),
    ),
    "float TIFF, 4K": ("onerouter", 1, lambda: listed(file_of(Image.new("F", (4096, 4096), 0.5), "TIFF"))),
    "float TIFF, 80 megapixels": (
        "onerouter",
        1,
        lambda: listed(file_of(Image.new("F", (10_000, 8000), 0.5), "TIFF", compression="tiff_deflate")),
    ),
    "WebP that claims 268 megapixels": ("onerouter", 1, lambda: listed(webp_claiming())),
    "WebP of 90 megapixels": (
        "onerouter",
        1,
        lambda: listed(file_of(Image.new("RGB", (10_000, 9000)), "WEBP", lossless=True, method=0, quality=0)),
    ),
    "lossless WebP, 4K": (
        "onerouter",
        1,
        lambda: listed(file_of(soft(4096), "WEBP", lossless=True, quality=0, method=0)),
    ),
    "AVIF, 4K": ("onerouter", 1, lambda: listed(file_of(soft(4096), "AVIF", speed=10, quality=80))),
    "progressive JPEG, 4K": (
        "onerouter",
        1,
        lambda: listed(file_of(noise(4096), "JPEG", quality=95, progressive=True)),
    ),
    "PNG with 400 MB of texts": ("onerouter", 1, lambda: listed(with_texts(png(noise(256))))),
    "cut PNG of 90 megapixels": (
        "onerouter",
        1,
        lambda: listed(file_of(Image.new("RGB", (10_000, 9000)), "PNG", compress_level=1)[:-40_000]),
    ),
}


def in_text(piece: str, size: int) -> bytes:
    content = piece.encode() * (size // len(piece))
    return b'{"choices":[{"message":{"role":"assistant","content":"' + content + b'"}}]}'


class Answering(BaseHTTPRequestHandler):
    """Answers every request with one file."""

    protocol_version = "HTTP/1.1"
    answer = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        events = self.answer.startswith(b"data:")
        self.send_header("Content-Type", "text/event-stream" if events else "application/json")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *args: object) -> None:
        """Silence."""


def serve(file: str) -> None:
    Answering.answer = Path(file).read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    print(server.server_port, flush=True)
    server.serve_forever()


# ---------------------------------------------------------------------------------------------------------- measuring


def memory(name: str) -> float:
    """A line of /proc/self/status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / 1e6


def play(provider: str, count: int, url: str) -> None:
    """Runs one request and prints what it took."""
    from pack.core.engine import Engine
    from pack.core.planning.choice import ProviderChoice
    from pack.core.request import Options, Request
    from pack.nodes import tensors

    with tempfile.TemporaryDirectory(prefix="nano-banana-bench-") as home:
        name = f"NANO_BANANA_{provider.upper()}"
        variables = {f"{name}_API_KEY": "sk-0123456789abcdef", f"{name}_BASE_URL": url, "NANO_BANANA_CAP_RUN": "none"}
        variables |= {"NANO_BANANA_CAP_DAY": "none"}
        engine = Engine(Path(home), environ=variables)
        request = Request("generate", "a boat", Options(), 1, count)
        plan = engine.plan(ProviderChoice(provider), [request])
        gc.collect()  # due since the imports: of a host that has run for a while it isn't
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        gaps, begun = Gaps(), time.perf_counter()
        run = engine.run([request], plan)
        run.done.wait()
        landed = [result.result for result in run.tasks if result.result]
        images = [tensors.image(each.pixels) for each in landed]
        hold, seconds = gaps.end(), time.perf_counter() - begun
        size = sum(image.numel() * 4 for image in images) / 1e6
        error = next((result.error for result in run.tasks if result.error), None)
        print(
            json.dumps(
                {
                    "hold": hold,
                    "memory": memory("VmHWM") - before - size,
                    "seconds": seconds,
                    "pictures": len(landed),
                    "error": error.message[:90] if error else "",
                }
            )
        )


def measured(name: str, file: Path) -> dict[str, float | str]:
    """The least hold and the least memory of some rounds."""
    provider, count, make = CASES[name]
    file.write_bytes(make())
    me = [sys.executable, str(Path(__file__))]
    server = subprocess.Popen([*me, "serve", str(file)], stdout=subprocess.PIPE, cwd=ROOT)
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        rounds: list[dict[str, float | str]] = []
        for _ in range(ROUNDS):
            command = [*me, "play", provider, str(count), url]
            done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=ROOT)
            if done.returncode:
                raise SystemExit(f"{name}: {done.stderr[-2000:]}")
            rounds.append(json.loads(done.stdout.splitlines()[-1]))
    finally:
        server.kill()
        server.wait()
    best = {figure: min(float(each[figure]) for each in rounds) for figure in ("hold", "memory", "seconds")}
    return {**rounds[0], **best}


def main() -> int:
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    if sys.argv[1:2] == ["play"]:
        play(sys.argv[2], int(sys.argv[3]), sys.argv[4])
        return 0
    if sys.platform != "linux":
        print("Linux only.")
        return 0
    table = Table("the longest hold of the interpreter, and the memory beside the tensors")
    with tempfile.TemporaryDirectory(prefix="nano-banana-bench-") as folder:
        for name in CASES:
            if os.environ.get("CASES", "") in name:
                found = measured(name, Path(folder) / "answer")
                note = f"({found['pictures']} pictures, {float(found['seconds']):.1f} s) {found['error']}"
                table.line(name, float(found["hold"]), HOLD_MS, " ms", note=note)
                table.line("", float(found["memory"]), MEMORY_MB, " MB")
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
