"""What the journal knows, for a person: lists, the graph behind a picture, sums of money, export, forgetting."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, func, or_, select

from . import queries, workflows
from .journal import Journal
from .rebuild import reindex
from .schema import graph, picture, result
from .types import OPEN_STATES, dollars

GROUPS = ("day", "provider", "profile", "project")


@dataclass(frozen=True)
class HistoryEntry:
    """A picture that was asked for."""

    uid: str
    state: str
    provider: str
    model: str
    profile: str
    project: str
    operation: str
    prompt: str
    text: str
    usd: float
    """What it counts as."""
    exact: bool
    """Whether the provider has said so."""
    created: float
    """Unix time."""
    attempts: int
    reason: str
    request_id: str
    task: str
    running: bool
    """Whether a call is on it right now."""
    file: str
    """Name of its bytes, "" when they are not here."""
    role: str
    """"extra" for a picture that came beside one that was asked for."""
    answer: str
    """File name of its kept answer, in which no picture could be read; "" when there is none."""


class History:
    """Reads and tidies one journal. Every method may raise LedgerFailed."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._database, self._results = journal, journal.database, journal.results

    def pictures(
        self, query: str = "", *, states: Sequence[str] = (), since: float = 0.0, limit: int = 100, before: str = ""
    ) -> list[HistoryEntry]:
        """The newest first. `query` looks into prompts, providers and models; `before` is the uid that a page ended with."""
        wanted = select(picture).where(picture.c.fingerprint != "", picture.c.created >= since)
        if query:
            words = [
                column.icontains(query, autoescape=True)
                for column in (picture.c.prompt, picture.c.provider, picture.c.model)
            ]
            wanted = wanted.where(or_(*words))
        if states:
            wanted = wanted.where(picture.c.state.in_(list(states)))
        if self._journal.is_empty:
            return []
        with self._database.read() as connection:
            last = queries.by_uids(connection, [before]) if before else []
            for row in last:
                older = (picture.c.created == row.created) & (picture.c.uid < row.uid)
                wanted = wanted.where(or_(picture.c.created < row.created, older))
            found = connection.execute(
                wanted.order_by(picture.c.created.desc(), picture.c.uid.desc()).limit(limit)
            ).all()
        return [self._shown(row) for row in found]

    def picture(self, uid: str) -> HistoryEntry | None:
        """One picture, or None when there is none, or it was forgotten."""
        if self._journal.is_empty:
            return None
        with self._database.read() as connection:
            found = [row for row in queries.by_uids(connection, [uid]) if row.fingerprint]
        return self._shown(found[0]) if found else None

    def read(self, shown: HistoryEntry) -> bytes:
        """Its bytes. Raises FileNotFoundError, or Spoiled when they are damaged."""
        return self._results.read(shown.file, shown.uid)

    def graph(self, uid: str) -> dict[str, Any] | None:
        """The workflow that asked for a picture: {"workflow": ..., "prompt": ...}."""
        with self._database.read() as connection:
            for row in queries.by_uids(connection, [uid]):
                data = connection.execute(select(graph.c.data).where(graph.c.id == row.graph)).scalar()
                return workflows.unpack(data) if data else None
        return None

    def spend(self, by: Sequence[str] = ("day",), since: float = 0.0) -> list[dict[str, Any]]:
        """Sums by `by` (see GROUPS): pictures, dollars, and how much of them only may have been charged."""
        if self._journal.is_empty:
            return []
        with self._database.read() as connection:
            found = connection.execute(
                select(picture).where(picture.c.created >= since).order_by(picture.c.created)
            ).all()
        sums: dict[tuple[str, ...], list[int]] = {}
        for row in found:
            if not row.counted and row.state != "stored":
                continue
            key = tuple(_day(row.created) if name == "day" else str(getattr(row, name)) for name in by)
            total = sums.setdefault(key, [0, 0, 0])
            total[0] += row.state == "stored"
            total[1] += row.counted
            total[2] += row.counted if row.state != "stored" else 0
        return [
            {**dict(zip(by, key, strict=True)), "pictures": n, "usd": dollars(total), "usd_in_doubt": dollars(doubt)}
            for key, (n, total, doubt) in sums.items()
        ]

    def export(self, folder: Path, found: Sequence[HistoryEntry]) -> int:
        """Copies pictures, each with its facts beside it; gives how many."""
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for shown in found:
            if not shown.file:
                continue
            stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(shown.created))
            target = folder / f"{stamp}-{shown.provider}-{shown.uid[:8]}{Path(shown.file).suffix}"
            target.write_bytes(self._results.read(shown.file, shown.uid))
            facts = {**vars(shown), "graph": self.graph(shown.uid)}
            text = json.dumps(facts, ensure_ascii=False, indent=1)
            target.with_suffix(".json").write_text(text, "utf-8", "backslashreplace")
            count += 1
        return count

    def forget(self, uids: Sequence[str] | None = None, *, before: float | None = None) -> int:
        """Forgets pictures by their uids, or all that are older than `before`; gives how many.

        Bytes, prompt, words, graph and task are deleted; what was spent stays, or a cap could be passed by forgetting.
        Pictures that a call is on are left alone.
        """
        gone: list[tuple[str, str]] = []
        calls: set[str] = set()
        with self._database.write() as connection:
            wanted = select(picture).where(picture.c.fingerprint != "")
            if before is not None:
                wanted = wanted.where(picture.c.created < before)
            found = queries.by_uids(connection, uids) if uids is not None else connection.execute(wanted).all()
            for row in found:
                if row.state in OPEN_STATES and not self._journal.ownership.is_stalled(row):
                    continue
                state = "unknown" if row.state in OPEN_STATES and row.counted else row.state
                blank = dict.fromkeys(
                    ("fingerprint", "owner", "prompt", "text", "task", "url", "reason", "graph", "result"), ""
                )
                queries.update_rows(connection, [row.uid], **blank, state=state, node="", address="")
                gone.append((row.uid, row.result))
                calls.add(row.call)
            calls -= {call for call in calls if any(row.fingerprint for row in queries.by_call(connection, call))}
            for name in {name for _, name in gone if name}:
                if connection.execute(select(picture.c.uid).where(picture.c.result == name)).first() is None:
                    connection.execute(delete(result).where(result.c.name == name))
                    self._results.delete(name)
                else:
                    self._results.delete_sidecars(name, {uid for uid, _ in gone})
            used = select(picture.c.graph).distinct()
            connection.execute(delete(graph).where(graph.c.id.not_in(used)))
        for uid, _ in gone:
            self._results.delete_incoming(uid)
        for call in calls:
            self._journal.answers.delete(call)
        return len(gone)

    def reindex(self) -> int:
        """Brings the journal up to what lies in the results' folder; gives how many pictures are described there."""
        with self._database.write() as connection:
            return reindex(self._results, connection)

    def sizes(self) -> tuple[int, int, int | None]:
        """Files, their bytes, and the free bytes beside them: None where the results' folder is not there."""
        with self._database.read() as connection:
            count, total = connection.execute(select(func.count(), func.coalesce(func.sum(result.c.bytes), 0))).one()
        try:
            free: int | None = shutil.disk_usage(self._results.folder).free
        except OSError:  # not made yet, or its disk is not there
            free = None
        return count, total, free

    def _shown(self, row: Row[Any]) -> HistoryEntry:
        try:
            task = str(json.loads(row.task).get("task", "")) if row.task else ""
        except (ValueError, AttributeError):
            task = ""
        copied = {
            name: getattr(row, name)
            for name in HistoryEntry.__dataclass_fields__
            if name not in ("usd", "exact", "task", "running", "file", "answer")
        }
        file = row.result if self._results.has(row.result, row.uid) else ""
        running = row.state in OPEN_STATES and not self._journal.ownership.is_stalled(row)
        exact = row.charged is not None
        answer = self._journal.kept_answer_name(row.call) if row.state in ("unknown", "refused") else ""
        return HistoryEntry(
            **copied, usd=dollars(row.counted), exact=exact, task=task, running=running, file=file, answer=answer
        )


def _day(at: float) -> str:
    return datetime.fromtimestamp(at).date().isoformat()
