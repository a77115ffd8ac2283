"""Who asked for which picture, what became of it, and the provider's bytes.

Everything about a paid request is written here before it happens: the engine calls `open` before it sends and tells each
step as it goes. `MemoryLedger` keeps it for the life of the process.
"""

from .memory import MemoryLedger
from .record import Entry, Kept, Ledger, Opened

__all__ = ["Entry", "Kept", "Ledger", "MemoryLedger", "Opened"]
