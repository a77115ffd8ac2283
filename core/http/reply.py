"""An HTTP answer as dialects read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reply:
    """An answer, read completely."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    request_id: str = ""
    prompt: str = field(default="", repr=False)
    """The user's own words that went along: an error may repeat them, and means nothing by them."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300
