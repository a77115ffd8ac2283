"""Gets the pinned ComfyUI source tree: downloads the source distribution, checks it, unpacks one folder of it.

Refuses an archive with another SHA-256, and any entry of the folder that is a link or a device or would land outside
of it. The tree appears under its name only when it is complete. Called by `environment.py`.
"""

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from . import pins
from .cache import write_whole
from .pip import Pip
from .progress import Progress
from .user_error import UserError

LARGEST = 1_000_000_000
"""Bytes the unpacked folder may have; the real one has about 45 million."""


def install(cache: Path) -> Path:
    """Where the tree is once it is there."""
    return cache / f"comfyui-{pins.COMFYUI}-{pins.SOURCE_SHA256[:10]}" / "ComfyUI"


def checksum(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def inside(name: str, subtree: str) -> PurePosixPath | None:
    """The path of an archive entry below the subtree, None if not in it. Raises UserError for one that climbs out."""
    if not name.startswith(subtree + "/"):
        return None
    rest = name[len(subtree) + 1 :].rstrip("/")
    parts = rest.split("/")
    if rest and (any(part in ("", ".", "..") for part in parts) or any(mark in rest for mark in "\\:\0")):
        raise UserError(f"The archive of ComfyUI holds an unsafe path ({name!r}): nothing was unpacked, don't use it.")
    return PurePosixPath(rest)


def extract(archive: Path, subtree: str, target: Path) -> int:
    """Unpacks one folder of a tar archive into `target`, which must not exist. Returns the number of files.

    Raises UserError, with nothing left behind, for links, devices and paths out of the folder.
    """
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    count = total = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for entry in tar:
                path = inside(entry.name, subtree)
                if path is None:
                    continue
                here = partial.joinpath(*path.parts)
                if entry.isdir():
                    here.mkdir(parents=True, exist_ok=True)
                    continue
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise UserError(
                        f"The archive of ComfyUI holds a link or device ({entry.name!r}): nothing was unpacked."
                    )
                total += entry.size
                if total > LARGEST:
                    raise UserError("The archive of ComfyUI is far larger than it should be: nothing was unpacked.")
                here.parent.mkdir(parents=True, exist_ok=True)
                with content, here.open("xb") as file:
                    shutil.copyfileobj(content, file)
                here.chmod(0o755 if entry.mode & 0o100 else 0o644)
                count += 1
        if not count:
            raise UserError(f"The archive of ComfyUI has no {subtree}: nothing was unpacked.")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(partial, target)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"The archive of ComfyUI is broken ({error}): run the same command again.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def fetch(cache: Path, pip: Pip, progress: Progress) -> Path:
    """The tree's folder; fetched if it isn't there. Raises UserError."""
    tree = install(cache)
    if (tree / "main.py").is_file():
        return tree
    archive = _downloaded(cache, pip)
    progress.now("unpacking")
    progress.note(f"    {extract(archive, pins.SOURCE_SUBTREE, tree)} files")
    archive.unlink()
    return tree


def _downloaded(cache: Path, pip: Pip) -> Path:
    """The checked archive. pip compares the checksum too, before it runs anything of what it got."""
    folder = cache / "downloads"
    for found in folder.glob("*.tar.gz"):
        if checksum(found) == pins.SOURCE_SHA256:
            return found
    partial = cache / f"downloads.{os.getpid()}.partial"
    wanted = partial / "source.txt"
    try:
        write_whole(wanted, f"{pins.SOURCE} --hash=sha256:{pins.SOURCE_SHA256}\n")
        pip.download(
            *("--no-deps", "--no-binary", ":all:", "--ignore-requires-python", "--require-hashes"),
            *("-d", str(partial), "-r", str(wanted)),
        )
        for found in partial.glob("*.tar.gz"):
            if checksum(found) != pins.SOURCE_SHA256:
                raise UserError(
                    f"{found.name} isn't the pinned file (its SHA-256 differs): it was thrown away, try again."
                )
            folder.mkdir(exist_ok=True)
            return Path(shutil.move(str(found), str(folder / found.name)))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    raise UserError(f"pip brought no source archive of {pins.SOURCE}: run the same command again.")
