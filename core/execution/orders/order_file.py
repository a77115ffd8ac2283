"""The requests of an order on disk: one line each, so that the references of a thousand pictures need no memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ...dialects.batch import gemini as gemini_batch
from ...errors import LedgerFailed
from ...errors.messages import msg
from ...files import private_files
from ...http.body import Body, FileBytes
from ...http.transport import ANSWER_BYTES
from ...ledger.types import ledger_failed


class OrderFile:
    """The file of one order; also where its answers are put while they are read."""

    def __init__(self, folder: Path, order: str) -> None:
        self._folder = folder
        self.requests, self.answers = folder / f"{order}.requests", folder / f"{order}.answers"
        self._keys: list[str] = []
        self.size = 0
        """Bytes of the requests."""

    def write(self, requests: Iterable[tuple[str, Body]]) -> None:
        """Writes the requests, each with its key. Raises LedgerFailed, and what `requests` raises."""
        try:
            private_files.make_folder(self._folder)
            with private_files.replacing(self.requests) as file:
                for key, body in requests:
                    self._keys.append(key)
                    for piece in gemini_batch.file_line(key, body):
                        self.size += file.write(piece)
        except OSError as error:
            raise self._not_writable(error) from None

    @property
    def count(self) -> int:
        return len(self._keys)

    def whole(self) -> FileBytes:
        """All of it, as the body of an upload."""
        return FileBytes(self.requests, self.size)

    def lines(self) -> list[tuple[str, bytes]]:
        """Key and JSON of each request. Raises LedgerFailed."""
        try:
            with self.requests.open("rb") as file:
                pairs = zip(self._keys, file, strict=True)
                return [(key, gemini_batch.request_of_line(key, line)) for key, line in pairs]
        except OSError as error:
            raise self._not_writable(error) from None

    def answer_lines(self) -> Iterator[tuple[int, int, bytes | None]]:
        """Place, bytes and text of each line of the answers; None for one that is longer than any answer. Raises OSError."""
        with self.answers.open("rb") as lines:
            start = 0
            while line := lines.readline(ANSWER_BYTES):
                end, size = line, len(line)
                while not end.endswith(b"\n") and (end := lines.readline(ANSWER_BYTES)):
                    size += len(end)
                if line.strip():
                    yield start, size, line if size == len(line) else None
                start += size

    def read_answer(self, start: int, size: int) -> bytes:
        """A line of the answers, or as much of it as is kept of an answer. Raises OSError."""
        with self.answers.open("rb") as lines:
            lines.seek(start)
            return lines.read(min(size, ANSWER_BYTES))

    def delete(self, *, keep_answers: bool = False) -> None:
        for file in (self.requests, *(() if keep_answers else (self.answers,))):
            try:
                file.unlink(missing_ok=True)
            except OSError:
                pass  # an open file on Windows: the next start deletes it

    def _not_writable(self, error: OSError) -> LedgerFailed:
        return ledger_failed(msg("call_steps.folder_not_writable", folder=self._folder, error=error.strerror or error))
