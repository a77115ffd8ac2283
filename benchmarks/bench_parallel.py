"""How long many pictures take, eight at a time, against what the provider alone would take, and how much memory.

Run by `python3 dev.py bench parallel`. The provider is a server in a process of its own that answers each request after a
fixed time with a photograph of 1024x1024; the frames of the second case are as large, and each is a reference of its own.
Ideal is as many rounds of eight as there are, each of them as long as the provider takes. Ours is from the pixels of the
frames to a tensor for each result.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from answering_server import serve
from measuring import ROOT, Table, is_quiet, photo

SIDE, AT_ONCE = 1024, 8
FEW, MANY = 16, 100
GENERATE_LATENCY, EDIT_LATENCY = 1.0, 2.0
TICK = 0.05
"""Seconds between two looks of a node at its run."""
MOST_GROWTH = 4.0
"""MB that a run may take for a frame more, beside the frames and the results: the pixels of a reference are 3 MB."""


def ready_answer() -> bytes:
    """Google's, with one photograph."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(photo(SIDE)).save(out, "JPEG", quality=90)
    part = {"inlineData": {"mimeType": "image/jpeg", "data": base64.b64encode(out.getvalue()).decode()}}
    return json.dumps({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}).encode()


def peak() -> float:
    """The most memory that this process has had, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def play(kind: str, count: int, latency: float, url: str) -> None:
    """Makes the pictures and prints the seconds, those of the last step, those of CPU, and how much the peak of memory rose."""
    import numpy as np
    import torch
    from pack.core.engine import Engine
    from pack.core.execution.image_task import ImageTask
    from pack.core.images.parallel import on_all_cores
    from pack.core.planning.choice import ProviderChoice
    from pack.core.request import Options, Request
    from pack.nodes import tensors
    from pack.nodes.early_outputs import EarlyOutputs
    from pack.nodes.output_image import OutputImage

    def output(task: ImageTask) -> OutputImage:
        assert task.result is not None
        pixels = task.result.pixels
        return OutputImage(tensors.image(pixels), tensors.transparency(pixels), task, task.source)

    variables = {"NANO_BANANA_GOOGLE_API_KEY": "k" * 20, "NANO_BANANA_GOOGLE_BASE_URL": f"{url}/{latency}"}
    with tempfile.TemporaryDirectory(prefix="nano-banana-bench-") as home:
        engine = Engine(Path(home), environ=variables | {"NANO_BANANA_CAP_RUN": "none", "NANO_BANANA_CAP_DAY": "none"})
        engine.ledger.look_up(["begin"])
        requests = [Request("generate", "a boat", Options(), 1, count)]
        if kind == "edit":
            one = torch.from_numpy(photo(SIDE).astype(np.float32) / 255.0)
            frames = torch.empty((count, *one.shape))
            for number in range(count):
                frames[number] = one.roll(number * 7, 0)
            pictures = [tensors.picture(frame, "image") for frame in frames]
            requests = [
                Request("edit", "a boat", Options(), 1, references=(each,), frame=n) for n, each in enumerate(pictures)
            ]
        before, begun, worked = peak(), time.perf_counter(), time.process_time()
        run = engine.run(requests, engine.plan(ProviderChoice("google"), requests))
        early = EarlyOutputs(lambda: [(task, output) for task in run.tasks if task.result])
        while not run.done.wait(TICK):
            early.begin()
        received = time.perf_counter()
        early.stop()
        early.wait()
        # as the nodes do it
        images = on_all_cores(
            lambda task: early.take(task) or output(task), [task for task in run.tasks if task.result]
        )
        memory = peak() - before - sum(each.image.nbytes + each.mask.nbytes for each in images) / 1e6
        converting = time.perf_counter() - received
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
        assert len(images) == count, [task.error for task in run.tasks if task.error][:1]
        print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": memory, "converting": converting}))


def measured(kind: str, count: int, latency: float, url: str) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__)), "play", kind, str(count), str(latency), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    if sys.argv[1:] == ["serve"]:
        serve(ready_answer())
    if sys.argv[1:2] == ["play"]:
        play(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
        return 0
    server = subprocess.Popen([sys.executable, str(Path(__file__)), "serve"], stdout=subprocess.PIPE, cwd=ROOT)
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        quiet = is_quiet()
        table = Table(f"many pictures of {SIDE}x{SIDE}, {AT_ONCE} at a time, against the provider's own time")
        made = [measured("generate", FEW, GENERATE_LATENCY, url) for _ in range(3)]
        seconds, ideal = min(each["seconds"] for each in made), GENERATE_LATENCY * -(-FEW // AT_ONCE)
        note = f"{seconds:.2f} s, of which {made[0]['cpu']:.1f} s of CPU"
        table.line(f"{FEW} pictures, latency {GENERATE_LATENCY:g} s", seconds / ideal, 1.15, note=note, counts=quiet)
        few = measured("edit", FEW, EDIT_LATENCY, url)
        many = measured("edit", MANY, EDIT_LATENCY, url)
        ideal = EDIT_LATENCY * -(-MANY // AT_ONCE)
        tensors_made = f"{many['converting']:.1f} s of them after the last answer"
        note = f"{many['seconds']:.1f} s, of which {many['cpu']:.1f} s of CPU; {tensors_made}"
        quiet = quiet and is_quiet()
        table.line(
            f"{MANY} frames `each`, latency {EDIT_LATENCY:g} s", many["seconds"] / ideal, 1.1, note=note, counts=quiet
        )
        growth = (many["memory"] - few["memory"]) / (MANY - FEW)
        table.line("memory for a frame more", growth, MOST_GROWTH, " MB", note=f"{many['memory']:.0f} MB for {MANY}")
        return table.end()
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
