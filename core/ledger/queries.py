"""Reads and updates rows of the journal inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, insert, select, update

from ..errors.messages import Message, as_data, from_data, msg
from .kept_answers import KeptAnswer
from .schema import graph, picture
from .types import MOST_DRAFTS, Claim, ClaimedImage, RowEnding, UnresolvedCharge, dollars

_CHUNK = 500
"""Values in one SQL list."""


def by_fingerprints(connection: Connection, fingerprints: Sequence[str]) -> list[Row[Any]]:
    """All rows of these fingerprints, oldest first."""
    return list(_select_in(connection, _BY_FINGERPRINT, fingerprints))


def by_uids(connection: Connection, uids: Sequence[str]) -> list[Row[Any]]:
    return list(_select_in(connection, _BY_UID, uids))


def by_results(connection: Connection, names: Sequence[str]) -> list[Row[Any]]:
    """All rows of the pictures with these file names."""
    return list(_select_in(connection, _BY_RESULT, names))


def update_rows(connection: Connection, uids: Sequence[str], *conditions: ColumnElement[bool], **values: Any) -> int:
    """Sets columns of the rows that meet the conditions; gives how many rows there were."""
    found = 0
    for start in range(0, len(uids), _CHUNK):
        chosen = picture.c.uid.in_(list(uids[start : start + _CHUNK]))
        found += connection.execute(update(picture).where(chosen, *conditions).values(**values)).rowcount
    return found


def end_row(connection: Connection, uid: str, ending: RowEnding, reason: str, now: float) -> None:
    """Writes what becomes of an open row that no call works on any more."""
    if ending.action == "delete":
        connection.execute(delete(picture).where(picture.c.uid == uid))
    elif ending.action == "keep":
        update_rows(connection, [uid], owner="", **reason_columns(reason))
    else:
        cost = {} if ending.counts else {"counted": 0}
        update_rows(connection, [uid], state=ending.state, owner="", ended=now, **reason_columns(reason), **cost)


def reason_columns(reason: str) -> dict[str, str]:
    """The columns of a reason: its English text, and what it is made of.

    The second is "" where it would not give the same text again: what was taken out of a text as a secret may be in its
    parameters still.
    """
    data = as_data(reason)
    restored = from_data(data, str(reason))
    return {"reason": str(reason), "reason_message": json.dumps(data) if isinstance(restored, Message) else ""}


def reason_of(row: Row[Any]) -> str:
    """The reason of a row, as a message where it was stored as one."""
    try:
        return from_data(json.loads(row.reason_message), row.reason) if row.reason_message else str(row.reason)
    except (ValueError, RecursionError):
        return str(row.reason)


def insert_graph(connection: Connection, identity: str, data: bytes) -> None:
    if identity and connection.execute(select(graph.c.id).where(graph.c.id == identity)).first() is None:
        connection.execute(insert(graph).values(id=identity, data=data))


def claim_of(
    rows: Sequence[Row[Any]], *, owner_exited: bool, image_count: int = 0, answer: KeptAnswer | None = None
) -> Claim:
    """The claim for the rows of one call, which are in the order of their pictures."""
    first = rows[0]
    return Claim(
        call=first.call,
        provider=first.provider,
        model=first.model,
        profile=first.profile,
        operation=first.operation,
        prompt=first.prompt,
        address=first.address,
        task=_task_state(first.task),
        images=tuple(ClaimedImage(row.fingerprint, row.index_in_call, row.url) for row in rows),
        text=first.text,
        request_id=first.request_id,
        sent_at=first.sent,
        owner_exited=owner_exited,
        image_count=max(image_count, len(rows)),
        answer=answer,
        delivery="batch" if is_order(first) else "now",
    )


def is_order(row: Row[Any]) -> bool:
    """Whether a row is a picture of an order."""
    return bool(row.delivery == "batch")


def by_call(connection: Connection, call: str) -> list[Row[Any]]:
    """The rows of the pictures that a call requested, in their order; no extra ones."""
    statement = select(picture).where(picture.c.call == call, picture.c.role == "").order_by(picture.c.index_in_call)
    return list(connection.execute(statement)) if call else []


def order_answer(call: str, index: int) -> str:
    """The name under which the answer to one picture of an order is kept."""
    return f"{call}-{index}"


def answer_names(row: Row[Any]) -> tuple[str, ...]:
    """The names under which the answer that a picture is missing from may be kept, see `kept_answers`."""
    return (order_answer(row.call, row.index_in_call), row.call) if is_order(row) else (row.call,)


def draft_fingerprints(fingerprint: str) -> list[str]:
    """The fingerprints that the drafts of a picture have, in their order."""
    return [f"{fingerprint}+draft{number}" for number in range(MOST_DRAFTS)]


def stored_with_drafts(
    connection: Connection, fingerprints: Sequence[str]
) -> tuple[list[Row[Any]], dict[str, list[Row[Any]]]]:
    """The stored pictures of these fingerprints, oldest first, and the drafts of each (`drafts_of`), by one statement."""
    wanted = set(fingerprints)
    names = [name for fingerprint in wanted for name in (fingerprint, *draft_fingerprints(fingerprint))]
    rows: list[Row[Any]] = []
    drafts: list[Row[Any]] = []
    for row in by_fingerprints(connection, names):
        if row.fingerprint not in wanted:
            drafts.append(row)
        elif row.state == "stored":
            rows.append(row)
    return rows, _by_picture(rows, drafts)


def drafts_of(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, list[Row[Any]]]:
    """The drafts of stored pictures, by the pictures' uids, in the order in which they were drawn."""
    names = [name for row in rows if row.fingerprint and not row.role for name in draft_fingerprints(row.fingerprint)]
    return _by_picture(rows, by_fingerprints(connection, names))


def _by_picture(rows: Sequence[Row[Any]], drafts: Sequence[Row[Any]]) -> dict[str, list[Row[Any]]]:
    by_name: dict[str, list[Row[Any]]] = {}
    for draft in drafts:
        by_name.setdefault(draft.fingerprint, []).append(draft)
    found: dict[str, list[Row[Any]]] = {}
    for row in rows:
        names = draft_fingerprints(row.fingerprint) if by_name else []
        listed = [draft for name in names for draft in by_name.get(name, ())]
        # The same picture may have been paid twice. A rebuilt journal knows no calls.
        found[row.uid] = [draft for draft in listed if draft.call in ("", row.call)]
    return found


def stored_notices(row: Row[Any]) -> tuple[str, ...]:
    """The notices that are kept with a picture."""
    return tuple(str(each) for each in _json_list(row.notices))


def stored_sources(row: Row[Any]) -> tuple[tuple[str, str], ...]:
    """The pages that a web search for a picture leaned on: title and address."""
    pairs = [each for each in _json_list(row.sources) if isinstance(each, list) and len(each) == 2]
    return tuple((str(title), str(uri)) for title, uri in pairs)


def _json_list(text: str) -> list[Any]:
    """The list in a column; empty for anything else, since a sidecar of somebody else may have filled it."""
    try:
        value = json.loads(text) if text else []
    except ValueError:
        return []
    return value if isinstance(value, list) else []


def unresolved_charge(row: Row[Any]) -> UnresolvedCharge:
    reason = reason_of(row)
    if row.state in ("accepted", "answered"):
        reason = msg("queries.free_with_same_key", profile=row.profile)
    return UnresolvedCharge(
        row.uid, row.provider, row.model, row.sent or row.created, dollars(row.counted), reason, answer_names(row)
    )


def task_id(text: str) -> str:
    """What the provider calls a task, from the column that has it; "" where it has none."""
    return str((_task_state(text) or {}).get("task", ""))


def _task_state(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _select_in(connection: Connection, statement: Select[Any], values: Sequence[str]) -> Iterator[Row[Any]]:
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), _CHUNK):
        yield from connection.execute(statement, {"chosen": unique[start : start + _CHUNK]})


def _chosen(column: ColumnElement[str]) -> Select[Any]:
    """Rows by the values of a column. Built once: building it takes longer than the database takes to answer it."""
    chosen = column.in_(bindparam("chosen", expanding=True))
    return select(picture).where(chosen).order_by(picture.c.created, picture.c.uid)


_BY_FINGERPRINT, _BY_UID, _BY_RESULT = (
    _chosen(each) for each in (picture.c.fingerprint, picture.c.uid, picture.c.result)
)
