"""One picture of an answer, as an address or as base64.

Made by `generation.py`, put into an API's own shape by that API.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Result:
    """Exactly one of `url` (http address or data URI) and `b64` is set."""

    width: int
    height: int
    url: str = ""
    b64: str = ""

    def entry(self) -> dict[str, str]:
        """The entry of OpenAI's images API."""
        return {"b64_json": self.b64} if self.b64 else {"url": self.url}

    def address(self) -> str:
        """For APIs that answer with addresses only: base64 takes the place of the address."""
        return self.url or self.b64
