"""Local edits and alignment on real photographs: errors of registration, sharpness, seconds and memory.

Run by `python3 dev.py bench local_edits`, which installs scikit-image beside everything else for the photographs in it, or
takes those of the folder that the variable PHOTOS names; nothing of them is shipped. With the variable PICTURES the pair
of docs/local-edits.md is written into that folder.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from measuring import Table
from pack.core.execution.image_task import ImageTask
from pack.core.execution.outcome import ResultImage
from pack.core.planning.negotiate import negotiate
from pack.core.providers import BUILT_IN
from pack.core.request import Options
from pack.nodes import tensors
from pack.nodes.alignment.registration import Movement, movement
from pack.nodes.alignment.result import put_right
from pack.nodes.edit_batch import EditBatch, EditOptions
from pack.nodes.output_image import OutputImage
from pack.tests.moved_pictures import error_at_corners, moved_view, tensor
from pack.tests.repeating_pictures import KINDS, repeating
from photographs import SAMPLES, photographs
from PIL import Image

OTHERS = ("brick.png", "camera.png", "cell.png", "clock_motion.png", "coins.png", "grass.png", "gravel.png", "ihc.png",
          "moon.png", "page.png")  # fmt: skip
"""Pictures of scikit-image by which no threshold was chosen; the weights of pixels were made with them."""
GOOGLE = BUILT_IN["google"]
MAX_ERROR = 0.25
QUIET_LOAD = 1.3
"""Mean number of processes that want to run, this one among them."""


def view(picture: Image.Image, moved: Movement) -> torch.Tensor:
    """The middle of a picture, at 80 % of its sides, its content moved."""
    return moved_view(picture, moved, int(picture.width * 0.8) // 8 * 8, int(picture.height * 0.8) // 8 * 8)


def redrawn(picture: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """With other brightness and contrast, noise, and JPEG's losses, as a model's result has them."""
    noise = torch.from_numpy(random.normal(0, 0.01, picture.shape).astype(np.float32))
    changed = (picture * (1 + random.uniform(-0.08, 0.08)) + random.uniform(-0.04, 0.04) + noise).clamp(0, 1)
    out = BytesIO()
    Image.fromarray((changed.numpy() * 255).round().astype(np.uint8)).save(out, "JPEG", quality=90)
    return tensor(Image.open(out))


@dataclass
class Errors:
    """What registration made of a set of known movements."""

    errors: list[float] = field(default_factory=list)
    """px at the worst corner, of those that were trusted."""
    count: int = 0

    def add(self, original: torch.Tensor, result: torch.Tensor, moved: Movement, *, with_scale: bool) -> None:
        self.count += 1
        found = movement(original, result, with_scale=with_scale)
        if found is not None and found.is_trusted:
            height, width = original.shape[:2]
            self.errors.append(error_at_corners(found, moved, width, height))

    def line(self, table: Table, name: str, bar: float = MAX_ERROR) -> None:
        if not self.errors:
            table.line(name, 0, bar, " px", note=f"none of {self.count} trusted")
            return
        middle, most = np.percentile(self.errors, (50, 99))
        trusted = f"trusted {len(self.errors)} of {self.count}"
        table.line(name, max(self.errors), bar, " px", note=f"p50 {middle:.3f}, p99 {most:.3f}, {trusted}")


def accuracy(photos: dict[str, Image.Image], title: str, seed: int, rounds: int) -> int:
    """Known movements of each photograph, with none, a quarter and half of it replaced by another one."""
    table = Table(f"registration of {title}: worst error at a corner, px")
    random = np.random.default_rng(seed)
    names = list(photos)
    for with_scale in (False, True):
        for part in (0.0, 0.25, 0.5):
            found = Errors()
            for index, name in enumerate(names * rounds):
                moved = any_movement(random, with_scale=with_scale)
                original = view(photos[name], Movement(0, 0))
                result = redrawn(view(photos[name], moved), random)
                replace_part(result, photos[names[(index + 3) % len(names)]], part, random)
                found.add(original, result, moved, with_scale=with_scale)
            kind = "shift and scale" if with_scale else "shift"
            found.line(table, f"{kind}, {part:.0%} replaced")
    return table.end()


def any_movement(random: np.random.Generator, *, with_scale: bool) -> Movement:
    """Up to 12 px, and up to 3 % where it zooms."""
    zoom = random.uniform(0.97, 1.03, 2) if with_scale else (1.0, 1.0)
    return Movement(*random.uniform(-12, 12, 2), *zoom)


def replace_part(result: torch.Tensor, other: Image.Image, part: float, random: np.random.Generator) -> None:
    """Puts columns of another picture into `result`."""
    height, width = result.shape[:2]
    across = int(width * part)
    left = random.integers(0, width - across + 1)
    result[:, left : left + across] = tensor(other.resize((width, height)))[:, left : left + across]


def repetitions(photos: dict[str, Image.Image], seed: int, rounds: int) -> int:
    """Patterns with periods of 4 to 60 px, whole and with half replaced by a photograph: nothing wrong may be trusted."""
    table = Table("registration of pictures that repeat themselves: worst error at a corner of what was trusted, px")
    random = np.random.default_rng(seed)
    others = list(photos.values())
    for with_scale in (False, True):
        for part in (0.0, 0.5):
            found = Errors()
            for kind in list(KINDS) * rounds:
                moved = any_movement(random, with_scale=with_scale)
                picture = repeating(kind, float(np.exp(random.uniform(np.log(4), np.log(60)))), 640, 480, random)
                result = redrawn(view(picture, moved), random)
                replace_part(result, others[random.integers(len(others))], part, random)
                found.add(view(picture, Movement(0, 0)), result, moved, with_scale=with_scale)
            kind = "shift and scale" if with_scale else "shift"
            found.line(table, f"{kind}, {part:.0%} replaced")
    return table.end()


def unrelated(photos: dict[str, Image.Image]) -> int:
    """Each photograph against each other one."""
    table = Table("registration of unrelated pictures: how many are trusted")
    pairs = [(a, b, scale) for a in photos for b in photos for scale in (False, True) if a != b]
    found = [movement(_square(photos[a]), _square(photos[b]), with_scale=scale) for a, b, scale in pairs]
    share = max(each.share for each in found if each is not None)
    trusted = sum(each is not None and each.is_trusted for each in found)
    table.line("trusted", trusted, 0, "", note=f"of {len(pairs)}; at most {share:.0%} of their parts agree")
    return table.end()


def _square(picture: Image.Image) -> torch.Tensor:
    return tensor(picture.resize((512, 512)))


def seconds(photos: dict[str, Image.Image]) -> int:
    """At 2048x2048: CPU seconds of one thread, and, where nothing else keeps the machine busy, the wall time of two."""
    table = Table("seconds at 2048x2048")
    picture = next(iter(photos.values())).resize((2100, 2100), Image.Resampling.LANCZOS)
    original = tensor(picture.crop((20, 20, 2068, 2068)))
    result = tensor(picture.resize((2048, 2048), Image.Resampling.LANCZOS, box=(13.4, 25.2, 2050, 2070)))
    moved = Movement(6.6, -5.2, 1.005, 1.001)
    works: tuple[tuple[str, Callable[[], object], float], ...] = (
        ("find a shift", lambda: movement(original, result), 0.3),
        ("find shift and scale", lambda: movement(original, result, with_scale=True), 0.8),
        ("move the picture", lambda: put_right(result, original, moved), 0.4),
    )
    for name, work, bar in works:
        cpu, wall = fastest(work)
        table.line(f"{name}, CPU of one thread", cpu, 2 * bar, " s", note=f"best wall {wall:.2f} s")
    load = os.getloadavg()[0]
    if load > QUIET_LOAD:
        print(f"The wall time of two threads isn't measured: the machine is busy (load {load:.0f}).")
        return table.end()
    torch.set_num_threads(2)
    for name, work, bar in works:
        table.line(f"{name}, wall of two threads", fastest(work)[1], bar, " s")
    torch.set_num_threads(1)
    return table.end()


def fastest(work: Callable[[], object], rounds: int = 20, most_seconds: float = 10.0) -> tuple[float, float]:
    """The least CPU seconds and the least wall seconds of some rounds after one to warm up."""
    work()
    cpu: list[float] = []
    wall: list[float] = []
    end = time.perf_counter() + most_seconds
    while len(wall) < rounds and (len(wall) < 3 or time.perf_counter() < end):
        begun, clock = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - begun)
        wall.append(time.perf_counter() - clock)
    return min(cpu), min(wall)


def edited(edit: EditBatch, draw: Callable[[Image.Image], Image.Image]) -> OutputImage:
    """The output of an edit whose model redraws the first reference with `draw`."""
    (request,) = edit.requests
    resolved = negotiate(request, GOOGLE, GOOGLE.models[0])
    sent = Image.fromarray(resolved.references[0]._load())
    task = ImageTask(request.slots()[0], request, resolved={"": resolved})
    task.complete(ResultImage(np.asarray(draw(sent)), "png", lambda: b""), "", "")
    return edit.output(task)


def inverted(sent: Image.Image) -> Image.Image:
    """A model that inverts colours, at the size that 1K has in the reference's ratio."""
    factor = (1024 * 1024 / (sent.width * sent.height)) ** 0.5
    size = (round(sent.width * factor / 16) * 16, round(sent.height * factor / 16) * 16)
    return Image.eval(sent.resize(size, Image.Resampling.LANCZOS), lambda value: 255 - value)


def options(*, only_region: bool, align: str = "off") -> EditOptions:
    return EditOptions("x", Options(), 0, 1, "together", False, True, 0, only_region, 1.5, align)


def sharpness(photos: dict[str, Image.Image]) -> int:
    """A mask of 300 px in 3000x2000: the error of the edited part against the expected picture, whole and as a region."""
    table = Table("a 300 px edit in 3000x2000: error of the whole picture's way over that of a region")
    for name, picture in photos.items():
        frame = tensor(mirrored(picture, 3000, 2000))[None]
        mask = torch.zeros(2000, 3000)
        mask[850:1150, 1350:1650] = 1
        expected = frame[0].clone()
        expected[850:1150, 1350:1650] = 1 - expected[850:1150, 1350:1650]
        errors = []
        for only_region in (False, True):
            out = edited(EditBatch(options(only_region=only_region), {"image_1": frame}, mask), inverted)
            assert torch.equal(out.image[mask == 0], frame[0][mask == 0]), "a px outside the mask has changed"
            errors.append(float(((out.image - expected)[mask == 1] ** 2).mean().sqrt()))
        note = f"{errors[0] * 255:.2f} and {errors[1] * 255:.2f} of 255; no px outside the mask differs"
        table.line(name, errors[0] / errors[1], 4, at_least=True, note=note)
    return table.end()


def mirrored(picture: Image.Image, width: int, height: int) -> Image.Image:
    """A picture of a size with the detail of a photograph: it goes on by its reflection, unscaled."""
    pixels = np.asarray(picture)
    pixels = np.pad(
        pixels, ((0, max(0, height - len(pixels))), (0, max(0, width - pixels.shape[1])), (0, 0)), "reflect"
    )
    return Image.fromarray(np.ascontiguousarray(pixels[:height, :width]))


def memory() -> int:
    """What a region of 8000x6000 takes beyond the input and output tensors, by the resident size of the process."""
    table = Table("a 300 px edit in 8000x6000, 1K")
    frame, mask = torch.rand(1, 6000, 8000, 3), torch.zeros(1, 6000, 8000)
    mask[0, 2000:2300, 3000:3300] = 1
    before = resident()
    peak = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    edit = EditBatch(options(only_region=True, align="shift and scale"), {"image_1": frame}, mask)
    reference = negotiate(edit.requests[0], GOOGLE, GOOGLE.models[0]).references[0]
    reference.encoded("png")
    out = edited(edit, inverted)
    done.set()
    watcher.join()
    beyond = peak[0] - before - sum(each.numel() * each.element_size() for each in (out.image, out.mask))
    table.line("memory beyond the tensors", beyond / 1e6, 150, " MB")
    table.line("pixels sent", reference.width * reference.height / 1024**2, 1.05, " M")
    return table.end()


def resident() -> int:
    """Bytes of the process in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def drift(photos: dict[str, Image.Image], folder: Path) -> None:
    """Writes the pair of an edit without a mask, as returned in size and in line, with its difference to the original."""
    picture = photos["coffee"].resize((1200, 800), Image.Resampling.LANCZOS)
    frame = tensor(picture)[None]

    def draw(sent: Image.Image) -> Image.Image:
        """A model that turns the middle blue and gives everything back moved and zoomed a little."""
        pixels = np.asarray(sent).copy()
        pixels[250:550, 420:780] = pixels[250:550, 420:780, ::-1]
        box = (5.2, 3.1, sent.width - 8.4, sent.height - 7.5)
        return Image.fromarray(pixels).resize((1264, 848), Image.Resampling.LANCZOS, box=box)

    outputs = [
        edited(EditBatch(options(only_region=False, align=align), {"image_1": frame}, None), draw)
        for align in ("off", "shift and scale")
    ]
    folder.mkdir(parents=True, exist_ok=True)
    save(frame[0], folder / "drift-before.jpg")
    save(outputs[1].image, folder / "drift-after.jpg")
    kept = torch.ones(800, 1200, dtype=torch.bool)
    kept[230:570, 400:800] = False
    for name, out in zip(("off", "aligned"), outputs, strict=True):
        difference = (out.image - frame[0]).abs()
        print(f"mean difference of what was kept, {name}: {float(difference[kept].mean()) * 255:.2f} of 255")
        save((difference * 4).clamp(0, 1), folder / f"drift-difference-{name}.jpg")


def save(frame: torch.Tensor, path: Path) -> None:
    Image.fromarray(tensors.pixels(frame)).resize((600, 400), Image.Resampling.LANCZOS).save(path, quality=82)


def tables(photos: dict[str, Image.Image]) -> Iterator[int]:
    others = photographs(OTHERS)
    yield accuracy(photos, "the photographs that its constants were chosen by", 0, 4)
    print()
    yield accuracy(others, "other pictures", 1, 2)
    print()
    yield repetitions(photos, 2, 1)
    print()
    yield unrelated(photos)
    print()
    yield seconds(photos)
    print()
    yield sharpness(photos)
    print()
    yield memory()


def main() -> int:
    # On a busy machine the threads of one process wait for each other.
    torch.set_num_threads(1)
    photos = photographs(SAMPLES)
    if folder := os.environ.get("PICTURES"):
        drift(photos, Path(folder))
        return 0
    return max(tables(photos))


if __name__ == "__main__":
    sys.exit(main())
