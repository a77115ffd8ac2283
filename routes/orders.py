"""Orders at half price: GET orders lists those that pictures are still to come of, POST orders/{id}/cancel cancels one."""

from __future__ import annotations

from typing import Any

from .. import comfyui
from ..core.errors.messages import msg
from .security import ApiError, RouteRequest


def list_orders(request: RouteRequest) -> dict[str, Any]:
    """{"orders": [{"id", "provider", "label", "model", "pictures", "usd", "created", "accepted", "unread"}]}, the oldest first.

    `unread`: whether this process waits for it and can't read what the provider answers about it.
    """
    engine = comfyui.engine()
    waited_for = {order.id: engine.orders.find(order.id) for order in engine.ledger.open_orders()}
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
                "unread": (found := waited_for.get(order.id)) is not None and found.is_unread,
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
