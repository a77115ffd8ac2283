"""Reads replies with tolerance: providers wrap the same picture in a dozen ways, and their JSON is not always clean.

Only what is used is read. Nothing here decides what a failure costs or whether a call is repeated.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import replace
from typing import Any

from ..errors import Fault, Kind
from ..pictures import sniff
from ..redact import redact
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


# --------------------------------------------------------------------------------------------------- failures

_WORD_FIELDS = (
    "message",
    "msg",
    "detail",
    "error",
    "error_message",
    "fail_reason",
    "failure_message",
    "failReason",
    "failMsg",
    "reason",
    "title",
    "description",
)
_CODE_FIELDS = ("code", "type", "status", "failure_code", "error_type", "failCode")

_CONTENT = re.compile(
    r"(?i)content[_ ]?polic|moderat|safety|nsfw|prohibited|sensitive|blocked|violat|image_other|recitation|no_media_generated"
)
_CREDIT = re.compile(
    r"(?i)insufficient[_ ]?(user[_ ]?)?(credit|quota|balance|fund)|pre_consume|out of credit|no credit"
    r"|balance is (too low|not enough)|payment required|arrear|billing"
)
_KEY = re.compile(
    r"(?i)api[_ -]?key|unauthor|authenticat|invalid (token|key)|invalid_api_key|token (is )?(invalid|expired)|credential"
)
_MODEL = re.compile(
    r"(?i)model[_ ](not[_ ]found|unavailable|does not exist|not exist|invalid)|unknown model|no such model"
)


def fault_words(value: Any) -> tuple[str, str]:
    """The provider's message and its codes, from any of the shapes that providers use for errors."""
    texts: list[str] = []
    codes: list[str] = []

    def look(node: Any, depth: int) -> None:
        if depth > 5 or len(texts) > 6:
            return
        if isinstance(node, str):
            if node.strip():
                texts.append(node.strip())
        elif isinstance(node, list):
            for item in node[:5]:
                look(item, depth + 1)
        elif isinstance(node, dict):
            codes.extend(str(node[name]) for name in _CODE_FIELDS if isinstance(node.get(name), (str, int)))
            if isinstance(node.get("data"), dict):
                look(node["data"], depth + 1)  # a task tells its failure there
            for name in (*_WORD_FIELDS, "errors", "loc"):
                if name in node and not (name == "loc" and not isinstance(node[name], list)):
                    item = node[name]
                    if name == "loc":
                        item = ".".join(str(part) for part in item)
                    look(item, depth + 1)

    look(value, 0)
    unique = list(dict.fromkeys(texts))
    return redact("; ".join(unique)), " ".join(codes)


def fault_of(reply: Reply) -> Fault:
    """What a reply that isn't a success says, by its status and its words."""
    try:
        value = read_json(reply.body)
    except NotJson:
        value = None
    if value is None:
        page = _page_title(reply.body)
        return Fault(_kind_by_status(reply.status, ""), page, reply.status, request_id=reply.request_id)
    words, codes = fault_words(value)
    kind = _kind_by_status(reply.status, f"{codes} {words}")
    return Fault(kind, words, reply.status, retry_after=_wish(value), request_id=reply.request_id)


def _wish(value: Any) -> float | None:
    """Seconds that a body asks to wait; None for what is no sensible number."""
    wait = value.get("retry_after") if isinstance(value, dict) else None
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait < 1e9:
        return None
    return float(wait)


def kind_by_words(words: str, otherwise: Kind) -> Kind:
    """The kind of a failure that came without a telling status."""
    if _CREDIT.search(words):
        return "credit"
    if _CONTENT.search(words):
        return "content"
    if _MODEL.search(words):
        return "model"
    return otherwise


def _kind_by_status(status: int, words: str) -> Kind:
    if status in (401, 407):
        return "key"
    if status == 402:
        return "credit"
    if status == 403:
        # Resellers use it for an empty account, others for moderation: a 403 alone doesn't mean a bad key.
        if _CREDIT.search(words):
            return "credit"
        return "content" if _CONTENT.search(words) else "key"
    if status == 404 or status == 405:
        return "model"
    if status == 413:
        return "too_large"
    if status == 429:
        return "credit" if _CREDIT.search(words) else "rate"
    if status == 451:
        return "content"
    if status == 503:
        return "model" if re.search(r"(?i)model_not_found", words) else "busy"
    if status in (408, 409) or status >= 500:
        return "server"
    if _CREDIT.search(words):
        return "credit"
    if _KEY.search(words) and status == 400:
        return "key"
    return kind_by_words(words, "invalid")


def inner_fault(reply: Reply, value: dict[str, Any]) -> Fault | None:
    """What an error `code` inside a success says, read as if it were the status; None where there is no error."""
    status = inner_status(value)
    return fault_of(replace(reply, status=status)) if status else None


def inner_status(value: Any) -> int:
    """The HTTP status of an error that a body claims in its `code`; 0 when it claims none."""
    code = value.get("code") if isinstance(value, dict) else None
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600 else 0


def unreadable(reply: Reply) -> Fault:
    """A success that can't be read."""
    return Fault("unreadable", _page_title(reply.body), reply.status, request_id=reply.request_id)


def no_picture(reply: Reply, value: Any) -> Fault:
    """A success without any picture: with the model's or provider's own words where there are some."""
    words = words_in(value)
    said, codes = fault_words(value)
    text = redact(words) or said
    kind = kind_by_words(f"{codes} {said} {words}", "empty")
    return Fault(kind, text, reply.status, request_id=reply.request_id)


def _page_title(body: bytes) -> str:
    """What a web page in place of JSON calls itself, or the first words of anything else."""
    text = body[:4000].decode("utf-8", "replace")
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    if title:
        return redact("a web page titled " + title[1])
    return redact(re.sub(r"<[^>]+>", " ", text), 160)
