"""What the engine and codec add to a request, against a bare requests.post and a Pillow decode of the same answer.

Run by `python3 dev.py bench engine`.
"""

from __future__ import annotations

import base64
import io
import resource
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import requests
import torch
from answering_server import serve
from measuring import ROOT, Table, paired_cpu, photo
from pack.core.engine import Engine
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN
from pack.core.request import Options, Request
from pack.nodes import tensors
from PIL import Image

ROUNDS = 40


def ready_answer() -> bytes:
    """One picture, as base64."""
    out = io.BytesIO()
    Image.fromarray(photo(1024)).save(out, "PNG")
    return b'{"created":1,"data":[{"b64_json":"' + base64.b64encode(out.getvalue()) + b'"}]}'


def main() -> int:
    if sys.argv[1:] == ["serve"]:
        serve(ready_answer())
    home = tempfile.TemporaryDirectory()
    process = subprocess.Popen([sys.executable, str(Path(__file__)), "serve"], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        variables = {
            "NANO_BANANA_ONEROUTER_API_KEY": "k",
            "NANO_BANANA_ONEROUTER_BASE_URL": url,
            "NANO_BANANA_CAP_DAY": "none",
        }
        engine = Engine(Path(home.name), environ=variables)
        table = Table("a request of one 1K PNG, loopback, no latency")
        seeds = count()
        ours, bare = paired_cpu(lambda: through_the_pack(engine, next(seeds)), lambda: by_hand(url), ROUNDS)
        table.line("engine and codec against bare, CPU", ours / bare, 1.2)
        limitless = replace(
            BUILT_IN["onerouter"], max_request_bytes=10**10, max_reference_bytes=10**9
        )  # the body is to be as large as the pictures
        memory(Engine(Path(home.name), specs={"onerouter": limitless}, environ=variables), table)
        return table.end()
    finally:
        process.kill()
        home.cleanup()


def through_the_pack(engine: Engine, seed: int) -> torch.Tensor:
    request = Request("generate", "a boat", Options(), seed)
    run = engine.run([request], engine.plan(ProviderChoice("onerouter"), [request]))
    run.done.wait()
    landed = run.tasks[0].result
    assert landed is not None, run.tasks[0].error
    return tensors.image(landed.pixels)


def by_hand(url: str) -> torch.Tensor:
    answer = requests.post(url + "/v1/images/generations", json={"model": "m", "prompt": "a boat"}, timeout=30)
    data = base64.b64decode(answer.json()["data"][0]["b64_json"])
    return torch.from_numpy(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.float32) / 255.0)


def memory(engine: Engine, table: Table) -> None:
    """The peak above the tensors while 14 4K references are encoded and sent."""
    frame = torch.from_numpy(photo(4096).astype(np.float32) / 255.0)
    images = [frame.roll(i * 37, 0) for i in range(14)]
    pictures = tuple(tensors.picture(image, "x") for image in images)
    sizes: list[int] = []
    request = Request("edit", "a boat", Options(), 1, 1, pictures)
    before = now_mb()
    peak = [before]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            peak[0] = max(peak[0], now_mb())

    threading.Thread(target=watch, daemon=True).start()
    run = engine.run([request], engine.plan(ProviderChoice("onerouter"), [request]))
    while not run.done.wait(0.01):
        sizes += [call.bytes_sent[1] for call in run.calls]
    over.set()
    body = max(sizes) / 1e6
    table.line("memory above 14 4K tensors", peak[0] - before, 1.5 * body + 150, " MB", note=f"(body {body:.0f} MB)")


def now_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if sys.platform == "linux" else 0
    if pages:
        return pages * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    sys.exit(main())
