"""Reads the journal for a person: lists, the graph of a picture, sums of money, export, deletion."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from ..errors import ResultsAway
from . import queries, workflows
from .deletion import Deletion
from .journal import Journal
from .rebuild import reindex
from .schema import graph, picture, result
from .selection import Selection, stored
from .types import OPEN_STATES, dollars

GROUPS = ("day", "provider", "profile", "project")


@dataclass(frozen=True)
class HistoryEntry:
    """A picture that was requested."""

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
    """Whether the provider has named that price."""
    created: float
    """Unix time."""
    attempts: int
    reason: str
    request_id: str
    task: str
    running: bool
    """Whether a call works on it now."""
    file: str
    """The file name of its bytes, "" where they are not here."""
    role: str
    """"extra" for a further picture of an answer, else ""."""
    favourite: bool
    """Whether the user has marked it."""
    asked_again: bool
    """Whether the user has agreed that it is paid again, and it was sent again."""
    answer: str
    """File name of its kept answer, in which no picture could be read; "" when there is none."""
    order: str
    """Id of the order that it is still to come of, "" where it isn't."""
    away: bool = False
    """Whether its bytes are in a bucket that doesn't answer now."""


class History:
    """Lists, sums and deletes what one journal holds. Every method may raise LedgerFailed."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._database, self._results = journal, journal.database, journal.results

    def pictures(
        self, query: str = "", *, states: Sequence[str] = (), since: float = 0.0, limit: int = 100, before: str = ""
    ) -> list[HistoryEntry]:
        """Pictures, the newest first.

        `query`: text in the prompt, provider or model. `since`: Unix time. `before`: the uid with which the last page ended.
        """
        return self.select(Selection(query, states, since=since), limit=limit, before=before)

    def select(self, selection: Selection, *, limit: int, before: str = "") -> list[HistoryEntry]:
        """Pictures of a selection, the newest first. `before`: the uid with which the last page ended."""
        if self._journal.is_empty:
            return []
        statement = select(picture).where(*selection.conditions())
        with self._database.read() as connection:
            last = queries.by_uids(connection, [before]) if before else []
            for row in last:
                older = (picture.c.created == row.created) & (picture.c.uid < row.uid)
                statement = statement.where(or_(picture.c.created < row.created, older))
            rows = connection.execute(
                statement.order_by(picture.c.created.desc(), picture.c.uid.desc()).limit(limit)
            ).all()
        stored_as = [(row.result, row.uid) for row in rows]
        away = False
        try:
            here = self._results.existing(stored_as)
        except ResultsAway:  # what the journal and this machine have is shown all the same
            here, away = self._results.existing(stored_as, here=True), True
        return [self._entry(row, stored in here, away) for row, stored in zip(rows, stored_as, strict=True)]

    def count(self, selection: Selection) -> int:
        """How many pictures of a selection were stored."""
        if self._journal.is_empty:
            return 0
        statement = select(func.count()).select_from(picture).where(*selection.conditions(), *stored())
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def choices(self) -> list[tuple[str, str, int]]:
        """The providers and models that there are: (provider, model, number of requests), the most used first."""
        if self._journal.is_empty:
            return []
        columns = (picture.c.provider, picture.c.model)
        statement = select(*columns, func.count()).where(*Selection().conditions()).group_by(*columns)
        with self._database.read() as connection:
            found = [(str(provider), str(model), int(n)) for provider, model, n in connection.execute(statement)]
        return sorted(found, key=lambda each: (-each[2], each))

    def picture(self, uid: str) -> HistoryEntry | None:
        """One picture; None where there is none, or it was deleted."""
        if self._journal.is_empty:
            return None
        with self._database.read() as connection:
            rows = [row for row in queries.by_uids(connection, [uid]) if row.fingerprint]
        return self._entry(rows[0], self._results.has(rows[0].result, rows[0].uid)) if rows else None

    def read(self, entry: HistoryEntry) -> bytes:
        """The bytes of a picture. Raises FileNotFoundError, or DamagedFile."""
        return self._results.read(entry.file, entry.uid)

    def graph(self, uid: str) -> dict[str, Any] | None:
        """The workflow of a picture: {"workflow": ..., "prompt": ...}; None where it is not stored."""
        with self._database.read() as connection:
            for row in queries.by_uids(connection, [uid]):
                return _workflow(connection, row.graph)
        return None

    def nodes_of(self, uids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """By uid the id of its workflow, for `prompt`, and the node id in its prompt; without those that have no workflow."""
        with self._database.read() as connection:
            return {row.uid: (row.graph, row.node) for row in queries.by_uids(connection, uids) if row.graph}

    def prompt(self, graph_id: str) -> Any:
        """The prompt of a workflow, of any shape; None where it is not stored."""
        with self._database.read() as connection:
            return (_workflow(connection, graph_id) or {}).get("prompt")

    def node_of(self, uid: str) -> tuple[str, dict[str, list[str]]]:
        """The node id in its prompt, and by node id the stored pictures of the same run, in the order of their making."""
        found: dict[str, list[str]] = {}
        with self._database.read() as connection:
            for row in queries.by_uids(connection, [uid]):
                same_run = select(picture.c.node, picture.c.uid).where(
                    picture.c.run == row.run, picture.c.role != "draft", *stored()
                )
                if row.run:
                    for node, other in connection.execute(same_run.order_by(picture.c.created, picture.c.uid)):
                        found.setdefault(node, []).append(other)
                return row.node, found
        return "", found

    def spend(self, by: Sequence[str] = ("day",), since: float = 0.0) -> list[dict[str, Any]]:
        """Sums grouped by `by` (see GROUPS): pictures, dollars, and the dollars that only may have been charged."""
        if self._journal.is_empty:
            return []
        with self._database.read() as connection:
            rows = connection.execute(
                select(picture).where(picture.c.created >= since).order_by(picture.c.created)
            ).all()
        sums: dict[tuple[str, ...], list[int]] = {}
        for row in rows:
            if row.role == "draft" or (not row.counted and row.state != "stored"):
                continue
            key = tuple(_day(row.created) if name == "day" else str(getattr(row, name)) for name in by)
            total = sums.setdefault(key, [0, 0, 0])
            total[0] += row.state == "stored"
            total[1] += row.counted
            total[2] += row.counted if row.state != "stored" else 0
        return [
            {
                **dict(zip(by, key, strict=True)),
                "pictures": n,
                "usd": dollars(total),
                "usd_in_doubt": dollars(unresolved),
            }
            for key, (n, total, unresolved) in sums.items()
        ]

    def export(self, folder: Path, entries: Sequence[HistoryEntry]) -> int:
        """Copies pictures into a folder, each with a JSON file of its facts; gives how many."""
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for entry in entries:
            if not entry.file:
                continue
            stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(entry.created))
            target = folder / f"{stamp}-{entry.provider}-{entry.uid[:8]}{Path(entry.file).suffix}"
            target.write_bytes(self._results.read(entry.file, entry.uid))
            facts = {**vars(entry), "graph": self.graph(entry.uid)}
            text = json.dumps(facts, ensure_ascii=False, indent=1)
            target.with_suffix(".json").write_text(text, "utf-8", "backslashreplace")
            count += 1
        return count

    def forget(
        self, uids: Sequence[str] | None = None, *, before: float | None = None, keep_favourites: bool = False
    ) -> int:
        """Deletes pictures, as `Deletion.forget` says; gives how many."""
        return Deletion(self._journal).forget(uids, before=before, keep_favourites=keep_favourites)

    def reindex(self) -> int:
        """Adds the pictures of the results folder that the journal lacks; gives how many have a sidecar."""
        with self._database.write() as connection:
            return reindex(self._results, connection)

    def sizes(self) -> tuple[int, int, int | None]:
        """Number of files, their bytes, and the free bytes on their disk: None where the results folder is missing."""
        with self._database.read() as connection:
            count, total = connection.execute(select(func.count(), func.coalesce(func.sum(result.c.bytes), 0))).one()
        try:
            free: int | None = shutil.disk_usage(self._results.folder).free
        except OSError:  # not created yet, or its disk is missing
            free = None
        return count, int(total), free

    def _entry(self, row: Row[Any], is_here: bool, bucket_away: bool = False) -> HistoryEntry:
        copied = {
            name: getattr(row, name)
            for name in HistoryEntry.__dataclass_fields__
            if name
            not in (
                "usd",
                "exact",
                "task",
                "running",
                "file",
                "favourite",
                "answer",
                "order",
                "reason",
                "asked_again",
                "away",
            )
        }
        file = row.result if is_here else ""
        running = row.state in OPEN_STATES and not self._journal.ownership.is_stalled(row)
        exact = row.charged is not None
        answer = (
            self._journal.kept_answer_name(queries.answer_names(row)) if row.state in ("unknown", "refused") else ""
        )
        return HistoryEntry(
            **copied,
            usd=dollars(row.counted),
            exact=exact,
            task=queries.task_id(row.task),
            reason=queries.reason_of(row),
            asked_again=row.acknowledged > 0,
            running=running,
            file=file,
            favourite=row.favourite > 0,
            answer=answer,
            order=row.call if queries.is_order(row) and row.state in OPEN_STATES else "",
            away=bucket_away and bool(row.result) and not file,
        )


def _workflow(connection: Connection, graph_id: str) -> dict[str, Any] | None:
    """{"workflow": ..., "prompt": ...}; None where it is not stored."""
    data = connection.execute(select(graph.c.data).where(graph.c.id == graph_id)).scalar()
    return workflows.unpack(data) if data else None


def _day(at: float) -> str:
    return datetime.fromtimestamp(at).date().isoformat()
