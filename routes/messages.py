"""GET messages/{language}: the texts of the messages in a language, by id; English where it lacks one."""

from __future__ import annotations

import re
from typing import Any

from ..core.errors.messages import catalogue
from .security import RouteRequest


def texts(request: RouteRequest) -> dict[str, Any]:
    """A language without a file has the English texts."""
    language = request.path["language"]
    own = catalogue(language) if re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", language) else {}
    return {"texts": {**catalogue("en"), **own}}


ROUTES = [("GET", "/messages/{language}", texts)]
