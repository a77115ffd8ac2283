"""`dev.py lock`: writes `requirements/*.txt` again from the dependency groups of `pyproject.toml`, with uv.

Each file is for all platforms and Pythons from 3.10 to 3.14, names every package by version and hashes, and no index.
What is locked already stays, unless `--upgrade NAME` is given. Needs `uv` in PATH.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import comfy_install, environment
from .cache import ROOT, opened
from .environment import REQUIREMENTS
from .user_error import UserError

GROUPS = ("pip", "tools", "judges", "coverage", "fuzz", "node", "registry", "photographs")
OPTIONS = "--quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate".split()
OF_TORCH = ("torch", "torchvision", "torchaudio")
"""In no lock: they are installed before, by `environment.py`."""
OF_VIDEOS = "imageio-ffmpeg"
"""Half of the registry's client, and nothing that packs or validates a pack needs it."""


def run(arguments: list[str]) -> int:
    """Exit code 0. Raises UserError."""
    parser = argparse.ArgumentParser(prog="dev.py lock", description="Locks the dependency groups, with hashes.")
    parser.add_argument("--upgrade", metavar="NAME", action="append", default=[], help="take this package's newest")
    upgrade = [f"--upgrade-package={name}" for name in parser.parse_args(arguments).upgrade]
    uv = shutil.which("uv")
    if uv is None:
        raise UserError("uv isn't in PATH: install it (`pip install uv`) and run the same command again.")
    environment.make()
    source = comfy_install.location(opened()) / "requirements.txt"
    with tempfile.TemporaryDirectory(prefix="nano-banana-lock-") as folder:
        never = Path(folder, "without-torch.txt")
        never.write_text("".join(f"{name} ; python_version < '3'\n" for name in OF_TORCH))
        without_videos = Path(folder, "without-videos.txt")
        without_videos.write_text(f"{OF_VIDEOS} ; python_version < '3'\n")
        inputs = {"comfyui": [str(source), "--override", str(never)]} | {name: ["--group", name] for name in GROUPS}
        # The tools share an environment with the host.
        inputs["tools"] += ["--constraint", str(REQUIREMENTS / "comfyui.txt")]
        inputs["registry"] += ["--override", str(without_videos)]
        inputs["photographs"] += ["--no-deps"]
        for name, given in inputs.items():
            target = REQUIREMENTS / f"{name}.txt"
            command = [uv, "pip", "compile", *OPTIONS, *given, *upgrade, "--output-file", str(target)]
            if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
                raise UserError(f"uv couldn't lock {name}: what it printed is above.")
            print(target.relative_to(ROOT))
    return 0
