"""`dev.py host`: the real ComfyUI with this pack for a person. Keys in the environment stay, the data is kept.

Arguments are handed on to ComfyUI (`--listen`, `--lowvram`, ...). Ctrl+C and SIGTERM end ComfyUI, too. Called by
`commands.py`.
"""

import os
import shutil
import signal
import socket
import sys
from pathlib import Path

from . import comfy_host, environment, loopback
from .cache import opened
from .comfy_install import ComfyInstall
from .env import personal

USUAL_PORT = 8188
HELP = """usage: dev.py host [--port N] [ComfyUI's own arguments]

Starts the real ComfyUI with this pack, data kept in the cache; Ctrl+C ends it."""


def port_wanted(arguments: list[str]) -> tuple[int, list[str]]:
    """The port asked for, or ComfyUI's usual one if it is free, else any; and the arguments without it."""
    rest = list(arguments)
    for index, argument in enumerate(rest):
        name, _, value = argument.partition("=")
        if name == "--port":
            value = value or (rest[index + 1] if index + 1 < len(rest) else "")
            if not value.isdigit():
                raise environment.UserError("--port needs a number, for example --port 8188.")
            del rest[index : index + (1 if "=" in argument else 2)]
            return int(value), rest
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", USUAL_PORT))
            return USUAL_PORT, rest
        except OSError:
            return loopback.free_port(), rest


def processor(install: ComfyInstall) -> list[str]:
    """`--cpu` where there is no graphics card that our torch could use; a user's ComfyUI finds out for itself."""
    if not install.fetched:
        return []
    only_cpu = any(install.python.parent.parent.glob("**/site-packages/torch-*+cpu.dist-info"))
    card = sys.platform == "darwin" or shutil.which("nvidia-smi") is not None
    return ["--cpu"] if only_cpu or not card else []


def directions(url: str, base: Path, home: str | None) -> str:
    """What a person reads when the host is up."""
    data = home or str(base / "user" / "__nano_banana")
    return f"""
ComfyUI with Nano Banana (your key): {url}

  No key yet? Choose the provider `offline` in ProviderConfig: free, no network, its pictures say SIMULATION.
  A key goes into the environment before the start, never into a graph:
      NANO_BANANA_<PROVIDER>_API_KEY        for example NANO_BANANA_ONEROUTER_API_KEY
      NANO_BANANA_<PROVIDER>_API_KEY_FILE   a file with the key in it (Docker secrets)
      GEMINI_API_KEY, FAL_KEY, ...          the provider's usual variable works too
  Data of the pack: {data}
  Inputs, outputs and workflows: {base}
  Log: {base / "host.log"}

Ctrl+C ends it."""


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def run(arguments: list[str]) -> int:
    """Runs until Ctrl+C or SIGTERM. Raises UserError."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(HELP)
        return 0
    install = environment.make()
    print(f"ComfyUI: {install.comfyui} ({install.why})")
    port, rest = port_wanted(arguments)
    base = opened() / "host"
    if "--cpu" not in rest:
        rest = [*processor(install), *rest]
    print("ComfyUI is starting (about 10 s) ...", flush=True)
    signal.signal(signal.SIGTERM, _interrupt)
    host = comfy_host.Host.start(base, args=rest, port=port, install=install, environment=personal(os.environ))
    try:
        print(directions(host.url, base, os.environ.get("NANO_BANANA_HOME")), flush=True)
        code = host.wait()
        print(f"ComfyUI ended with code {code}; the end of its log:\n{host.tail()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # The terminal has told ComfyUI too; the pack may take up to ten seconds to collect what was paid for.
        print("\nComfyUI is ending ...", flush=True)
        return 0
    finally:
        host.stop(patience=15)
