"""Reads an answer of Gemini as it goes back in the next request of a conversation: each part with its thought signature.

Google's image guide: each picture that is no thought has a signature, and so has the first text after the thoughts; they go
back as they came, on the part they came on. A picture without the one it had is refused with 400. Thoughts have none, and
what was drawn while thinking is not part of the answer: such a part goes back only where it has a signature after all.
"""

from __future__ import annotations

from typing import Any

from ...http.long_text import LongText
from ...request.conversation import Part
from ..base.step import ImageRef, ModelTurn
from .result_images import named, part_images

MOST_SIGNATURE = 8 << 20
"""Characters of a signature; an answer with a longer one is not kept."""
MOST_PARTS = 64


def model_turn(value: dict[str, Any]) -> ModelTurn | None:
    """The answer of the only candidate; None where it holds no picture, or something that can't be sent back as it is."""
    candidates = named(value, "candidates")
    if not isinstance(candidates, list) or len(candidates) != 1:
        return None
    parts = named(named(candidates[0], "content"), "parts")
    if not isinstance(parts, list) or len(parts) > MOST_PARTS:
        return None
    found: list[Part[ImageRef]] = []
    for part in parts:
        signature = _text(named(part, "thoughtSignature"))
        if not isinstance(part, dict) or signature is None:
            return None
        if part.get("thought") is True and not signature:
            continue
        one = _part(part, signature)
        if one is None:
            return None
        found.append(one)
    return ModelTurn(tuple(found)) if any(part.picture and not part.thought for part in found) else None


def _part(part: dict[str, Any], signature: str) -> Part[ImageRef] | None:
    """None for a part of another kind than words and pictures inside the answer."""
    unknown = set(part) - {"text", "inlineData", "inline_data", "thought", "thoughtSignature", "thought_signature"}
    if unknown:
        return None
    thought = part.get("thought") is True
    if "text" in part:
        text = _text(part["text"])
        return None if text is None else Part(text, signature=signature, thought=thought)
    images = part_images(part)
    mime = _text(named(named(part, "inlineData"), "mimeType"))
    if len(images) != 1 or images[0].url or not mime:
        return None
    return Part(picture=images[0], mime=mime, signature=signature, thought=thought)


def _text(value: Any) -> str | None:
    """A text of an answer, "" for none; None for what is no text, or too long."""
    if value is None:
        return ""
    if isinstance(value, LongText):
        if sum(span.end - span.start for span in value.spans) > MOST_SIGNATURE:
            return None
        try:
            return value.read().decode()
        except ValueError:
            return None
    return value if isinstance(value, str) and len(value) <= MOST_SIGNATURE else None
