"""What a validated request asks for, in terms that every API shares.

Made by an API's `read` function; turned into pictures by `generation.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .references import Reference


@dataclass
class ImageRequest:
    """A paid request after validation."""

    model: str
    prompt: str
    size: tuple[int, int]
    ratio: str
    """The ratio drawn, never `auto`."""
    resolution: str
    """As shown on the picture; empty where the model knows none."""
    price: float
    """US dollars per picture."""
    count: int = 1
    seed: int | None = None
    file_format: str = "png"
    encoding: str = "url"
    """`url`, `b64` or `datauri`."""
    references: list[Reference] = field(default_factory=list)
    asynchronous: bool = False
    """The request itself asks for a task instead of an answer."""
    drafts: int = 0
    """How many drafts come with each picture."""
    extras: dict[str, Any] = field(default_factory=dict)
    """What only its own API understands."""
