"""Request bodies as lists of parts, streamed.

A picture never goes through json.dumps and is never copied into one large string: it is turned into base64 in pieces
while the body is sent, so that neither memory nor the interpreter is held by it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..images.file_data import FileData, pieces
from ..images.picture import Encoded

CHUNK = 192 * 1024
"""Bytes of a picture per piece, a multiple of 3: 256 KiB of base64, a few ms of the interpreter."""


@dataclass(frozen=True)
class Base64:
    """The bytes of a picture as base64 text."""

    data: FileData

    def __len__(self) -> int:
        return (len(self.data) + 2) // 3 * 4

    def __iter__(self) -> Iterator[bytes]:
        return map(base64.b64encode, pieces(self.data, CHUNK))


@dataclass(frozen=True)
class Raw:
    """Bytes as they are."""

    data: FileData

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        return pieces(self.data, CHUNK)


@dataclass(frozen=True)
class FileBytes:
    """A file on disk, read while it is sent. It must not change meanwhile."""

    path: Path
    size: int

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece


Part = Base64 | Raw | FileBytes


@dataclass(frozen=True)
class Body:
    """A request body: its parts, its length and its content type. May be iterated any number of times."""

    parts: tuple[Part, ...]
    content_type: str

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for part in self.parts:
            yield from part


@dataclass(frozen=True)
class Inline:
    """Stands in a JSON value for a picture as a string: `prefix` and then base64."""

    picture: Encoded
    data_uri: bool = True

    @property
    def prefix(self) -> str:
        return f"data:{self.picture.mime};base64," if self.data_uri else ""


def json_body(value: Any) -> Body:
    """`value` as JSON, with every `Inline` in it streamed."""
    parts: list[Part] = []
    text: list[str] = []

    def write(node: Any) -> None:
        if isinstance(node, Inline):
            text.append(f'"{node.prefix}')
            parts.append(Raw("".join(text).encode()))
            text.clear()
            parts.append(Base64(node.picture.data))
            text.append('"')
        elif isinstance(node, Mapping):
            text.append("{")
            for index, (key, item) in enumerate(node.items()):
                text.append(("," if index else "") + json.dumps(key) + ":")
                write(item)
            text.append("}")
        elif isinstance(node, Sequence) and not isinstance(node, str):
            text.append("[")
            for index, item in enumerate(node):
                text.append("," if index else "")
                write(item)
            text.append("]")
        else:
            text.append(json.dumps(node, allow_nan=False))

    write(value)
    parts.append(Raw("".join(text).encode()))
    return Body(tuple(parts), "application/json")


def multipart_body(fields: Sequence[tuple[str, str | Encoded]]) -> Body:
    """`multipart/form-data` with text fields and picture files, in order; names may repeat."""
    boundary = "----nano-banana-" + _digest(fields)
    parts: list[Part] = []
    files = 0
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, Encoded):
            filename = f"image_{files}.{value.name.rsplit('.', 1)[1]}"
            files += 1
            parts.append(Raw(f'{head}; filename="{filename}"\r\nContent-Type: {value.mime}\r\n\r\n'.encode()))
            parts.append(Raw(value.data))
            parts.append(Raw(b"\r\n"))
        else:
            parts.append(Raw(f"{head}\r\n\r\n{value}\r\n".encode("utf-8", "replace")))
    parts.append(Raw(f"--{boundary}--\r\n".encode()))
    return Body(tuple(parts), f"multipart/form-data; boundary={boundary}")


def _digest(fields: Sequence[tuple[str, str | Encoded]]) -> str:
    """A boundary that can't be in the body by accident, nor by intention: it depends on all of it."""
    digest = hashlib.sha256()
    for name, value in fields:
        digest.update(name.encode() + b"\0")
        for piece in Raw(value.data if isinstance(value, Encoded) else value.encode("utf-8", "replace")):
            digest.update(piece)
    return digest.hexdigest()[:32]
