"""POST estimate: what a prompt would do and cost, and GET spend: what was spent. Nothing is sent."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from .. import comfyui
from ..core.errors import ConfigError
from ..core.errors.messages import msg
from ..core.ledger.history import GROUPS, History
from ..nodes.estimate import estimate_prompt
from .security import ApiError, RouteRequest


def estimate(request: RouteRequest) -> dict[str, Any]:
    """Body: {"prompt": a prompt in API form, "detail": bool, "everywhere": bool, "shows_drafts": bool}.

    Gives facts by node id; `left_out` says how many nodes were too many.
    """
    prompt = request.body.get("prompt")
    if not isinstance(prompt, dict):
        raise ApiError(400, msg("estimate.prompt_must_be_api_form"))
    nodes, left_out = estimate_prompt(
        comfyui.engine(),
        prompt,
        detail=request.body.get("detail") is True,
        everywhere=request.body.get("everywhere") is True,
        shows_drafts=request.body.get("shows_drafts") is True,
    )
    return {"nodes": nodes, "left_out": left_out}


def spend(request: RouteRequest) -> dict[str, Any]:
    """Sums in US dollars: today, this month, the caps; with ?by=day,provider&days=30 a table of them."""
    engine = comfyui.engine()
    history = History(engine.ledger)
    now = datetime.now()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        caps = engine.settings().caps
        limits: dict[str, Any] = {"run": caps.run, "day": caps.day, "month": caps.month}
    except ConfigError as error:
        limits = {"problem": error.message}
    found: dict[str, Any] = {
        "today": _sum(history, today.timestamp()),
        "month": _sum(history, today.replace(day=1).timestamp()),
        "caps": limits,
    }
    by = [name for name in request.query.get("by", "").split(",") if name]
    if by:
        if any(name not in GROUPS for name in by):
            raise ApiError(400, msg("estimate.by_must_be_groups", groups=", ".join(GROUPS)))
        try:
            days = max(1.0, min(float(request.query.get("days", "30")), 3660.0))
        except ValueError:
            raise ApiError(400, msg("estimate.days_must_be_number")) from None
        found["rows"] = history.spend(by, time.time() - days * 86400)
    return found


def _sum(history: History, since: float) -> dict[str, Any]:
    specs = history.spend((), since)
    total = {"pictures": 0, "usd": 0.0, "usd_in_doubt": 0.0}
    for spec in specs:
        for name in total:
            total[name] += spec[name]
    return {
        "pictures": total["pictures"],
        "usd": round(total["usd"], 6),
        "usd_in_doubt": round(total["usd_in_doubt"], 6),
    }


ROUTES = [("POST", "/estimate", estimate), ("GET", "/spend", spend)]
