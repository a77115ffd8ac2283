"""CPU of a prompt whose 200 pictures have the same bytes, against one whose 200 pictures all differ.

Run by `python3 dev.py bench equal_pictures`. A provider that answers every request with one picture (a cached answer, a
placeholder) makes all pictures of a prompt share one file in the store. The provider runs in a process of its own, so the
figures are this process's CPU seconds alone; both kinds of answer decode to the same pixels.
"""

from __future__ import annotations

import base64
import io
import itertools
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from measuring import ROOT, Table, photo
from pack.core.engine import Engine
from pack.core.ledger import RunContext
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Options, Request
from PIL import Image

PICTURES = 200
ROUNDS = 5
SIDE = 256
GRAPHS = {"a graph of 60 KB": 60_000, "a graph of 1 MB": 1_000_000}
"""Characters of the workflow that each picture's facts carry."""
BAR = 1.2


class Answering(BaseHTTPRequestHandler):
    """Answers a POST with one ready picture: below /equal with the same bytes, below /distinct with a comment that counts."""

    protocol_version = "HTTP/1.1"
    picture = b""
    numbers = itertools.count()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        number = next(self.numbers) if self.path.startswith("/distinct") else 0
        data = base64.b64encode(with_comment(self.picture, f"picture {number:06}"))
        body = b'{"created":1,"data":[{"b64_json":"' + data + b'"}]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silence."""


def with_comment(png: bytes, text: str) -> bytes:
    """A PNG with a tEXt chunk before its end: other bytes, equal pixels."""
    chunk = b"tEXtComment\0" + text.encode()
    end = png.rindex(b"IEND") - 4
    return png[:end] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[end:]


def serve() -> None:
    out = io.BytesIO()
    Image.fromarray(photo(SIDE)).save(out, "PNG")
    Answering.picture = out.getvalue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    print(server.server_port, flush=True)
    server.serve_forever()


def workflow(characters: int) -> dict[str, Any]:
    """A graph of about that many characters, with the structure that the editor saves."""
    node: dict[str, Any] = {"type": "KSampler", "pos": [10.5, 20.25], "widgets_values": [1, "fixed", 20, 8.0, "euler"]}
    node |= {"inputs": [{"name": "model", "type": "MODEL", "link": 1}], "properties": {"Node name for S&R": "KSampler"}}
    return {"workflow": {"nodes": [{"id": index, **node} for index in range(characters // 189)]}}


def cpu_seconds(url: str, kind: str, graph: dict[str, Any]) -> float:
    """One prompt of 200 pictures into an empty data folder."""
    with tempfile.TemporaryDirectory() as home:
        variables = {"NANO_BANANA_ONEROUTER_API_KEY": "k", "NANO_BANANA_ONEROUTER_BASE_URL": f"{url}/{kind}"}
        variables |= {f"NANO_BANANA_CAP_{period}": "none" for period in ("RUN", "DAY")}
        engine = Engine(Path(home), environ=variables)
        asked = [Request("generate", "a boat", Options(), seed=number, frame=number) for number in range(PICTURES)]
        plan = engine.plan(ProviderChoice("onerouter"), asked)
        begun = time.process_time()
        run = engine.run(asked, plan, run_context=RunContext("run", graph=graph))
        run.done.wait()
        used = time.process_time() - begun
        assert len(run.report.completed) == PICTURES, run.error or run.tasks[0].error
        files = len(list(engine.ledger.results.folder.rglob("*.png")))
        assert files == (1 if kind == "equal" else PICTURES), files
        engine.ledger.close()
    return used


def main() -> int:
    if sys.argv[1:] == ["serve"]:
        serve()
    process = subprocess.Popen([sys.executable, str(Path(__file__)), "serve"], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        table = Table(f"{PICTURES} equal pictures in one prompt against {PICTURES} distinct ones, CPU")
        for name, characters in GRAPHS.items():
            graph = workflow(characters)
            cpu_seconds(url, "distinct", graph)  # imports, and the first use of everything
            distinct, equal = [], []
            for _ in range(ROUNDS):  # alternating, so that a slow moment of the machine hits both
                distinct.append(cpu_seconds(url, "distinct", graph))
                equal.append(cpu_seconds(url, "equal", graph))
            many, same = statistics.median(distinct), statistics.median(equal)
            table.line(f"equal against distinct, {name}", same / many, BAR, note=f"({same:.2f} s and {many:.2f} s)")
        return table.end()
    finally:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
