"""Tells the browser what the host's own error event leaves out: it has the whole message as one text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import comfyui
from ..core.errors import NanoBananaError
from .list_element import Element
from .outputs import failed_facts


def send_failure(node_id: str | None, error: NanoBananaError, elements: Sequence[Element] = ()) -> None:
    """Sends the parts of an error that ends a node, and what failed in its elements."""
    facts = [fact for element in elements for fact in failed_facts(element.report)]
    comfyui.send_event("failed", {"node": str(node_id or ""), "failed": facts, "error": error_facts(error)})


def error_facts(error: NanoBananaError) -> dict[str, Any]:
    """An error as a page takes it."""
    return {
        "kind": error.kind,
        "what": error.what,
        "money": error.money,
        "cure": error.cure,
        "charged": error.charged,
        "request_id": error.request_id,
    }
