"""`dev.py host`: the real ComfyUI with this pack for a person. Keys in the environment stay, the data is kept.

Arguments are handed on to ComfyUI (`--listen`, `--lowvram`, ...). Ctrl+C and SIGTERM end ComfyUI, too.
"""

import argparse
import os
import shutil
import socket
import sys
from pathlib import Path

from . import environment
from .cache import opened
from .comfy_host import Host
from .comfy_install import ComfyInstall
from .env import personal
from .process import free_port
from .user_error import UserError

USUAL_PORT = 8188


def port_wanted(arguments: list[str]) -> tuple[int, list[str]]:
    """The port asked for, or ComfyUI's usual one if it is free, else any; and the arguments without it."""
    parser = argparse.ArgumentParser(
        prog="dev.py host",
        description="Starts the real ComfyUI with this pack, data kept in the cache; Ctrl+C ends it.",
        epilog="What is left goes to ComfyUI: dev.py host --lowvram",
        allow_abbrev=False,
    )
    parser.add_argument("--port", metavar="N", help="8188 if it is free, else any free one")
    chosen, rest = parser.parse_known_args(arguments)
    if chosen.port and not chosen.port.isdigit():
        raise UserError("--port needs a number, for example --port 8188.")
    if chosen.port:
        return int(chosen.port), rest
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", USUAL_PORT))
            return USUAL_PORT, rest
        except OSError:
            return free_port(), rest


def processor(install: ComfyInstall) -> list[str]:
    """`--cpu` where there is no graphics card that our torch could use; a user's ComfyUI finds out for itself."""
    if not install.fetched:
        return []
    only_cpu = any(install.python.parent.parent.glob("**/site-packages/torch-*+cpu.dist-info"))
    card = sys.platform == "darwin" or shutil.which("nvidia-smi") is not None
    return ["--cpu"] if only_cpu or not card else []


DIRECTIONS = """
ComfyUI with Nano Banana (your key): {url}

  No key yet? Choose the provider `offline` in ProviderConfig: free, no network, its pictures say SIMULATION.
  A key goes into the environment before the start, never into a graph:
      NANO_BANANA_<PROVIDER>_API_KEY        for example NANO_BANANA_ONEROUTER_API_KEY
      NANO_BANANA_<PROVIDER>_API_KEY_FILE   a file with the key in it (Docker secrets)
      GEMINI_API_KEY, FAL_KEY, ...          the provider's usual variable works too
  Data of the pack: {data}
  Inputs, outputs and workflows: {base}
  Log: {log}

Ctrl+C ends it."""


def data(base: Path) -> Path:
    """Where the pack keeps its data in the host on `base`."""
    return base / "user" / "__nano_banana"


def run(arguments: list[str]) -> int:
    """Runs until Ctrl+C or SIGTERM. Raises UserError."""
    port, rest = port_wanted(arguments)
    install = environment.make()
    print(f"ComfyUI: {install.comfyui} ({install.why})")
    if "--cpu" not in rest:
        rest = [*processor(install), *rest]
    print("ComfyUI is starting (about 10 s) ...", flush=True)
    host = Host.start(opened() / "host", args=rest, port=port, install=install, environment=personal(os.environ))
    try:
        home = os.environ.get("NANO_BANANA_HOME") or data(host.base)
        print(DIRECTIONS.format(url=host.url, data=home, base=host.base, log=host.log), flush=True)
        code = host.wait()
        print(f"ComfyUI ended with code {code}; the end of its log:\n{host.tail()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # The terminal has told ComfyUI too; the pack may take up to ten seconds to collect what was paid for.
        print("\nComfyUI is ending ...", flush=True)
        return 0
    finally:
        host.stop(patience=15)
