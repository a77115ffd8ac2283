"""The free provider `offline`: an HTTP server on the loopback interface that draws pictures instead of buying them.

It never opens a connection to anywhere and never prints. The doubles of the other providers build on its server; they
are part of the tests and not shipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import Simulator

__all__ = ["start"]


def start(port: int = 0, *, host: str = "127.0.0.1") -> Simulator:
    """Start the server on daemon threads and return it once it listens.

    `port` 0 takes a free one. Raises OSError when the address can't be bound.
    """
    # Imported here, so that importing this package costs nothing until the server is wanted.
    from .server import Simulator

    return Simulator(port, host=host)
