"""GET node_ids: the node ids that another pack has, too, and whose node the host runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..nodes import id_conflicts
from .security import RouteRequest


def list_conflicts(request: RouteRequest) -> dict[str, Any]:
    return {"conflicts": [asdict(each) for each in id_conflicts.conflicts()]}


ROUTES = [("GET", "/node_ids", list_conflicts)]
