"""Who asked for which picture, what became of it, what it cost, and the provider's bytes.

Everything about a paid request is written here before it happens: the engine calls `Journal.open` before it sends and tells
each step as it goes.

    record     the words: what the ledger is told and what it answers
    journal    the life of a row
    owners     which process is on an open row, and whether it lives
    caps       spending limits, held within the transaction that reserves
    results    the bytes on disk;  sidecar, rebuilding, storage: their facts, the way back from them, their size
    database   the file;  schema, rows: its tables
    graphs     the workflow that asked, without anything secret
    history    lists, sums, forgetting
"""

from .types import (
    Caps,
    Claim,
    ClaimedImage,
    Reservation,
    ReserveResult,
    RunContext,
    StoredImage,
    UnresolvedCharge,
    dollars,
    micros,
)

__all__ = [
    "RunContext",
    "Caps",
    "Claim",
    "UnresolvedCharge",
    "Reservation",
    "StoredImage",
    "ReserveResult",
    "ClaimedImage",
    "dollars",
    "micros",
]
