"""The control routes under `/_control/`: faults, switches, the request log, waiting. For tests and demos, not an API.

Plain JSON with `{"error": ...}` for wrong requests. The same functions are methods of `Doubles` for use in-process.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from pack.simulator.message import Reply, Request, json_reply

from .faults import UnknownFault
from .router import Router

PREFIX = "/_control/"


class ControlError(ValueError):
    """A control request that makes no sense; the message says why."""


class Control:
    """The control routes of one server."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def answer(self, request: Request) -> Reply:
        """The reply to a request below `/_control/`."""
        action = f"{request.method} {request.path.removeprefix(PREFIX)}"
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        try:
            return json_reply(200, self._act(action, query, request.body))
        except (ControlError, UnknownFault) as problem:
            return json_reply(400, {"error": str(problem)})
        except LookupError:
            return json_reply(404, {"error": f"no control route {action}"})

    def _act(self, action: str, query: dict[str, str], body: bytes | bytearray) -> object:
        router = self._router
        if action == "GET providers":
            return sorted(router.apis)
        if action == "GET routes":
            return {api.id: sorted({route.name for route in api.routes()}) for api in router.apis.values()}
        if action == "GET request_log":
            _known(query, "prompt", "provider")
            return router.request_log.show(query.get("prompt", ""), query.get("provider", ""))
        if action == "GET wait":
            _known(query, "prompt", "provider", "state", "count", "timeout")
            try:
                wanted, timeout = int(query.get("count", "1")), float(query.get("timeout", "10"))
            except ValueError:
                raise ControlError("count and timeout are numbers") from None
            return self.wait(query.get("provider", ""), query.get("prompt", ""), query.get("state"), wanted, timeout)
        if action == "POST reset":
            router.reset()
            return {}
        if action == "POST faults":
            given = _object(body)
            _known(given, "provider", "match", "fault")
            self.fault(given.get("fault", ""), provider=given.get("provider", "*"), match=given.get("match", ""))
            return {}
        if action == "DELETE faults":
            router.faults.clear()
            return {}
        if action == "POST release":
            router.faults.release()
            return {}
        if action == "POST retired":
            given = _object(body)
            _known(given, "provider", "model", "retired")
            self.retire(given.get("provider", ""), given.get("model", ""), given.get("retired", True))
            return {}
        if action == "POST routes":
            given = _object(body)
            _known(given, "provider", "route", "status")
            self.switch(given.get("provider", ""), given.get("route", ""), given.get("status", 0))
            return {}
        raise LookupError(action)

    def fault(self, fault: str, *, provider: str = "*", match: str = "") -> None:
        """Add a fault; raises UnknownWord or ControlError."""
        if provider != "*":
            self._provider(provider)
        if not isinstance(match, str) or not isinstance(fault, str):
            raise ControlError("match and fault are strings")
        self._router.faults.add(provider, match, fault)

    def switch(self, provider: str, route: str, status: int) -> None:
        """Switch a route of an API off with a status, or on again with 0; raises ControlError."""
        api = self._provider(provider)
        if route not in {known.name for known in api.routes()}:
            raise ControlError(f"{provider} has no route '{route}'")
        if type(status) is not int or status not in (0, 403, 404, 405, 410, 503):
            raise ControlError("status is 0, 404 or 405")
        self._router.switched_routes[(provider, route)] = status

    def retire(self, provider: str, model: str, retired: bool) -> None:
        """Answer a wire model id of a provider with 404 from now on, or serve it again; raises ControlError."""
        self._provider(provider)
        if not isinstance(model, str) or not model or not isinstance(retired, bool):
            raise ControlError("model is a wire model id, and retired true or false")
        known = self._router.retired
        (known.add if retired else known.discard)((provider, model))

    def wait(self, provider: str, prompt: str, state: str | None, wanted: int, timeout: float) -> dict[str, Any]:
        """Wait for requests; raises ControlError for an unknown state."""
        if state not in ("received", "answered"):
            raise ControlError("state is received or answered")
        reached = self._router.request_log.wait(provider, prompt, state, wanted, min(timeout, 600.0))
        return {"reached": reached >= wanted, "count": reached}

    def _provider(self, name: object) -> Any:
        if not isinstance(name, str) or name not in self._router.apis:
            raise ControlError(f"no provider '{name}' is mounted")
        return self._router.apis[name]


def _object(body: bytes | bytearray) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise ControlError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise ControlError("the body must be an object")
    return value


def _known(given: dict[str, Any], *names: str) -> None:
    for name in given:
        if name not in names:
            raise ControlError(f"unknown name '{name}'")
