"""Converts IMAGE and MASK tensors to pixels and back.

IMAGE is [B, H, W, C] with C 3 or 4, MASK [B, H, W] or [H, W]; any float dtype, any device, values 0..1. All operations
are out of place: the host runs nodes in inference mode, and these functions run on other threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

import numpy as np
import torch
from PIL import Image

from ..core.errors import InvalidInput
from ..core.errors.messages import msg
from ..core.images.picture import Picture, Pixels

_STRIP = 1 << 17
"""Values converted at a time: 512 KB of floats, which stay in a core's cache."""
_TRANSFER = 3 << 20
"""Values fetched from another device at a time."""
_OVERSHOOT = 1.5
"""Values up to here are taken for those of a picture in 0..1."""
_SAMPLED = 64
"""Rows and columns of a frame in which its values are looked at, at least."""
_MUCH_MORE = 4
"""A result that would be this many times the wanted area before it is cut is enlarged only where it is seen."""


def frames(images: torch.Tensor, name: str) -> list[torch.Tensor]:
    """The frames [H, W, C] of a batch, as views. Raises InvalidInput for what is no IMAGE."""
    if not _is_plain(images) or images.ndim not in (3, 4) or not images.is_floating_point():
        raise InvalidInput(msg("tensors.not_an_image", name=name), cure=msg("tensors.connect_image_output"))
    batch = images if images.ndim == 4 else images.unsqueeze(0)
    if batch.shape[0] == 0:
        raise InvalidInput(msg("tensors.no_frames", name=name), cure=msg("tensors.check_empty_batch"))
    if batch.shape[-1] == 1:
        batch = batch.expand(*batch.shape[:-1], 3)
    if batch.shape[-1] not in (3, 4) or 0 in batch.shape:
        shape = "x".join(str(side) for side in images.shape)
        raise InvalidInput(
            msg("tensors.wrong_image_shape", name=name, shape=shape),
            cure=msg("tensors.convert_to_rgb"),
        )
    return list(batch)


def _is_plain(value: Any) -> TypeGuard[torch.Tensor]:
    """Whether a value is a tensor whose numbers are adjacent in memory: sparse, nested, quantized and complex ones are not, and
    those of the device `meta` have no numbers at all."""
    if not isinstance(value, torch.Tensor) or value.is_nested or value.is_quantized or value.is_complex():
        return False
    return value.layout == torch.strided and not value.is_meta


def picture(frame: torch.Tensor, name: str) -> Picture:
    """A handle on a frame; its pixels are made when they are needed."""
    height, width, channels = frame.shape
    return Picture(lambda: pixels(frame, name), int(width), int(height), int(channels))


def check_finite(frame: torch.Tensor, name: str) -> None:
    """Raises InvalidInput when a frame [H, W, C] holds NaN or infinity."""
    for _, values in _float_strips(frame):
        _check_strip(values, name)


def value_notices(frames: Sequence[torch.Tensor], name: str) -> list[str]:
    """A notice where frames [H, W, C] of an input hold values far above 1, which `pixels` makes 1: most likely 0 to 255.

    A grid of values of each frame is looked at, so a batch of 4K pictures takes no time; a little more than 1, as sharpening
    and upscaling give, is usual.
    """
    most = max(map(_sampled_maximum, frames), default=0.0)
    if not (_OVERSHOOT < most < math.inf):
        return []
    most = max(float(values.max()) for frame in frames for _, values in _float_strips(frame))
    return [msg("tensors.values_above_one", name=name, most=f"{most:.6g}")] if math.isfinite(most) else []


def _sampled_maximum(frame: torch.Tensor) -> float:
    """The largest value of a grid in a frame [H, W, C]; NaN where one of them is."""
    height, width = frame.shape[:2]
    grid = frame.detach()[:: max(1, height // _SAMPLED), :: max(1, width // _SAMPLED)]
    return float(grid.to(torch.float32).max())


def _check_strip(values: np.ndarray, name: str) -> None:
    # One pass for the usual case: the sum is finite unless a value isn't.
    with np.errstate(all="ignore"):
        if not np.isfinite(values.sum()) and not np.isfinite(values).all():
            raise InvalidInput(
                msg("tensors.image_has_nan", name=name),
                cure=msg("tensors.check_source_node_vae"),
            )


def pixels(frame: torch.Tensor, name: str = "the image") -> Pixels:
    """A frame [H, W, C] as uint8, clamped and rounded. Raises InvalidInput when it holds NaN or infinity.

    By numpy, one strip after the other: torch would share each step among its threads, and those that wait for the next
    one keep a core busy for longer than all of this takes.
    """
    height, width, channels = frame.shape
    out = np.empty((height, width, channels), np.uint8)
    scaled = np.empty((_rows(width * channels), width, channels), np.float32)
    for rows, values in _float_strips(frame):
        part = scaled[: len(values)]
        with np.errstate(all="ignore"):
            np.multiply(values, np.float32(255), out=part)
        _check_strip(part, name)
        np.rint(part, out=part)
        np.clip(part, 0, 255, out=part)
        out[rows] = part
    return out


def _float_strips(frame: torch.Tensor) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows of a frame [H, W, C] as float32, some at a time, and which they are."""
    values = frame.detach()
    height, width, channels = values.shape
    rows = _rows(width * channels)
    fetched = height if values.device.type == "cpu" else max(rows, _TRANSFER // (width * channels))
    for first in range(0, height, fetched):
        part = values[first : first + fetched]
        if values.device.type != "cpu":
            part = part.to(device="cpu", dtype=torch.float32)
        for top in range(0, len(part), rows):
            strip = part[top : top + rows]
            yield slice(first + top, first + top + len(strip)), strip.to(torch.float32).resolve_neg().numpy()


def image(data: Pixels) -> torch.Tensor:
    """RGB pixels as a float32 frame [H, W, 3]."""
    height, width = data.shape[:2]
    out = np.empty((height, width, 3), np.float32)
    for strip in _strips(height, width, 3):
        np.divide(data[strip, :, :3], np.float32(255), out=out[strip])
    return torch.from_numpy(out)


def transparency(data: Pixels) -> torch.Tensor:
    """The MASK [H, W] of a picture: 1 - alpha, zeros where it has none."""
    height, width, channels = data.shape
    out = np.zeros((height, width), np.float32)
    for strip in _strips(height, width, 1) if channels == 4 else ():
        np.divide(data[strip, :, 3], np.float32(255), out=out[strip])
        np.subtract(np.float32(1), out[strip], out=out[strip])
    return torch.from_numpy(out)


def _strips(height: int, width: int, channels: int) -> Iterator[slice]:
    """The rows of a picture, some at a time."""
    rows = _rows(width * channels)
    return (slice(top, top + rows) for top in range(0, height, rows))


def _rows(values: int) -> int:
    """How many rows are converted at a time; `values`: how many numbers a row has."""
    return max(1, _STRIP // values)


def batches(items: list[torch.Tensor], device: torch.device, dtype: torch.dtype) -> list[torch.Tensor]:
    """One batch when all items share a size, else a batch of one for each. A single item isn't copied.

    Empties `items`: an item is let go as soon as it is in the batch, so that a long batch is not in memory twice.
    """
    if len(items) < 2 or len({tuple(item.shape) for item in items}) > 1:
        alone = [item.to(device=device, dtype=dtype).unsqueeze(0) for item in items]
        items.clear()
        return alone
    batch = torch.empty((len(items), *items[0].shape), device=device, dtype=dtype)
    items.reverse()
    for number in range(len(items)):
        batch[number] = items.pop()
    return [batch]


def masks(mask: torch.Tensor) -> list[torch.Tensor]:
    """The masks [H, W] of a MASK, as float32 on the CPU. Raises InvalidInput for what is no MASK.

    [B, 1, H, W], as masks of latents are, is taken, too.
    """
    if not _is_plain(mask) or mask.ndim not in (2, 3, 4):
        raise InvalidInput(msg("tensors.not_a_mask"), cure=msg("tensors.connect_mask_output"))
    if mask.shape[0] == 0 and mask.ndim > 2:
        raise InvalidInput(msg("tensors.mask_has_no_frames"), cure=msg("tensors.check_empty_batch"))
    if mask.ndim == 4 and mask.shape[1] == 1:
        mask = mask[:, 0]
    if mask.ndim == 4 or 0 in mask.shape:
        raise InvalidInput(msg("tensors.not_a_mask"), cure=msg("tensors.connect_mask_output"))
    batch = (mask if mask.ndim == 3 else mask.unsqueeze(0)).detach().cpu().float()
    least, most = (float(value) for value in torch.aminmax(batch))  # NaN where one value is
    if not (math.isfinite(least) and math.isfinite(most)):
        raise InvalidInput(msg("tensors.mask_has_nan"), cure=msg("tensors.check_source_node"))
    # A copy of a large mask takes as much memory again.
    return list(batch if least >= 0 and most <= 1 else batch.clamp(0, 1))


def fitted_mask(mask: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """A mask [H, W] brought to a size by nearest neighbour."""
    if tuple(mask.shape) == (height, width):
        return mask
    return torch.nn.functional.interpolate(mask[None, None], size=(height, width), mode="nearest")[0, 0]


def covering(result: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """A frame [H, W, C] scaled to cover a size and cut to its centre."""
    have_height, have_width = result.shape[:2]
    if (have_width, have_height) == (width, height):
        return result
    factor, size = _covering_size(result, width, height)
    if factor < 1:
        return _middle(_reduced(result, size), width, height).clamp(0, 1)
    # torch's own enlargement repeats the first value of a frame one px wide.
    if size[0] * size[1] > _MUCH_MORE * width * height or 1 in (have_height, have_width):
        first = ((size[0] - height) // 2, (size[1] - width) // 2)
        return _part_enlarged(result, size, first, (height, width)).clamp(0, 1)
    moved = result.movedim(-1, 0)[None]
    scaled = torch.nn.functional.interpolate(moved, size=size, mode="bicubic", antialias=True, align_corners=False)
    return _middle(scaled[0].movedim(0, -1), width, height).clamp(0, 1)


def covering_part(result: torch.Tensor, width: int, height: int, part: tuple[int, int, int, int]) -> torch.Tensor:
    """A box (left, top, width, height) of what `covering` makes of a frame [H, W, C], without making the rest of it."""
    left, top, part_width, part_height = part
    if (part_width, part_height) == (width, height):
        return covering(result, width, height)
    factor, size = _covering_size(result, width, height)
    first = ((size[0] - height) // 2 + top, (size[1] - width) // 2 + left)
    if factor >= 1:
        return _part_enlarged(result, size, first, (part_height, part_width)).clamp(0, 1)
    ends = (first[0] + part_height, first[1] + part_width)
    across, down = result.shape[1] / size[1], result.shape[0] / size[0]
    box = (first[1] * across, first[0] * down, ends[1] * across, ends[0] * down)
    return _reduced(result, (part_height, part_width), box).clamp(0, 1)


def _covering_size(frame: torch.Tensor, width: int, height: int) -> tuple[float, tuple[int, int]]:
    """The factor at which a frame [H, W, C] covers a size, and its size (height, width) then."""
    have_height, have_width = frame.shape[:2]
    factor = max(width / have_width, height / have_height)
    return factor, (max(height, round(have_height * factor)), max(width, round(have_width * factor)))


def _middle(frame: torch.Tensor, width: int, height: int) -> torch.Tensor:
    top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
    return frame[top : top + height, left : left + width]


def _part_enlarged(
    frame: torch.Tensor, size: tuple[int, int], first: tuple[int, int], part: tuple[int, int]
) -> torch.Tensor:
    """A part (height, width) that begins at `first` (top, left) of a frame [H, W, C] enlarged to a size (height, width).

    All of a narrow frame would take gigabytes.
    """
    sides = [
        (torch.arange(part[side], dtype=torch.float64) + first[side] + 0.5) * frame.shape[side] / size[side] - 0.5
        for side in (0, 1)
    ]
    # The side of which less is left first, because it becomes shorter.
    for side in (0, 1) if size[0] * part[1] > size[1] * part[0] else (1, 0):
        frame = resampled(frame, side, sides[side])
    return frame


def _reduced(
    frame: torch.Tensor, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> torch.Tensor:
    """A frame [H, W, C], or a box of it (left, top, right, bottom), at a smaller size (height, width).

    By Lanczos' window: torch's filters lose fine detail here.
    """
    planes = [Image.fromarray(plane.contiguous().numpy()) for plane in frame.unbind(-1)]
    smaller = [np.asarray(plane.resize(size[::-1], Image.Resampling.LANCZOS, box)) for plane in planes]
    return torch.from_numpy(np.stack(smaller, -1))


def resampled(picture: torch.Tensor, side: int, positions: torch.Tensor) -> torch.Tensor:
    """A picture [H, W, C] read along one of its sides at fractional positions, by cubic convolution (Keys, 1981)."""
    first = positions.floor()
    f = (positions - first).float()
    weights = (
        ((-0.5 * f + 1.0) * f - 0.5) * f,
        (1.5 * f - 2.5) * f * f + 1.0,
        ((-1.5 * f + 2.0) * f + 0.5) * f,
        (0.5 * f - 0.5) * f * f,
    )
    shape = [1, 1, 1]
    shape[side] = len(positions)
    lengths = list(picture.shape)
    lengths[side] = len(positions)
    total = picture.new_zeros(lengths)
    for offset, weight in enumerate(weights, -1):
        index = (first.long() + offset).clamp_(0, picture.shape[side] - 1)
        total.addcmul_(picture.index_select(side, index), weight.reshape(shape))
    return total


def keep_outside(result: torch.Tensor, original: torch.Tensor, mask: torch.Tensor, feather: int) -> torch.Tensor:
    """`result` where the mask allows, `original` elsewhere; both [H, W, 3], the mask [H, W].

    Where the mask is 0 the value of `original` is kept bit for bit. `feather` px fade inside the painted region only.
    """
    return mixed(result, original, mask, weights(mask, feather))


def weights(mask: torch.Tensor, feather: int) -> torch.Tensor:
    """How much of a result shows at each px of a mask [H, W]: nothing where it is 0, fading over `feather` px inwards."""
    return mask if feather <= 0 else mask * _inward(mask, feather)


def mixed(result: torch.Tensor, original: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`original` with as much of `result` as `weight` says, both [H, W, C]; its very values where the mask is 0."""
    blend = torch.lerp(original, result, weight.unsqueeze(-1))
    return torch.where((mask == 0).unsqueeze(-1), original, blend)


def _inward(mask: torch.Tensor, feather: int) -> torch.Tensor:
    """A ramp from the edge of the painted region inwards: 0 outside, 1 from `feather` px on."""
    from scipy.ndimage import distance_transform_edt

    painted = (mask > 0).numpy()
    rows, columns = np.flatnonzero(painted.any(1)), np.flatnonzero(painted.any(0))
    ramp = np.ones(painted.shape, np.float32)
    if len(rows) == 0 or bool(painted.all()):
        return torch.from_numpy(ramp)
    # Only the neighbourhood of the painted region matters: the transform is slow on large pictures.
    window = (slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2))
    distance = distance_transform_edt(painted[window])
    ramp[window] = np.minimum(distance / (feather + 1.0), 1.0)
    return torch.from_numpy(ramp)


def grey_picture(mask: torch.Tensor) -> Pixels:
    """A mask as a black and white picture, white where it may change."""
    values = (mask.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return np.repeat(values[..., None], 3, axis=2)
