"""The record of every picture: who asked for it, what became of it, what it cost, and the provider's bytes.

The engine writes each step of a paid request here before the step happens: `Journal.reserve`, then `Journal.mark_sent` before
the send, and so on until `mark_stored` or `mark_failed`.

    types           what the journal is told and what it answers
    journal         the one class that the rest of the pack calls; it composes the parts below
    reservations    who sends which picture, within the spending caps (cap_check)
    call_steps      the steps of a paid call
    claims          calls of ended processes, and answers that are read again (kept_answers)
    orders          pictures that were ordered together and are still to come
    ownership       which rows this process works on;  liveness: whether another process still runs
    image_store     pictures that are here;  results: their bytes on disk;  eviction: the size of that folder
    sidecar         the facts beside the bytes;  rebuild: a new journal from them
    database        where the journal is kept: sqlite_database, or postgres_database with postgres_address, postgres_pooler
                    and postgres_session
    schema          its tables;  running_totals: sums for caps;  queries: reading and updating rows
    storage         where results are kept: a folder, or a bucket;  upload: from the one to the other
    backlog         steps that wait for a server;  shared_limits, shared_results: what machines share
    move            from a file to a server;  moved_journal: what is left in its place
    workflows       the graph that asked, without secrets
    history         lists, sums, export, deletion
    messages        what the user is told about charges without a picture
"""

from ..config.caps import Caps
from .types import (
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
    "Caps",
    "Claim",
    "ClaimedImage",
    "Reservation",
    "ReserveResult",
    "RunContext",
    "StoredImage",
    "UnresolvedCharge",
    "dollars",
    "micros",
]
