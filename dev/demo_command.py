"""`dev.py demo`: every example workflow in a real ComfyUI against the doubles, the images in `output/`.

It can't spend: key variables are dropped, the data folder is temporary, providers are pointed at their doubles.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import environment, examples
from .cache import ROOT
from .comfy_host import Host, PromptFailed
from .comfy_install import ComfyInstall
from .doubles_process import DoublesProcess
from .user_error import UserError

EXAMPLES = ROOT / "example_workflows"
OUTPUT = ROOT / "output"
THUMBNAIL_SIZE = 400
LINE = "{:<54}  {:<12}  {:<22}  {:<11}  {:<7}  {:<10}  {}"
HEADINGS = ("workflow", "provider", "model", "size", "seconds", "would cost", "file")


class Picture(NamedTuple):
    """The line of an image in the demo's table. `cost`: in US$, None where nobody says."""

    cells: tuple[str, ...]
    cost: float | None


def run(arguments: list[str]) -> int:
    """Runs the demo. Exit code 1 when a workflow failed. Raises UserError."""
    parser = argparse.ArgumentParser(prog="dev.py demo", description="Runs the example workflows; costs nothing.")
    parser.add_argument("--only", metavar="NAME", action="append", help="this example only (may be repeated)")
    parser.add_argument(
        "--thumbnails", action="store_true", help="write the pictures of the templates, example_workflows/*.jpg"
    )
    chosen = parser.parse_args(arguments)
    found = sorted((EXAMPLES / "api").glob("*.json"))
    paths = [path for path in found if not chosen.only or path.stem in chosen.only]
    if not paths:
        names = ", ".join(path.stem for path in found) or "none"
        raise UserError(f"There is no such example workflow to run; there are: {names}.")
    install = environment.make()
    print(f"ComfyUI: {install.comfyui} ({install.why})")
    OUTPUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nano-banana-demo-", ignore_cleanup_errors=True) as folder:
        base = Path(folder)
        with DoublesProcess(base, install.python) as doubles:
            print(f"Doubles: {doubles.url} in place of {', '.join(doubles.providers)}")
            began = time.monotonic()
            print("ComfyUI is starting (about 10 s) ...", flush=True)
            with Host.start(base, doubles.variables(), ("--cpu",), install=install) as host:
                print(f"ComfyUI answers after {time.monotonic() - began:.0f} s\n")
                return _all(host, install, paths, chosen.thumbnails)


def _all(host: Host, install: ComfyInstall, paths: Sequence[Path], thumbnails: bool) -> int:
    print(LINE.format(*HEADINGS))
    pictures: list[Picture] = []
    failures = 0
    for path in paths:
        try:
            made = _one(host, path, install if thumbnails else None)
        except (PromptFailed, OSError, ValueError) as error:
            failures += 1
            print(f"{path.stem}: FAILED: {error}", flush=True)
            if not host.alive():
                print(f"ComfyUI has ended; the end of its log:\n{host.tail()}")
                break
            continue
        for picture in made:
            print(LINE.format(*picture.cells), flush=True)
        pictures += made
    cost = sum(picture.cost or 0 for picture in pictures)
    unpriced = sum(picture.cost is None for picture in pictures)
    unknown = f" and the unknown price of {unpriced} of them" if unpriced else ""
    failed = f", {failures} of {len(paths)} workflows FAILED" if failures else ""
    print(
        f"\n{len(pictures)} pictures in {OUTPUT}{failed}; would have cost ${cost:.2f}{unknown}; "
        "nothing was spent. Next: `python3 dev.py host` opens the same host for you; it says where to put a key."
    )
    return 1 if failures else 0


def _one(host: Host, path: Path, thumbnails: ComfyInstall | None) -> list[Picture]:
    """Runs one example; its images, copied to `output`. `thumbnails`: the install that makes its thumbnail, or None."""
    prompt = json.loads(path.read_text("utf-8"))
    if models := examples.models_named(prompt):
        print(f"{path.stem}: as far as its local model, {', '.join(models)}")
        prompt = examples.without_models(prompt)
    savers = [node for node, values in prompt.items() if values["class_type"] == "SaveImage"]
    shown = examples.pictures_before(prompt, examples.main_result(prompt, savers) or "") if thumbnails else ([], [])
    began = time.monotonic()
    outputs = host.run_prompt(examples.with_previews(prompt, [*shown[0], *shown[1]]), timeout=300)
    seconds = time.monotonic() - began
    infos, saved = examples.infos(outputs), examples.saved(prompt, outputs)
    savers = [node for node, _ in saved]
    made = []
    for number, (node, image) in enumerate(saved, 1):
        file = OUTPUT / f"{path.stem}_{number}{Path(image['filename']).suffix}"
        shutil.copyfile(host.file(image), file)
        info = infos.get(examples.made_by(prompt, node, infos) or "", {})
        cost = examples.cost_of(prompt, node, savers, infos)
        cells = (
            *(path.stem, info.get("provider") or "-", info.get("model") or "-", examples.png_size(file)),
            f"{max((request.get('seconds') or 0 for request in info.get('requests') or ()), default=seconds):.1f}",
            *("-" if cost is None else f"${cost:.4f}", str(file.relative_to(ROOT))),
        )
        made.append(Picture(cells, cost))
    if thumbnails:
        _thumbnail(host, thumbnails, path.stem, outputs, shown)
    return made


def _thumbnail(
    host: Host, thumbnails: ComfyInstall, name: str, outputs: Mapping[str, Any], nodes: tuple[list[str], list[str]]
) -> None:
    """Writes the picture of a template from the previews of the nodes before and after."""
    before, after = (
        [str(host.file(image)) for node in part for image in outputs[examples.preview_of(node)]["images"]]
        for part in nodes
    )
    script = str(Path(__file__).with_name("thumbnail.py"))
    target = str(EXAMPLES / f"{name}.jpg")
    command = [str(thumbnails.python), script, target, str(THUMBNAIL_SIZE), *before, "--", *after]
    subprocess.run(command, check=True)
