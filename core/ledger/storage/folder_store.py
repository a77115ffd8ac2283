"""Keeps files in a folder: of this machine, or of a drive that several machines share."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...files import private_files
from ...files.regular_files import read_regular
from .object_store import ResultsStore


class FolderStore(ResultsStore):
    """The files of one folder; a key is the path below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_new(self) -> bool:
        return not self.folder.exists()

    def path(self, key: str) -> Path:
        return self.folder / key

    @property
    def place(self) -> str:
        return str(self.folder)

    def put(self, key: str, data: bytes) -> None:
        self.put_soon(key, data, sync=True)

    def put_soon(self, key: str, data: bytes, *, sync: bool = False) -> None:
        file = self.path(key)
        private_files.make_folder(file.parent)
        with private_files.replacing(file, sync=sync) as stream:
            stream.write(data)

    def get(self, key: str, most: int) -> bytes:
        return read_regular(self.path(key), most)

    def exists(self, key: str) -> bool:
        return self.path(key).is_file()

    def list_in(self, folder: str, beginning: str = "") -> dict[str, int]:
        found = {}
        for file in sorted(self.path(folder).glob(f"{beginning}*")):
            try:
                found[f"{folder}/{file.name}"] = file.stat().st_size if file.is_file() else -1
            except FileNotFoundError:
                continue
        return found

    def folders(self) -> list[str]:
        return sorted(file.name for file in self.folder.glob("*") if file.is_dir())

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    def touch(self, key: str) -> None:
        os.utime(self.path(key))

    def take(self, file: Path, key: str) -> None:
        target = self.path(key)
        private_files.make_folder(target.parent)
        try:
            os.replace(file, target)
        except FileNotFoundError:
            pass
