"""Reads replies with tolerance: providers wrap the same picture in a dozen ways, and their JSON is not always clean.

Only what is used is read. Errors are read in `error_parsing`.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from ..pictures import sniff
from .step import Found, Reply

_CHUNK = 256 * 1024


class NotJson(ValueError):
    """The reply is not JSON at all, or cut short."""


def read_json(body: bytes) -> Any:
    """The first JSON value in `body`; a BOM before it and garbage after it are ignored. Raises NotJson."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("utf-8", "replace")
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError):
        raise NotJson("not JSON") from None


def read_object(reply: Reply) -> dict[str, Any]:
    """The JSON object of a reply. Raises NotJson."""
    value = read_json(reply.body)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0]  # some gateways wrap an error into a list
    if not isinstance(value, dict):
        raise NotJson("not a JSON object")
    return value


# --------------------------------------------------------------------------------------------------- pictures

_LEAVES = ("b64_json", "base64", "b64", "url", "image_url", "imageUrl", "output_url", "imageURL")
_CONTAINERS = (
    "data",
    "images",
    "image_urls",
    "imageUrls",
    "output",
    "outputs",
    "result",
    "results",
    "resultUrls",
    "image",
)


def pictures_in(value: Any, depth: int = 0) -> list[Found]:
    """Every picture in the known places of a reply, in order.

    Known places: `data[]`, `images[]`, `image_urls[]`, `output`, `output.outputs[]`, `data.data.data[]` and the like;
    in each an address, a data URI, base64 (also wrapped twice) or an object with one of them. Inputs that a provider
    echoes (`input`, `request`, `urls`) are not looked at.
    """
    if depth > 8:
        return []
    if isinstance(value, str):
        found = picture_of(value)
        return [found] if found else []
    if isinstance(value, list):
        return [found for item in value for found in pictures_in(item, depth + 1)]
    if isinstance(value, dict):
        for name in _LEAVES:
            leaf = value.get(name)
            if isinstance(leaf, dict):
                leaf = leaf.get("url")
            if isinstance(leaf, str) and leaf:
                found = picture_of(leaf)
                if found:
                    return [found]
        for name in _CONTAINERS:
            if name in value:
                inner = pictures_in(value[name], depth + 1)
                if inner:
                    return inner
    return []


def picture_of(text: str) -> Found | None:
    """An address, a data URI or base64 as a `Found`; None for anything else."""
    text = text.strip()
    if text[:8].lower().startswith(("http://", "https://")):
        return Found(url=text)
    data = decode_base64(text)
    return Found(data=data) if data else None


def decode_base64(text: str) -> bytes:
    """The picture in a data URI or base64 string, unwrapped up to three times; b"" when there is none."""
    for _ in range(3):
        if text[:5].lower() == "data:":
            text = text.partition(",")[2]
        data = _decode(text)
        if sniff(data):
            return data
        try:
            text = data.decode("ascii").strip()
        except UnicodeDecodeError:
            return b""
    return b""


def _decode(text: str) -> bytes:
    """Base64 in pieces, so that a picture of many megabytes doesn't hold the interpreter."""
    if not text.isascii():
        return b""
    if any(space in text for space in "\r\n \t"):
        text = "".join(text.split())
    if "-" in text or "_" in text:
        text = text.replace("-", "+").replace("_", "/")
    text = text.rstrip("=")
    pieces = bytearray()
    try:
        for start in range(0, len(text), _CHUNK):
            piece = text[start : start + _CHUNK]
            pieces += base64.b64decode(piece + "=" * (-len(piece) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return bytes(pieces)


def words_in(value: Any) -> str:
    """The model's words or the revised prompt that came with the pictures."""
    texts: list[str] = []

    def look(node: Any, depth: int) -> None:
        if depth > 6:
            return
        if isinstance(node, list):
            for item in node:
                look(item, depth + 1)
        elif isinstance(node, dict):
            for name in ("revised_prompt", "description", "text"):
                word = node.get(name)
                if isinstance(word, str) and word.strip() and word.strip() not in texts:
                    texts.append(word.strip())
            for name in ("data", "images", "output", "result"):
                if isinstance(node.get(name), (list, dict)):
                    look(node[name], depth + 1)

    look(value, 0)
    return "\n".join(texts)
