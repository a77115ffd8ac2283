"""The simulator's server with the doubles of all providers, their faults, their request log and the control routes."""

from __future__ import annotations

import socket
from typing import Any

from pack.simulator.server import Simulator

from .api import Api
from .connection import Connection
from .control import Control
from .router import Router


class Doubles(Simulator):
    """A running server with one strict double for each built-in provider; also a context manager."""

    _router: Router

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", keys_required: bool = True, always: str = "") -> None:
        self._keys_required, self._always = keys_required, always
        super().__init__(port, host=host)
        self._control = Control(self._router)

    def _make_router(self) -> Router:
        return Router(self._keys_required, self._always)

    def _connect(self, channel: socket.socket, allowed_hosts: tuple[str, ...] | None) -> Connection:
        return Connection(channel, self._router, self.origin, self._hosts, allowed_hosts, self._closing)

    def providers(self) -> list[str]:
        """The ids of the mounted providers."""
        return sorted(self._router.apis)

    def mount(self, api: Api) -> None:
        """Serve one more API, below its id."""
        self._router.apis[api.id] = api

    def request_log(self, prompt: str = "", provider: str = "") -> dict[str, Any]:
        """What was asked and what it would have cost; see `RequestLog.show`."""
        return self._router.request_log.show(prompt, provider)

    def fault(self, fault: str, *, provider: str = "*", match: str = "") -> None:
        """Add a fault for requests whose prompt holds `match`; raises ValueError for an unknown option."""
        self._control.fault(fault, provider=provider, match=match)

    def clear_faults(self) -> None:
        """Forget every fault and every count, and release held answers."""
        self._router.faults.clear()

    def release(self) -> None:
        """Release every answer that the option `hold` holds now."""
        self._router.faults.release()

    def finish(self, prompt: str) -> int:
        """Let the hanging tasks whose prompt holds `prompt` be done at their next poll; returns how many there were."""
        return self._router.tasks.finish(prompt)

    def finish_batches(self) -> int:
        """Let the hanging batches be done at their next poll; returns how many there were."""
        return self._router.batches.finish()

    def switch(self, provider: str, route: str, status: int) -> None:
        """Switch one route of an API off (404 or 405) or on again (0); raises ValueError for an unknown one."""
        self._control.switch(provider, route, status)

    def retire(self, provider: str, model: str, retired: bool = True) -> None:
        """Answer a wire model id of a provider with 404 from now on, or serve it again with `retired=False`."""
        self._control.retire(provider, model, retired)

    def wait(
        self, *, provider: str = "", prompt: str = "", state: str = "received", count: int = 1, timeout: float = 30.0
    ) -> bool:
        """Wait until `count` matching requests are `received` or `answered`; False when the time is over."""
        return bool(self._control.wait(provider, prompt, state, count, timeout)["reached"])

    def reset(self) -> None:
        """Forget requests, faults, tasks, files, switched-off routes and retired models."""
        self._router.reset()
