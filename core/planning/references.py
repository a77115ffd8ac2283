"""Chooses how reference images travel to a provider: never scaled, lossless unless a limit forbids it.

Lossless WebP where the provider reads it, else PNG; JPEG 95 without chroma subsampling when the graph asks
for it, or, with a notice, when a size limit leaves no other way; then refusal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..errors import Impossible
from ..errors.messages import msg
from ..images.lazy_encoding import encode_lazily
from ..images.parallel import on_all_cores
from ..images.picture import WEBP_SIDE, Encoded, Format, Picture
from ..providers.spec import ProviderSpec


def encode_references(
    pictures: Sequence[Picture], spec: ProviderSpec, reference_format: str = "auto", *, lazily: bool = False
) -> tuple[list[Encoded], list[str]]:
    """The references as files for `spec`, and notices. `reference_format` is auto, lossless or jpeg. Raises Impossible.

    Slow for large pictures: called on a thread of our own. `lazily`: where references are uploaded one by one, and none can
    be too large for the spec whatever is in it, the files are made when they are asked for, so that the first leaves while
    the others are encoded.
    """
    notices: list[str] = []
    if not spec.takes_alpha and any(picture.has_alpha for picture in pictures):
        notices.append(msg("references.provider_takes_no_transparency", provider=spec.label))
    if reference_format == "jpeg" and any(picture.has_alpha for picture in pictures):
        notices.append(msg("references.jpeg_has_no_transparency"))

    encode = partial(_encoded, spec=spec, reference_format=reference_format)
    if lazily and reference_format != "jpeg" and _is_uploaded_and_fits(pictures, spec):
        return encode_lazily(encode, pictures, lambda picture: _lossless(picture, spec)), notices
    files = on_all_cores(encode, pictures)
    for index in _to_shrink(files, spec):
        number = msg("references.number", number=index + 1)
        if reference_format == "lossless":
            raise _too_large(msg("references.lossless_size", number=number, mb=_mb(files[index])), spec)
        if files[index].format != "jpeg" and "jpeg" in spec.reference_formats:
            smaller = pictures[index].encoded("jpeg", flatten=True)
            notices.append(
                msg(
                    "references.sent_as_jpeg",
                    number=number,
                    jpeg_mb=_mb(smaller),
                    lossless_mb=_mb(files[index]),
                    provider=spec.label,
                    limit=_limit(spec),
                )
            )
            files[index] = smaller
    if (
        any(len(file.data) > spec.max_reference_bytes for file in files)
        or _total_bytes(files, spec) > spec.max_request_bytes
    ):
        raise _too_large(msg("references.too_large_even_as_jpeg"), spec)
    return files, notices


def encode_whatever_size(pictures: Sequence[Picture], spec: ProviderSpec, reference_format: str = "auto") -> None:
    """Makes the files that `encode_references` makes first. A picture keeps one file: what has to shrink is not made JPEG yet,
    since the lossless one, whose size decides that, would be made once more then."""
    on_all_cores(partial(_encoded, spec=spec, reference_format=reference_format), pictures)


def _encoded(picture: Picture, spec: ProviderSpec, reference_format: str) -> Encoded:
    format_name = "jpeg" if reference_format == "jpeg" else _lossless(picture, spec)
    return picture.encoded(format_name, flatten=not spec.takes_alpha)


def _is_uploaded_and_fits(pictures: Sequence[Picture], spec: ProviderSpec) -> bool:
    """Whether references go ahead of the request, and fit into the limits of `spec` even where encoding saves nothing."""
    uploads = spec.reference_encoding == "upload" or spec.upload_above > 0
    sizes = [_most_bytes(picture) for picture in pictures]
    return (
        uploads and max(sizes, default=0) <= spec.max_reference_bytes and sum(sizes) * 4 // 3 <= spec.max_request_bytes
    )


def _most_bytes(picture: Picture) -> int:
    """More bytes than a picture has as a lossless file: noise takes a thousandth more than its pixels."""
    return picture.width * picture.height * picture.channels * 21 // 20 + picture.height + (64 << 10)


def _to_shrink(files: Sequence[Encoded], spec: ProviderSpec) -> list[int]:
    """Indexes that have to shrink: those over the limit of one, then the largest until the sum fits."""
    over = [index for index, file in enumerate(files) if len(file.data) > spec.max_reference_bytes]
    total = _total_bytes(files, spec) - sum(_sent_bytes(files[index], spec) for index in over)
    by_size = sorted((i for i in range(len(files)) if i not in over), key=lambda i: -len(files[i].data))
    for index in by_size:
        if total <= spec.max_request_bytes:
            break
        over.append(index)
        total -= _sent_bytes(files[index], spec) * 3 // 4
    return sorted(over)


def _lossless(picture: Picture, spec: ProviderSpec) -> Format:
    readable = max(picture.width, picture.height) <= WEBP_SIDE
    return "webp" if "webp" in spec.reference_formats and readable else "png"


def _sent_bytes(file: Encoded, spec: ProviderSpec) -> int:
    return len(file.data) if spec.reference_encoding in ("multipart", "upload") else (len(file.data) + 2) // 3 * 4


def _total_bytes(files: Sequence[Encoded], spec: ProviderSpec) -> int:
    return sum(_sent_bytes(file, spec) for file in files)


def _limit(spec: ProviderSpec) -> str:
    return msg(
        "references.size_limits",
        max_reference_bytes=spec.max_reference_bytes // 1000000,
        max_request_bytes=spec.max_request_bytes // 1000000,
    )


def _mb(file: Encoded) -> str:
    return f"{len(file.data) / 1_000_000:.1f} MB"


def _too_large(what: str, spec: ProviderSpec) -> Impossible:
    return Impossible(
        msg("references.over_size_limit", what=what, provider=spec.label, limit=_limit(spec)),
        cure=msg("references.scale_down_or_send_fewer"),
    )
