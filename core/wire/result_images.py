"""Finds the result images of a successful answer, whatever API it came through: the one place that says what a result is.

Providers wrap the same image in a dozen ways, and copies of an API mix them. Every dialect asks `result_images` before it
says that an answer holds none. Known shapes, each seen at a provider, in a vendor's SDK or in a public report:

    candidates[].content.parts[]      Gemini: inline data or a file address; a part with `thought` is a draft
    choices[].message                 chat: `images`, `content` as text or as a list of parts, `multi_mod_content`
    data, images, output, result ...  image APIs and tasks: addresses, data URIs, base64 (also wrapped twice)
    text anywhere above               a markdown image, an <img>, an address alone on its line, a data URI

Inputs that a provider echoes (`input`, `request`, `urls`, `messages`) are never looked at. Pure functions.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..pictures import sniff
from .step import Found

_CHUNK = 256 * 1024
_DEEPEST = 8
_URL_FIELDS = ("url", "image_url", "imageUrl", "output_url", "imageURL", "image_uri", "uri", "fileUri", "file_uri")
_BASE64_FIELDS = ("b64_json", "base64", "b64", "image_base64", "bytesBase64Encoded")
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
    "predictions",
)
_WORD_FIELDS = ("revised_prompt", "description", "text")
_IMAGE_PATH = re.compile(r"(?i)\.(png|jpe?g|webp|gif|bmp|tiff?|avif|heic)$")
_PATH = re.compile(r"//?[\w%~@+.-][\w/%~@+.,:=-]*(\?[^\s\"'<>]*)?")
_MARKDOWN_IMAGE = re.compile(r"!\[[^\]\n]{0,300}\]\(\s{0,4}")
_HTML_IMAGE = re.compile(r"<img\b[^>]{0,300}?\bsrc\s{0,4}=\s{0,4}[\"']?", re.IGNORECASE)
_ENDS = frozenset(" \t\r\n)>\"'`]|")


@dataclass(frozen=True)
class ResultImages:
    """What an answer holds beside errors."""

    images: tuple[Found, ...]
    """The results, in the order of the answer. A draft is in here only when it is the result."""
    text: str = ""
    """The words beside them, without the markup of images."""
    is_draft: bool = False
    """Whether the only image is a draft that the model drew while thinking."""
    has_draft: bool = False
    """Whether the answer holds a draft, result or not."""
    has_broken_image: bool = False
    """Whether there is image data that is no image, or an address that can't be fetched, such as one of a bucket."""


def result_images(value: Any) -> ResultImages:
    """The result images of a parsed answer and the words beside them.

    A draft is the result only where the answer ended with STOP, or names no end, and holds neither a finished image nor
    words: words beside a draft are a refusal.
    """
    if isinstance(value, dict) and isinstance(_field(value, "candidates"), list):
        found = _of_candidates(value)
        if found.images or found.has_draft or found.has_broken_image:
            return found
        images = tuple(images_in(value))
        return ResultImages(images, found.text)
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        found = _of_choices(value)
        images = found.images or tuple(images_in(value))
        return ResultImages(images, found.text)
    images = tuple(images_in(value))
    if not images and isinstance(value, dict):
        images = tuple(
            each for name in ("text", "content", "output_text") for each in images_in_content(value.get(name))
        )
    return ResultImages(images, words_in(value))


# ---------------------------------------------------------------------------------------------- known answers


def _of_candidates(value: dict[str, Any]) -> ResultImages:
    """Gemini's shape, and its copies in snake_case."""
    candidates = [each for each in _field(value, "candidates") if isinstance(each, dict)]
    parts: list[dict[str, Any]] = []
    for candidate in candidates:
        content = _field(candidate, "content")
        listed = _field(content, "parts") if isinstance(content, dict) else content
        parts += [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    final = [part for part in parts if part.get("thought") is not True]
    drafts = [image for part in parts if part.get("thought") is True for image in _of_part(part)]
    said = "\n".join(
        part["text"].strip() for part in final if isinstance(part.get("text"), str) and part["text"].strip()
    )
    in_text, words = split_text(said)
    whole = None if in_text else image_of(said)
    if whole is not None:
        in_text, words = [whole], ""
    images = [image for part in final for image in _of_part(part)] or in_text
    broken = not images and not drafts and any(_claims_data(part) for part in parts)
    if images or not drafts:
        return ResultImages(tuple(images), words, has_draft=bool(drafts), has_broken_image=broken)
    if words or not _ended_well(value, candidates):
        return ResultImages((), words, has_draft=True)
    return ResultImages(tuple(drafts[-1:]), words, is_draft=True, has_draft=True)


def _ended_well(value: dict[str, Any], candidates: list[dict[str, Any]]) -> bool:
    """Whether nothing says that the answer ended in another way than by itself."""
    if _field(value, "promptFeedback") and (_field(_field(value, "promptFeedback"), "blockReason")):
        return False
    reasons = [str(_field(candidate, "finishReason") or "").upper() for candidate in candidates]
    return all(reason in ("", "STOP", "FINISH_REASON_STOP", "FINISH_REASON_UNSPECIFIED") for reason in reasons)


def _of_part(part: dict[str, Any]) -> list[Found]:
    """The image of one part of a Gemini answer, an address or bytes."""
    for name, inner in (("inlineData", "data"), ("fileData", "fileUri")):
        holder = _field(part, name)
        text = _field(holder, inner) if isinstance(holder, dict) else None
        found = image_of(text) if isinstance(text, str) and text.strip() else None
        if found is not None:
            return [found]
    return []


def _claims_data(part: dict[str, Any]) -> bool:
    for name, inner in (("inlineData", "data"), ("fileData", "fileUri")):
        holder = _field(part, name)
        data = _field(holder, inner) if isinstance(holder, dict) else None
        if isinstance(data, str) and data.strip():
            return True
    return False


def _of_choices(value: dict[str, Any]) -> ResultImages:
    """The shape of a chat completion; only the first choice that holds an image counts."""
    words: list[str] = []
    for choice in value["choices"]:
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            message = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            continue
        images = images_in(message.get("images")) or images_in(message.get("image"))
        in_content = images_in_content(message.get("content"))
        images = images or in_content or images_in_content(message.get("multi_mod_content"))
        words += [text for text in (text_of_content(message.get("content")), _string(message.get("refusal"))) if text]
        if images:
            return ResultImages(tuple(images), "\n".join(words))
    return ResultImages((), "\n".join(dict.fromkeys(words)))


def images_in_content(content: Any) -> list[Found]:
    """The images of a message's content: text, or a list of typed parts."""
    if isinstance(content, str):
        return split_text(content)[0] or [each for each in [image_of(content)] if each]
    if not isinstance(content, list):
        return []
    found: list[Found] = []
    in_text: list[Found] = []
    for part in content:
        if isinstance(part, str):
            in_text += split_text(part)[0]
        elif isinstance(part, dict):
            images = _of_part(part) or images_in(part) or images_in(part.get("source"))
            found += images
            if not images and isinstance(part.get("text"), str):
                in_text += split_text(part["text"])[0]
    return found or in_text


def text_of_content(content: Any) -> str:
    """The words of a message's content, without the markup of images."""
    if isinstance(content, str):
        return split_text(content)[1]
    if not isinstance(content, list):
        return ""
    texts = [part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, (str, dict))]
    return "\n".join(words for text in texts if isinstance(text, str) and (words := split_text(text)[1]))


# ---------------------------------------------------------------------------------------------- anything else


def images_in(value: Any, depth: int = 0) -> list[Found]:
    """Every image in the known places of a JSON value, in order; `data[]`, `images[]`, `output.outputs[]` and the like."""
    if depth > _DEEPEST:
        return []
    if isinstance(value, str):
        found = image_of(value)
        return [found] if found else split_text(value)[0]
    if isinstance(value, list):
        return [found for item in value for found in images_in(item, depth + 1)]
    if not isinstance(value, dict):
        return []
    named = _named_image(value)
    if named:
        return [named]
    for name in _CONTAINERS:
        if name in value:
            inner = images_in(value[name], depth + 1)
            if inner:
                return inner
    return []


def _named_image(value: dict[str, Any]) -> Found | None:
    """The image of an object with one of the fields that name it; base64 before an address, which may be stale."""
    for name in (*_BASE64_FIELDS, *_URL_FIELDS):
        leaf = value.get(name)
        if isinstance(leaf, dict):
            leaf = leaf.get("url") or leaf.get("data")
        if isinstance(leaf, str) and leaf.strip():
            found = image_of(leaf) or (_relative(leaf) if name in _URL_FIELDS else None)
            if found:
                return found
    for found in _of_part(value):
        return found
    return None


def image_of(text: str) -> Found | None:
    """An address, a data URI or base64 as a `Found`; None for anything else."""
    text = text.strip()
    if text[:8].lower().startswith(("http://", "https://")):
        return None if any(space in text for space in '\r\n\t <>"') else Found(url=text)
    data = decode_base64(text)
    return Found(data=data) if data else None


def _relative(text: str) -> Found | None:
    """An address without a host, or without its scheme; whoever fetches it joins it to the provider's own address."""
    text = text.strip()
    if len(text) > 2000 or "://" in text.partition("?")[0]:
        return None
    if _PATH.fullmatch(text):
        return Found(url=text)
    path = text.partition("?")[0]
    plain = re.fullmatch(r"(\./)?[\w%~@+.-]+(/[\w%~@+.-]+)*", path) and ".." not in path
    return Found(url=text) if plain and _IMAGE_PATH.search(path) else None


# --------------------------------------------------------------------------------------------------- in text


def split_text(text: str) -> tuple[list[Found], str]:
    """The images that a text names or carries, and the text without their markup.

    A markdown image and an <img> are taken whatever their address looks like. An address alone on its line (also in angle
    brackets, or as a markdown link) is one where its path ends like an image file's, or where the text is nothing else.
    """
    if not text or not any(mark in text for mark in ("http", "data:", "](", "<img", "<IMG")):
        return [], text.strip()
    images: list[Found] = []
    rest: list[str] = []
    at = 0
    for start, opened, end in _marked(text):
        if start < at:
            continue
        target = _target(text, opened)
        found = image_of(target) or _relative(target)
        if found is None:
            continue
        images.append(found)
        rest.append(text[at:start])
        at = _closing(text, opened + len(target), end)
    rest.append(text[at:])
    words = "".join(rest)
    if not images:
        images, words = _bare(words)
    return images, "\n".join(line.rstrip() for line in words.strip().splitlines() if line.strip())


def _marked(text: str) -> Iterator[tuple[int, int, str]]:
    """Where a markdown image, an <img> or a data URI starts, where its address does, and what closes it."""
    marks = [(match.start(), match.end(), ")") for match in _MARKDOWN_IMAGE.finditer(text)]
    marks += [(match.start(), match.end(), ">") for match in _HTML_IMAGE.finditer(text)]
    at = text.find("data:image/")
    while at >= 0:
        marks.append((at, at, ""))
        at = text.find("data:image/", at + 1)
    return iter(sorted(marks))


def _target(text: str, start: int) -> str:
    """The address or data URI that begins at `start`, up to what can't be a part of one."""
    if text[start : start + 1] == "<":
        start += 1
    if text.startswith("data:", start):
        # Found with C-speed searches: a data URI has megabytes.
        ends = [at for mark in (")", '"', "'", ">", " ", "\n", "`", "]") if (at := text.find(mark, start)) >= 0]
        return text[start : min(ends, default=len(text))]
    end = start
    depth = 0
    while end < len(text) and end - start < 4000:
        letter = text[end]
        depth += letter == "("
        if letter in _ENDS and not (letter == ")" and depth > 0):
            break
        depth -= letter == ")"
        end += 1
    return text[start:end]


def _closing(text: str, at: int, closes: str) -> int:
    """Behind the mark that ends an image's markup, where it is near; an optional title stands before it."""
    if not closes:
        return at
    end = text.find(closes, at, at + 300)
    return at if end < 0 else end + 1


def _bare(text: str) -> tuple[list[Found], str]:
    """Addresses that stand alone on their line."""
    lines = text.splitlines()
    found: list[tuple[int, Found, bool]] = []
    for number, line in enumerate(lines):
        bare = line.strip().strip("*_`").strip()
        link = re.fullmatch(r"(?:[-*\d.]{1,4}\s+)?\[[^\]]{0,300}\]\(\s*<?(\S+?)>?\s*\)", bare)
        bare = link[1] if link else re.sub(r"^(?:[-*]|\d{1,2}[.)])\s+", "", bare).strip("<>")
        if len(bare) > 4000 or not re.fullmatch(r"(?i)https?://\S+", bare):
            continue
        likely = bool(_IMAGE_PATH.search(re.split(r"[?#]", bare)[0]))
        found.append((number, Found(url=bare), likely))
    others = [line for number, line in enumerate(lines) if line.strip() and number not in {at for at, _, _ in found}]
    taken = [(number, image) for number, image, likely in found if likely or not others]
    numbers = {number for number, _ in taken}
    words = "\n".join(line for number, line in enumerate(lines) if number not in numbers)
    return [image for _, image in taken], words


# --------------------------------------------------------------------------------------------------- base64


def decode_base64(text: str) -> bytes:
    """The image in a data URI or base64 string, unwrapped up to three times; b"" when there is none."""
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
    """Base64 in pieces, so that an image of many megabytes doesn't hold the interpreter."""
    if not text.isascii():
        return b""
    if any(space in text for space in "\r\n \t"):
        text = "".join(text.split())
    if "%" in text[-9:]:
        text = text.replace("%3D", "=").replace("%3d", "=")
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


# --------------------------------------------------------------------------------------------------- words


def words_in(value: Any) -> str:
    """The model's words or the revised prompt that came with the images."""
    texts: list[str] = []

    def look(node: Any, depth: int) -> None:
        if depth > 6:
            return
        if isinstance(node, list):
            for item in node:
                look(item, depth + 1)
        elif isinstance(node, dict):
            for name in _WORD_FIELDS:
                word = node.get(name)
                if isinstance(word, str) and (words := split_text(word)[1]) and words not in texts:
                    texts.append(words)
            for name in ("data", "images", "output", "result"):
                if isinstance(node.get(name), (list, dict)):
                    look(node[name], depth + 1)

    look(value, 0)
    return "\n".join(texts)


def _field(node: Any, name: str) -> Any:
    """A field of an object by its camelCase name or its snake_case twin; None without one."""
    if not isinstance(node, dict):
        return None
    if name in node:
        return node[name]
    return node.get(re.sub(r"[A-Z]", lambda capital: "_" + capital[0].lower(), name))


def _string(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
