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
        """As most APIs of the images family show it."""
        return {"b64_json": self.b64} if self.b64 else {"url": self.url}

    def address(self) -> str:
        """As APIs show it that know addresses only: base64 becomes the address itself."""
        return self.url or self.b64
