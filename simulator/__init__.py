"""A strict provider on the loopback interface: draws pictures instead of buying them.

It speaks every API that a row needs, plus one of its own (`offline`), and refuses whatever the providers'
documents don't allow, so that a request which passes here is a request the documents permit. It can also misbehave on
demand (see `faults.py`) and keeps a book of what it was asked and what would have been billed (see `request_log.py`).

It never opens a connection to anywhere and never prints. It is used three ways: inside the pack as the free provider
`offline`, as a process (`python -m simulator --port N`) by the demo and the tests, and as a test double.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import Simulator

__all__ = ["start"]


def start(port: int = 0, *, host: str = "127.0.0.1", keys_required: bool = True) -> Simulator:
    """Start the server on daemon threads and return it once it listens.

    `port` 0 takes a free one. `keys_required=False` lets requests through that carry no key at all; a key that is
    sent is still checked. Raises OSError when the address can't be bound.
    """
    # Imported here, so that importing this package costs nothing until a simulator is wanted.
    from .server import Simulator

    return Simulator(port, host=host, keys_required=keys_required)
