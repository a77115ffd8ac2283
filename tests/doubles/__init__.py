"""Strict doubles of the providers on the loopback interface, for tests, benchmarks and the demo.

Each double refuses whatever its provider's document doesn't allow. Built on the server of `pack.simulator`, which is
shipped and plays the provider `offline`; this folder is not shipped. `python3 -m tests.doubles` runs them as a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import Doubles

__all__ = ["start"]


def start(port: int = 0, *, host: str = "127.0.0.1", keys_required: bool = True, always: str = "") -> Doubles:
    """Start the doubles on daemon threads and return the server once it listens.

    `port` 0 takes a free one. `keys_required=False` lets requests through that carry no key at all; a key that is
    sent is still checked. `always`: fault options for every request that has no others of these names, such as
    `longest=256`. Raises UnknownFault for a wrong one, OSError when the address can't be bound.
    """
    # Imported here: `python3 -m tests.doubles` imports this module before it has registered the package `pack`.
    from .server import Doubles

    return Doubles(port, host=host, keys_required=keys_required, always=always)
