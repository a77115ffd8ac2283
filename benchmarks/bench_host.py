"""What a person feels in the running host: overlap, stalls, Cancel, start-up. Run by `python3 dev.py bench host`."""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import websocket
from measuring import ROOT, Table, photo
from pack.dev.comfy_host import Host
from pack.dev.doubles_process import DoublesProcess
from PIL import Image

LATENCY = 2
STARTS = 3


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": {name.replace("__", "."): value for name, value in inputs.items()}}


def generates(count: int, first_seed: int) -> dict[str, Any]:
    prompt: dict[str, Any] = {}
    for i in range(count):
        prompt[f"make{i}"] = node("NanoBananaGenerate", prompt=f"a boat [[sim: slow={LATENCY}]]", seed=first_seed + i)
        prompt[f"show{i}"] = node("PreviewAny", source=[f"make{i}", 3])
    return prompt


def seconds(host: Host, prompt: dict[str, Any]) -> float:
    begun = time.perf_counter()
    host.run_prompt(prompt)
    return time.perf_counter() - begun


def importing(base: Path, table: Table) -> None:
    """What the pack takes of a start: CPU of the thread that loads it, once the host has loaded all of its own.

    With byte code that is there already, as at every start but the first one after an update: compiling takes twice as
    long as all else. Wall times of one import say little, and the host's own line about them has one decimal.
    """
    probe, out = base / "custom_nodes" / "import_probe.py", base / "import.json"
    probe.parent.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name(probe.name), probe)
    starts = []
    for _ in range(STARTS + 1):
        with Host.start(base, {"PROBED_PACK": str(ROOT), "PROBED_OUT": str(out)}, pack=None):
            starts.append(json.loads(out.read_text("utf-8")))
        out.unlink()
    # The first one may have compiled.
    cpu, wall = (statistics.median(each[name] for each in starts[1:]) for name in ("cpu", "wall"))
    table.line("import, on top of the host's start", cpu, 0.2, " s", note=f"(CPU; {wall:.2f} s of wall time)")


def overlap(host: Host, table: Table) -> None:
    host.run_prompt(generates(1, 1))
    one = statistics.median(seconds(host, generates(1, 10 + i)) for i in range(3))
    eight = statistics.median(seconds(host, generates(8, 100 * (i + 1))) for i in range(3))
    table.line(f"eight nodes against one, latency {LATENCY} s", eight / one, 1.3)


def stalls(host: Host, table: Table) -> None:
    """The longest answer of the host's own loop while 14 4K references are encoded and sent."""
    Image.fromarray(photo(4096)).save(host.base / "input" / "photo.png", compress_level=1)
    loading = {
        "load": node("LoadImage", image="photo.png"),
        "many": node("RepeatImageBatch", image=["load", 0], amount=14),
        "size": node("GetImageSize", image=["many", 0]),
        "seen": node("PreviewAny", source=["size", 0]),
    }
    host.run_prompt(loading)  # from here on the batch is in the host's cache
    edit = node("NanoBananaEdit", prompt="a boat", images__image_1=["many", 0], reference_format="lossless",
                provider=["config", 0])  # fmt: skip
    config = node("ProviderConfig", provider="runflow")
    answers: list[tuple[float, float]] = []
    over = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", host.port)
        while not over.wait(0.005):
            begun = time.time()
            connection.request("GET", "/queue")
            connection.getresponse().read()
            answers.append((begun, time.time() - begun))

    quiet = threading.Thread(target=ask)
    quiet.start()
    time.sleep(1)
    idle = max(taken for _, taken in answers) * 1000
    answers.clear()
    prompt = {**loading, "config": config, "make": edit, "show": node("PreviewAny", source=["make", 3])}
    entry = host.wait_prompt(host.queue_prompt(prompt), 300)
    over.set()
    quiet.join()
    # After a prompt the host collects its garbage, a third of a second with everything loaded: not our stall.
    ended = next(data["timestamp"] for kind, data in entry["status"]["messages"] if kind == "execution_success") / 1000
    ours = [taken for begun, taken in answers if begun < ended - 0.01]
    note = f"(idle {idle:.0f} ms, {len(ours)} answers)"
    table.line("longest stall, 14 4K references", max(ours) * 1000, 120, " ms", note=note)


def cancel(host: Host, table: Table) -> None:
    """From POST /interrupt to the host's own word that the prompt is interrupted."""
    found = {}
    for name, directive in (("waiting for the answer", "slow=20"), ("polling", "task=hang"),
                            ("mid answer", "b64 slow_body=20"), ("backing off", "status=429 retry_after=30")):  # fmt: skip
        client = uuid.uuid4().hex
        socket = websocket.create_connection(f"ws://127.0.0.1:{host.port}/ws?clientId={client}", timeout=30)
        prompt = {
            "config": node("ProviderConfig", provider="nanobanana"),
            "make": node("NanoBananaGenerate", prompt=f"{name} [[sim: {directive}]]", provider=["config", 0]),
            "show": node("PreviewAny", source=["make", 3]),
        }
        host.queue_prompt(prompt, client)
        time.sleep(1.5)
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", host.port)
        connection.request("POST", "/interrupt")
        connection.getresponse().read()
        while True:
            frame = socket.recv()
            if isinstance(frame, str) and json.loads(frame)["type"] == "execution_interrupted":
                break
        found[name] = time.perf_counter() - begun
        socket.close()
    for name, taken in found.items():
        table.line(f"Cancel while {name}", taken * 1000, 200, " ms")
    host.run_prompt(generates(1, 999))


def main() -> int:
    base = Path(tempfile.mkdtemp(prefix="nano-banana-bench-host-"))
    try:
        table = Table("in the running host")
        importing(base / "import", table)
        with DoublesProcess(base) as doubles, Host.start(base, doubles.variables()) as host:
            overlap(host, table)
            cancel(host, table)
            stalls(host, table)
            return table.end()
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
