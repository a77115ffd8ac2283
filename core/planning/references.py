"""Chooses how reference images travel to a provider: never scaled, lossless unless a limit forbids it.

Lossless WebP where the row says the provider reads it, else PNG; JPEG 95 without chroma subsampling when the graph asks
for it, or, with a notice, when a size limit leaves no other way; then refusal.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Impossible
from ..images.picture import WEBP_SIDE, Encoded, Format, Picture
from ..providers.spec import Provider


def encode_references(
    pictures: Sequence[Picture], row: Provider, wish: str = "auto"
) -> tuple[list[Encoded], list[str]]:
    """The references as files for `row`, and notices. `wish` is auto, lossless or jpeg. Raises Impossible.

    Slow for large pictures: called on a thread of our own.
    """
    notices: list[str] = []
    flatten = not row.takes_alpha
    if flatten and any(picture.has_alpha for picture in pictures):
        notices.append(f"transparency of the references was laid on white: {row.label} takes none")
    if wish == "jpeg" and any(picture.has_alpha for picture in pictures):
        notices.append("transparency of the references was laid on white: JPEG has none")
    files = [
        picture.encoded("jpeg" if wish == "jpeg" else _lossless(picture, row), flatten=flatten) for picture in pictures
    ]
    for index in _over(files, row):
        number = f"reference {index + 1}"
        if wish == "lossless":
            raise _too_large(f"{number} has {_mb(files[index])} as a lossless file", row)
        if files[index].format != "jpeg" and "jpeg" in row.reads:
            smaller = pictures[index].encoded("jpeg", flatten=True)
            notices.append(
                f"{number} was sent as JPEG (quality 95, 4:4:4, {_mb(smaller)}): its lossless file has {_mb(files[index])}, "
                f"and {row.label} takes up to {_limit(row)}"
            )
            files[index] = smaller
    if (
        any(len(file.data) > row.max_reference_bytes for file in files)
        or _travelling(files, row) > row.max_request_bytes
    ):
        raise _too_large("The references are too large even as JPEG", row)
    return files, notices


def _over(files: Sequence[Encoded], row: Provider) -> list[int]:
    """Indexes that have to shrink: those over the limit of one, then the largest until the sum fits."""
    over = [index for index, file in enumerate(files) if len(file.data) > row.max_reference_bytes]
    total = _travelling(files, row) - sum(_length(files[index], row) for index in over)
    by_size = sorted((i for i in range(len(files)) if i not in over), key=lambda i: -len(files[i].data))
    for index in by_size:
        if total <= row.max_request_bytes:
            break
        over.append(index)
        total -= _length(files[index], row) * 3 // 4
    return sorted(over)


def _lossless(picture: Picture, row: Provider) -> Format:
    readable = max(picture.width, picture.height) <= WEBP_SIDE
    return "webp" if "webp" in row.reads and readable else "png"


def _length(file: Encoded, row: Provider) -> int:
    return len(file.data) if row.references in ("multipart", "upload") else (len(file.data) + 2) // 3 * 4


def _travelling(files: Sequence[Encoded], row: Provider) -> int:
    return sum(_length(file, row) for file in files)


def _limit(row: Provider) -> str:
    return f"{row.max_reference_bytes // 1_000_000} MB a picture and {row.max_request_bytes // 1_000_000} MB in all"


def _mb(file: Encoded) -> str:
    return f"{len(file.data) / 1_000_000:.1f} MB"


def _too_large(what: str, row: Provider) -> Impossible:
    return Impossible(
        f"{what}; {row.label} takes up to {_limit(row)}",
        cure="Scale the images down first, send fewer, or set reference_format to jpeg",
        kind="impossible",
    )
