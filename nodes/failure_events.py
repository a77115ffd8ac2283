"""Tells the browser what the host's own error event leaves out: it has the whole message as one text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import comfyui
from ..core.errors import NanoBananaError
from ..core.errors.messages import messages_in
from .list_element import Element
from .outputs import failed_facts


def send_failure(node_id: str | None, error: NanoBananaError, elements: Sequence[Element] = ()) -> None:
    """Sends the parts of an error that ends a node, what failed in its elements, and the data of their messages."""
    asked = [task.reservation.provider for each in elements for task in each.report.failed if task.reservation]
    facts = {
        "node": str(node_id or ""),
        "failed": [fact for element in elements for fact in failed_facts(element.report)],
        "error": _error_facts(error) | {"provider": asked[0] if asked else ""},
    }
    comfyui.send_event("failed", {**facts, "messages": messages_in([error.message, facts])})


def _error_facts(error: NanoBananaError) -> dict[str, Any]:
    return {
        "kind": error.kind,
        "what": error.what,
        "money": error.money,
        "cure": error.cure,
        "charged": error.charged,
        "request_id": error.request_id,
    }
