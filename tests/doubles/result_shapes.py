"""The same results in the shapes of answers that different APIs have."""

from __future__ import annotations

from pack.simulator.results import Result


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
