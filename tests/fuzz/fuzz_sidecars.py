"""Feeds the readers of the results folder: sidecars, kept answers and graphs. None may raise, whoever wrote the files.

An input is a sidecar; the same bytes are read as a kept answer and as a graph.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

import inputs
from folders import folder
from harness import Harness
from pack.core.ledger import workflows
from pack.core.ledger.kept_answers import KeptAnswer, KeptAnswers
from pack.core.ledger.rebuild import reindex
from pack.core.ledger.results import UID, Results
from pack.core.ledger.schema import metadata, picture
from sqlalchemy import create_engine, event, select

_FOLDER = folder("sidecars")
_DIGEST = hashlib.sha256(inputs.PNG).hexdigest()
_FILE = f"{_DIGEST}.png"
_RESULTS = Results(_FOLDER)
_ANSWERS = KeptAnswers(_FOLDER / "unreadable")
_UID = "0123456789abcdef" * 2
_SUBFOLDER = _FOLDER / _DIGEST[:2]
_ENGINE = create_engine("sqlite://")
metadata.create_all(_ENGINE)
_ANSWERS.folder.mkdir()
_SUBFOLDER.mkdir()
(_SUBFOLDER / _FILE).write_bytes(inputs.PNG)
_FIELDS = (
    *"uid fingerprint operation provider model profile project run node prompt text request_id created sent ended".split(),
    *"role notices usd_expected usd_charged graph".split(),
)
_GOOD: dict[str, Any] = {
    **{name: "x" for name in _FIELDS if name not in ("role", "graph")},
    "uid": _UID,
    "created": 1.7e9,
    "sent": 1.7e9,
    "ended": 1.7e9,
    "role": "",
    "usd_expected": 0.1,
    "usd_charged": 0.1,
    "graph": {"prompt": {"1": {"inputs": {"api_key": "secret1"}}}},
}


@event.listens_for(_ENGINE, "connect")
def _fast(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def run(data: bytes) -> None:
    """Reads the file in all three ways."""
    sidecar = _SUBFOLDER / f"{_DIGEST}.json"
    sidecar.write_bytes(data)
    with _ENGINE.connect() as connection:  # what is not committed is gone, so that each input meets an empty journal
        count = reindex(_RESULTS, connection)
        for row in connection.execute(select(picture)):
            assert UID.fullmatch(row.uid) and row.expected >= 0 and row.counted >= 0, "a picture that can't be one"
            assert row.charged is None or 0 <= row.charged <= 10_000_000, "a price that can't be one"
        assert count <= 10_000, "pictures without an end"
    _RESULTS.delete_sidecars(_FILE, {_UID})
    _ANSWERS.path("call").write_bytes(data)
    found = _ANSWERS.read("call")
    assert found is None or isinstance(found, KeptAnswer) and isinstance(found.status, int), "no answer"
    workflows.unpack(zlib.compress(data, 1))
    workflows.unpack(data)
    workflows.unpack_json(data)


def make(rng: Random) -> bytes:
    draw = rng.random()
    if draw < 0.25:
        head = {"status": rng.choice(inputs.NUMBERS), "headers": inputs.value(rng, 3), "state": inputs.value(rng, 3)}
        return json.dumps(head).encode() + b"\n" + inputs.made_json(rng)
    facts = dict(_GOOD)
    for _ in range(rng.randrange(4)):
        facts[rng.choice(_FIELDS)] = _odd(rng)
    value: Any = {"version": 1, "file": _FILE, "pictures": [facts] * rng.choice((1, 1, 2))}
    if draw < 0.4:
        value = inputs.mutated_value(value, rng)
    elif draw < 0.45:
        value["pictures"].append({**_GOOD, "uid": "f" * 32})
    return inputs.dumped(value, rng)


def _odd(rng: Random) -> Any:
    return rng.choice(inputs.NUMBERS) if rng.random() < 0.5 else inputs.value(rng, 3)


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return inputs.mutated_json(data, rng, others)


HARNESS = Harness(
    "sidecars",
    run,
    make,
    mutate,
    (
        "core/ledger/sidecar.py",
        "core/ledger/results.py",
        "core/ledger/kept_answers.py",
        "core/ledger/rebuild.py",
        "core/ledger/workflows.py",
    ),
    inputs_in_suite=500,
    examples=40,
)
