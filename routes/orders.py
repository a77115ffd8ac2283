"""Orders at half price: GET orders lists those that pictures are still to come of, POST orders/{id}/cancel cancels one."""

from __future__ import annotations

from typing import Any

from .. import comfyui
from ..core.errors.messages import msg
from .security import ApiError, RouteRequest


def list_orders(request: RouteRequest) -> dict[str, Any]:
    """{"orders": [{"id", "provider", "label", "model", "pictures", "usd", "created", "accepted"}]}, the oldest first."""
    engine = comfyui.engine()
    labels = {name: spec.label for name, spec in engine.specs().items()}
    return {
        "orders": [
            {
                "id": order.id,
                "provider": order.provider,
                "label": labels.get(order.provider, order.provider),
                "model": order.model,
                "pictures": order.pictures,
                "usd": order.usd,
                "created": order.created,
                "accepted": bool(order.task),
            }
            for order in engine.ledger.open_orders()
        ]
    }


def cancel(request: RouteRequest) -> dict[str, Any]:
    """{"cancelled", "ended", "text"}: whether the provider has cancelled it, and whether that is the end of every picture.

    What was made before is collected all the same, and is paid.
    """
    found = comfyui.engine().cancel_order(request.path["id"])
    if found is None:
        raise ApiError(404, msg("orders.unknown_order"))
    return {"cancelled": found.cancelled, "ended": found.ended, "text": found.text}


ROUTES = [("GET", "/orders", list_orders), ("POST", "/orders/{id}/cancel", cancel)]
