"""Local edits and alignment on real photographs: errors of registration, sharpness, seconds and memory.

Run by `python3 dev.py bench local_edits`. The photographs are scikit-image's samples where it is installed, else the
pictures of the folder that the variable PHOTOS names; nothing of them is shipped. With the variable PICTURES the pair of
docs/local-edits.md is written into that folder.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
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
from pack.nodes.align import Movement, movement, put_right
from pack.nodes.edit_batch import EditBatch, EditOptions
from pack.nodes.output_image import OutputImage
from pack.tests.moved_pictures import error_at_corners, moved_view, tensor
from PIL import Image

SAMPLES = ("astronaut", "chelsea", "coffee", "rocket", "retina", "hubble_deep_field")
GOOGLE = BUILT_IN["google"]
MAX_ERROR = 0.25


def photographs() -> dict[str, Image.Image]:
    """The photographs by name. Raises SystemExit where there are none."""
    folder = os.environ.get("PHOTOS")
    if folder:
        return {path.stem: Image.open(path).convert("RGB") for path in sorted(Path(folder).iterdir())}
    try:
        from skimage import data
    except ImportError:
        raise SystemExit("install scikit-image, or name a folder with photographs in the variable PHOTOS") from None
    return {name: Image.fromarray(getattr(data, name)()) for name in SAMPLES}


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


def accuracy(photos: dict[str, Image.Image]) -> int:
    """Known movements of each photograph, with none, a quarter and half of it replaced by another one."""
    table = Table("registration: worst error at a corner over all photographs, px")
    random = np.random.default_rng(0)
    names = list(photos)
    for with_scale in (False, True):
        for part in (0.0, 0.25, 0.5):
            errors, trust = [], []
            for index, name in enumerate(names * 4):
                zoom = random.uniform(0.97, 1.03, 2) if with_scale else (1.0, 1.0)
                moved = Movement(*random.uniform(-12, 12, 2), *zoom)
                original = view(photos[name], Movement(0, 0))
                result = redrawn(view(photos[name], moved), random)
                height, width = original.shape[:2]
                other = photos[names[(index + 3) % len(names)]].resize((width, height))
                across = int(width * part)
                left = random.integers(0, width - across + 1)
                result[:, left : left + across] = tensor(other)[:, left : left + across]
                found = movement(original, result, with_scale=with_scale)
                trust.append(found is not None and found.is_trusted)
                if found is not None and found.is_trusted:
                    errors.append(error_at_corners(found, moved, width, height))
            kind = "shift and scale" if with_scale else "shift"
            note = f"median {np.median(errors):.3f}, trusted {sum(trust)} of {len(trust)}"
            table.line(f"{kind}, {part:.0%} replaced", max(errors), MAX_ERROR, " px", note=note)
    shares = [
        found.share if (found := movement(_square(photos[a]), _square(photos[b]), with_scale=scale)) else 0.0
        for a in names
        for b in names
        for scale in (False, True)
        if a != b
    ]
    table.line("unrelated pictures: largest share of votes", max(shares), 0.2, "", note=f"{len(shares)} pairs")
    return table.end()


def _square(picture: Image.Image) -> torch.Tensor:
    return tensor(picture.resize((512, 512)))


def seconds(photos: dict[str, Image.Image]) -> int:
    """At 2048x2048 with two threads; CPU seconds, as a busy machine changes the others."""
    torch.set_num_threads(2)
    table = Table("seconds of CPU at 2048x2048 on two threads")
    picture = next(iter(photos.values())).resize((2100, 2100), Image.Resampling.LANCZOS)
    original = tensor(picture.crop((20, 20, 2068, 2068)))
    result = tensor(picture.resize((2048, 2048), Image.Resampling.LANCZOS, box=(13.4, 25.2, 2050, 2070)))
    moved = Movement(6.6, -5.2, 1.005, 1.001)
    works: tuple[tuple[str, Callable[[], object], float], ...] = (
        ("find a shift", lambda: movement(original, result), 0.6),
        ("find shift and scale", lambda: movement(original, result, with_scale=True), 1.6),
        ("move the picture", lambda: put_right(result, original, moved), 0.8),
    )
    for name, work, bar in works:
        work()
        times = []
        for _ in range(3):
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
        table.line(name, min(times), bar, " s", note="twice the bar of a quiet machine with two cores")
    return table.end()


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
    yield accuracy(photos)
    print()
    yield seconds(photos)
    print()
    yield sharpness(photos)
    print()
    yield memory()


def main() -> int:
    photos = photographs()
    if folder := os.environ.get("PICTURES"):
        drift(photos, Path(folder))
        return 0
    return max(tables(photos))


if __name__ == "__main__":
    sys.exit(main())
