"""A custom node file that loads the pack by the host's own loader and writes what that took. See `bench_host`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from comfy_api.latest import ComfyExtension, io

import nodes  # the host's own module of that name

PACK, OUT = "PROBED_PACK", "PROBED_OUT"
"""The variables with the pack's folder, and with the file for {"cpu", "wall"} in seconds."""


class Probe(ComfyExtension):
    """No nodes of its own."""

    async def on_load(self) -> None:
        cpu, wall = time.thread_time(), time.perf_counter()
        if not await nodes.load_custom_node(os.environ[PACK]):
            return
        taken = {"cpu": time.thread_time() - cpu, "wall": time.perf_counter() - wall}
        Path(os.environ[OUT]).write_text(json.dumps(taken), encoding="utf-8")

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return []


async def comfy_entrypoint() -> Probe:
    return Probe()
