"""The ids that providers have for their models, as a user may give them."""

from __future__ import annotations

import re

_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}")


def model_id_problem(model_id: str) -> str:
    """What is wrong with a model's id, as the end of a sentence; "" when nothing is."""
    good = _MODEL_ID.fullmatch(model_id) and ".." not in model_id and "//" not in model_id
    return "" if good else "is an id: letters, digits and . _ : / @ - only"
