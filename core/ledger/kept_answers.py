"""Answers that may have been charged and in which no picture could be read, kept so that a newer version can read them.

    unreadable/<call>.answer    a line of JSON (status, headers, the dialect's state, request id), then the body as it came

The caller removes the key from them. One answer is cut to `MAX_ANSWER_BYTES`; the folder holds at most `MAX_FOLDER_BYTES`, and
the oldest answers are deleted first, but none of the order that another one is written for. Methods raise OSError unless
they say otherwise.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import private_files
from ..files.regular_files import open_regular

MAX_ANSWER_BYTES = 320 << 20
"""The longest answer that the transport accepts, because a part of one could not be read again."""
MAX_FOLDER_BYTES = 1 << 30
_ENDING = ".answer"
_MAX_HEAD_BYTES = 1 << 20
_HEADERS = ("content-type", "content-encoding", "retry-after")
"""The headers that reading an answer may need."""


@dataclass(frozen=True)
class KeptAnswer:
    """An HTTP answer as it was received."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    state: dict[str, Any]
    """The state that the dialect needs to parse it."""
    request_id: str = ""


class KeptAnswers:
    """The answers in one folder, by call id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, call: str) -> Path:
        """Where the answer of a call is kept. Raises ValueError for what can't be the id of a call."""
        if not re.fullmatch(r"[\w-]{1,64}", call):
            raise ValueError("not the id of a call")
        return self.folder / f"{call}{_ENDING}"

    def has(self, call: str) -> bool:
        """Whether the answer of a call is here. Raises nothing."""
        return bool(re.fullmatch(r"[\w-]{1,64}", call)) and self.path(call).is_file()

    def name(self, call: str) -> str:
        """The file name of the answer of a call, "" where it is not here. Raises nothing."""
        return self.path(call).name if self.has(call) else ""

    def write(
        self, call: str, answer: KeptAnswer, cleaned: Callable[[bytes], Iterable[bytes]] = lambda body: (body,)
    ) -> Path:
        """Writes an answer, complete or not at all, deletes older ones above the limit, and gives its path.

        `cleaned` removes the secrets from its body, piece by piece.
        """
        private_files.make_folder(self.folder)
        head = {
            "status": answer.status,
            "headers": {name: answer.headers[name] for name in _HEADERS if name in answer.headers},
            "state": answer.state,
            "request_id": answer.request_id,
            "cut": len(answer.body) > MAX_ANSWER_BYTES,
        }
        target = self.path(call)
        with private_files.replacing(target) as file:
            file.write(json.dumps(head).encode() + b"\n")
            remaining = MAX_ANSWER_BYTES
            for piece in cleaned(answer.body):
                file.write(memoryview(piece)[:remaining])
                remaining -= min(remaining, len(piece))
        self._trim(target)
        return target

    def read(self, call: str) -> KeptAnswer | None:
        """The answer of a call; None where there is none, or its file is invalid."""
        try:
            with open_regular(self.path(call), _MAX_HEAD_BYTES + MAX_ANSWER_BYTES) as file:
                found = json.loads(file.readline(_MAX_HEAD_BYTES))
                body = file.read(MAX_ANSWER_BYTES)
            headers = {str(name): str(value) for name, value in dict(found["headers"]).items()}
            state = found["state"]
            if not isinstance(state, dict):
                return None
            return KeptAnswer(int(found["status"]), headers, body, state, str(found.get("request_id", "")))
        except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    def delete(self, call: str) -> None:
        if self.has(call):
            self.path(call).unlink(missing_ok=True)

    def _trim(self, newest: Path) -> None:
        """Deletes the oldest answers while the folder is too large; never the newest one, nor others of its order.

        Raises OSError where those alone are too large: the newest one is not kept then.
        """
        order = newest.stem.rpartition("-")[0]
        files: list[tuple[float, int, Path]] = []
        for file in self.folder.glob(f"*{_ENDING}"):
            try:
                facts = file.stat()
            except FileNotFoundError:
                continue
            files.append((facts.st_mtime, facts.st_size, file))
        total = sum(size for _, size, _ in files)
        for _, size, file in sorted(files):
            if total <= MAX_FOLDER_BYTES:
                return
            if file != newest and not (order and file.stem.startswith(f"{order}-")):
                file.unlink(missing_ok=True)
                total -= size
        if total > MAX_FOLDER_BYTES and order:
            newest.unlink(missing_ok=True)
            raise OSError(errno.ENOSPC, "The answers of this order take all the room that there is for answers")
