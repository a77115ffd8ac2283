"""The simulator's server with the doubles of all providers mounted beside `offline`."""

from __future__ import annotations

from pack.simulator.server import Simulator
from pack.tests.doubles.providers import find_apis


class Doubles(Simulator):
    """A running server with one strict double for each built-in provider; also a context manager."""

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", keys_required: bool = True) -> None:
        super().__init__(port, host=host, keys_required=keys_required)
        for api in find_apis().values():
            self.mount(api)
