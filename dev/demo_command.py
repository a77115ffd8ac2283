"""`dev.py demo`: every example workflow in a real ComfyUI against the doubles, the images in `output/`.

It can't spend: key variables are dropped, the data folder is temporary, providers are pointed at their doubles.
Called by `commands.py`.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import comfy_host, doubles_process, environment, examples, table
from .cache import ROOT
from .comfy_install import ComfyInstall

EXAMPLES = ROOT / "example_workflows"
OUTPUT = "NANO_BANANA_DEMO_OUTPUT"
THUMBNAIL_WIDTH = 400
HEADINGS = ("workflow", "provider", "model", "size", "seconds", "would cost", "file")
WIDTHS = (26, 12, 22, 11, 7, 10, 0)


@dataclass(frozen=True)
class Picture:
    """An image in `output/`: a line of the demo's table."""

    workflow: str
    provider: str
    model: str
    size: str
    seconds: float
    cost: float | None
    """What it would have cost in US$, None where nobody says."""
    file: Path
    main: bool

    def cells(self) -> tuple[str, ...]:
        """The line's cells."""
        cost = "-" if self.cost is None else f"${self.cost:.4f}"
        return self.workflow, self.provider, self.model, self.size, f"{self.seconds:.1f}", cost, _near(self.file)


def _near(path: Path) -> str:
    """A path as short as it can be from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def options(arguments: list[str]) -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="dev.py demo", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", metavar="NAME", action="append", help="this example only (may be repeated)")
    parser.add_argument(
        "--thumbnails", action="store_true", help="write example_workflows/NAME.jpg of the main results"
    )
    return parser.parse_args(arguments)


def run(arguments: list[str]) -> int:
    """Runs the demo. Exit code 1 when a workflow failed. Raises UserError."""
    chosen = options(arguments)
    found = sorted((EXAMPLES / "api").glob("*.json"))
    paths = [path for path in found if not chosen.only or path.stem in chosen.only]
    if not paths:
        names = ", ".join(path.stem for path in found) or "none"
        raise environment.UserError(f"There is no such example workflow to run; there are: {names}.")
    install = environment.make()
    print(f"ComfyUI: {install.comfyui} ({install.why})")
    output = Path(os.path.abspath(os.environ.get(OUTPUT) or ROOT / "output"))
    output.mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="nano-banana-demo-"))
    try:
        with doubles_process.DoublesProcess.start(install.python) as doubles:
            print(f"Doubles: {doubles.origin} in place of {', '.join(doubles.providers)}")
            began = time.monotonic()
            print("ComfyUI is starting (about 10 s) ...", flush=True)
            with comfy_host.Host.start(base, doubles.variables(), ("--cpu",), install=install) as host:
                print(f"ComfyUI answers after {time.monotonic() - began:.0f} s\n")
                return _all(host, install, paths, output, chosen.thumbnails)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _all(host: comfy_host.Host, install: ComfyInstall, paths: list[Path], output: Path, thumbnails: bool) -> int:
    print(table.line(HEADINGS, WIDTHS))
    pictures: list[Picture] = []
    failures = 0
    for path in paths:
        try:
            made = _one(host, install, path, output)
        except (comfy_host.PromptFailed, OSError, ValueError) as error:
            failures += 1
            print(f"{path.stem}: FAILED: {error}", flush=True)
            if not host.alive():
                print(f"ComfyUI has ended; the end of its log:\n{host.tail()}")
                break
            continue
        for picture in made:
            print(table.line(picture.cells(), WIDTHS), flush=True)
        pictures += made
        if thumbnails:
            _thumbnail(install, path.stem, made)
    cost = sum(picture.cost or 0 for picture in pictures)
    unpriced = sum(picture.cost is None and picture.provider != "-" for picture in pictures)
    unknown = f" and the unknown price of {unpriced} of them" if unpriced else ""
    failed = f", {failures} of {len(paths)} workflows FAILED" if failures else ""
    print(
        f"\n{len(pictures)} pictures in {_near(output)}{failed}; would have cost ${cost:.2f}{unknown}; "
        "nothing was spent. Next: `python3 dev.py host` opens the same host for you; it says where to put a key."
    )
    return 1 if failures else 0


def _one(host: comfy_host.Host, install: ComfyInstall, path: Path, output: Path) -> list[Picture]:
    """Runs one example; its images, copied to `output`."""
    prompt = examples.load(path)
    _bring_inputs(prompt, host.base / "input", install.comfyui)
    began = time.monotonic()
    outputs = host.run_prompt(prompt, timeout=300)
    return _pictures(host, path.stem, prompt, outputs, time.monotonic() - began, output)


def _bring_inputs(prompt: examples.Prompt, target: Path, comfyui: Path) -> None:
    for name in examples.inputs_named(prompt):
        places = [folder / name for folder in (EXAMPLES / "input", comfyui / "input")]
        source = next((path for path in places if path.is_file()), None)
        if source is None:
            raise ValueError(
                f"it loads {name}, which is in neither of {', '.join(str(path.parent) for path in places)}"
            )
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / name)


def _pictures(
    host: comfy_host.Host, workflow: str, prompt: examples.Prompt, outputs: dict[str, Any], seconds: float, output: Path
) -> list[Picture]:
    infos = examples.infos(prompt, outputs)
    saved = examples.saved(prompt, outputs)
    makers = [examples.made_by(prompt, node, infos) for node, _ in saved]
    main = examples.main_result(prompt, [node for node, _ in saved])
    made = []
    for number, ((node, image), maker) in enumerate(zip(saved, makers, strict=True), 1):
        file = output / f"{workflow}_{number}{Path(image['filename']).suffix}"
        shutil.copyfile(host.file(image), file)
        info = infos.get(maker, {}) if maker else {}
        cost = _share(prompt, node, [name for name, _ in saved], infos)
        asked = [request.get("seconds") or 0 for request in info.get("requests") or ()]
        made.append(
            Picture(
                workflow,
                info.get("provider") or "-",
                info.get("model") or "-",
                examples.png_size(file),
                max(asked, default=seconds),
                cost,
                file,
                node == main,
            )
        )
    return made


def _share(prompt: examples.Prompt, node: str, saved: list[str], infos: dict[str, dict[str, Any]]) -> float | None:
    """What a saved picture cost: the runs above it, each shared by all the pictures that came of it."""
    total = 0.0
    for maker in examples.all_above(prompt, node) & set(infos):
        cost = infos[maker].get("cost_usd")
        if cost is None:
            return None
        total += cost / sum(maker in examples.all_above(prompt, other) for other in saved)
    return total


def _thumbnail(install: ComfyInstall, workflow: str, made: list[Picture]) -> None:
    source = next((picture.file for picture in made if picture.main), None)
    if source:
        script = Path(__file__).with_name("thumbnail.py")
        target = EXAMPLES / f"{workflow}.jpg"
        subprocess.run([str(install.python), str(script), str(source), str(target), str(THUMBNAIL_WIDTH)], check=True)
