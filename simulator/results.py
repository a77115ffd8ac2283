"""One picture of an answer, as an address or as base64.

Made by `generation.py`, put into an API's own shape by that API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Result:
    """Exactly one of `url` (http address or data URI) and `b64` is set."""

    width: int
    height: int
    url: str = ""
    b64: str = ""
    drafts: list[Result] = field(default_factory=list)
    """What is drawn before it, where the request asks for that."""

    def entry(self) -> dict[str, Any]:
        """The entry of OpenAI's images API."""
        entry: dict[str, Any] = {"b64_json": self.b64} if self.b64 else {"url": self.url}
        return {**entry, "drafts": [draft.entry() for draft in self.drafts]} if self.drafts else entry

    def address(self) -> str:
        """For APIs that answer with addresses only: base64 takes the place of the address."""
        return self.url or self.b64
