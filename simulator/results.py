"""One picture of an answer, in the transport it is to travel in, and the shapes answers come in.

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


def shaped(shape: str, results: list[Result]) -> dict[str, object]:
    """The results wrapped in the shape of another API."""
    if shape == "images":
        return {"images": [{"url": result.address()} for result in results]}
    if shape == "image_urls":
        return {"image_urls": [result.address() for result in results]}
    if shape == "outputs":
        outputs = [{"type": "image", "url": result.address()} for result in results]
        return {"status_code": "succeeded", "output": {"outputs": outputs}}
    data = {"created": 1_760_000_000, "data": [result.entry() for result in results]}
    if shape == "triple":
        return {"data": {"status": "SUCCESS", "progress": "100%", "data": data}}
    return data
