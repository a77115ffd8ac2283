"""Finds the result images of a successful answer, whatever API it came through: the one place that says what a result is.

Providers wrap the same image in a dozen ways, and copies of an API mix them. Every dialect asks `result_images` before it
says that an answer holds none. Known shapes, each seen at a provider, in a vendor's SDK or in a public report:

    candidates[].content.parts[]      Gemini: inline data or a file address; a part with `thought` is a draft
    choices[].message                 chat: `images`, `content` as text or as a list of parts, `multi_mod_content`
    data, images, output, result ...  image APIs and tasks: addresses, data URIs, base64 (also wrapped twice)
    text anywhere above               a markdown image, an <img>, an address alone on its line, a data URI

Inputs that a provider echoes (`input`, `request`, `urls`, `messages`) are never looked at. Where none of these places has an
image, `images_by_content` looks for the bytes of one in all others. Pure functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from ...http.long_text import LongText
from ...images.picture import sniff
from ..base.step import ImageRef
from .base64_text import decode_base64 as decode_base64
from .envelopes import json_in
from .error_phrases import declines
from .image_names import named_as_images, without_other_roles
from .images_by_content import images_by_content
from .split_images import with_joined_images
from .text_images import (
    Text,
    address_in_sentence,
    cleaned_address,
    image_lines,
    images_of,
    relative_address,
    split_text,
)

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
    "predictions",
    "artifacts",
    "assets",
    "files",
    "media",
    "attachments",
    "generations",
    "urls",
    "response",
    "task",
    "payload",
)
"""Looked into before the address of the object itself, which may be that of a page about it."""
_MESSAGE_FIELDS = (
    "images",
    "image",
    "image_url",
    "image_urls",
    "imageUrls",
    "attachments",
    "files",
    "media",
    "annotations",
)
"""What has the images of a message, or of its choice."""
_HOLDERS = ("image", "item", "file", "source", "message", "content", "sample")
"""Looked into where the object itself has no address."""
_WORD_FIELDS = ("revised_prompt", "description", "text")


@dataclass(frozen=True)
class ResultImages:
    """What an answer holds beside errors."""

    images: tuple[ImageRef, ...]
    """The results, in the order of the answer. A draft is in here only when it is the result."""
    text: str = ""
    """The text beside them, without the markup of images."""
    is_draft: bool = False
    """Whether the only image is a draft that the model drew while thinking."""
    has_draft: bool = False
    """Whether the answer holds a draft, result or not."""
    drafts: tuple[ImageRef, ...] = ()
    """What the model drew while thinking, in the order of the answer, without the draft that is the result."""
    has_broken_image: bool = False
    """Whether there is image data that is no image, or an address that can't be fetched, such as one of a bucket."""


def result_images(value: Any, *, anywhere: bool = True, prompt: str = "") -> ResultImages:
    """The result images of a parsed answer and the text beside them.

    A draft is the result only where the answer ended with STOP, or names no end, and holds neither a finished image nor
    text: text beside a draft is a refusal. `anywhere`: where no known place has an image, it is looked for in all others,
    which is only right for an answer that has to have one: others repeat what was sent. `prompt`: the words of the user,
    whose addresses are no results.
    """
    if isinstance(value, dict) and says_failure(value):
        return ResultImages(())  # what comes with a stated failure is a placeholder
    value = with_joined_images(value)
    found = _in_known_places(value)
    if found.images or found.has_draft or not anywhere:
        return found
    images = tuple(replace(image, is_guess=True) for image in images_by_content(value))
    if not images and not declines(found.text, prompt):
        images = tuple(address_in_sentence(found.text, prompt))
    return replace(found, images=images, has_broken_image=found.has_broken_image and not images)


def says_failure(value: dict[str, Any]) -> bool:
    """Whether an answer says by a field of its own that it is a failure."""
    return any(name in value and str(value[name]).strip().lower() == "false" for name in ("success", "ok"))


def _in_known_places(value: Any) -> ResultImages:
    if isinstance(value, dict) and isinstance(named(value, "candidates"), list):
        found = _gemini_images(value)
        if found.images or found.has_draft or found.has_broken_image:
            return found
        images = tuple(images_in(value))
        return ResultImages(images, found.text)
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        found = _chat_images(value)
        images = found.images or tuple(images_in(value))
        return ResultImages(images, found.text)
    images = tuple(images_in(value))
    if not images and isinstance(value, dict):
        images = tuple(
            each for name in ("text", "content", "output_text") for each in images_in_content(value.get(name))
        )
    return ResultImages(images, text_beside_images(value))


# ---------------------------------------------------------------------------------------------- known answers


def draft_images(value: Any) -> list[ImageRef]:
    """What the model drew while thinking, in an answer of Gemini's shape or one event of its stream."""
    if not isinstance(value, dict) or not isinstance(named(value, "candidates"), list):
        return []
    return [image for part in _gemini_parts(value) if part.get("thought") is True for image in part_images(part)]


def _gemini_parts(value: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for candidate in named(value, "candidates"):
        content = named(candidate, "content")
        listed = named(content, "parts") if isinstance(content, dict) else content
        listed = [listed] if isinstance(listed, dict) else listed
        parts += [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    return parts


def _gemini_images(value: dict[str, Any]) -> ResultImages:
    """Gemini's shape, and its copies in snake_case."""
    candidates = [each for each in named(value, "candidates") if isinstance(each, dict)]
    parts, drafts = _gemini_parts(value), draft_images(value)
    final = [part for part in parts if part.get("thought") is not True]
    in_text, text = _text_images([part["text"] for part in final if isinstance(part.get("text"), Text)])
    images = [image for part in final for image in part_images(part)] or in_text
    images = images or [image for part in final if "text" not in part for image in images_in(part)]
    images = images or _first_images_in({"images": candidates}, ("images",), 0)
    broken = not images and not drafts and any(_has_image_data(part) for part in parts)
    if images or not drafts:
        return ResultImages(tuple(images), text, has_draft=bool(drafts), drafts=tuple(drafts), has_broken_image=broken)
    if text or not _ended_well(value, candidates):
        return ResultImages((), text, has_draft=True, drafts=tuple(drafts))
    return ResultImages(tuple(drafts[-1:]), text, is_draft=True, has_draft=True, drafts=tuple(drafts[:-1]))


def _text_images(texts: list[Text]) -> tuple[list[ImageRef], str]:
    """The images in the texts of an answer's parts, and the text beside them."""
    joined = "\n".join(text.strip() for text in texts if isinstance(text, str) and text.strip())
    images: list[ImageRef] = []
    rests: list[str] = []
    pieces: list[Text] = [joined, *(text for text in texts if isinstance(text, LongText))]
    for text in pieces:
        found, rest = split_text(text)
        other = [] if found else images_in_content(text)
        images += other or found
        rests += [rest] if rest and not other else []
    return images, "\n".join(rests)


def _ended_well(value: dict[str, Any], candidates: list[dict[str, Any]]) -> bool:
    """Whether nothing says that the answer ended in another way than by itself."""
    if named(value, "promptFeedback") and (named(named(value, "promptFeedback"), "blockReason")):
        return False
    reasons = [str(named(candidate, "finishReason") or "").upper() for candidate in candidates]
    return all(reason in ("", "STOP", "FINISH_REASON_STOP", "FINISH_REASON_UNSPECIFIED") for reason in reasons)


def part_images(part: dict[str, Any]) -> list[ImageRef]:
    """The images of one part of a Gemini answer, addresses or bytes: one, but for odd copies."""
    for name, inner in (("inlineData", "data"), ("fileData", "fileUri")):
        holder = named(part, name)
        text = named(holder, inner) if isinstance(holder, dict) else None
        if found := images_of(text) if _is_filled(text) else []:
            return found
    return []


def _has_image_data(part: dict[str, Any]) -> bool:
    for name, inner in (("inlineData", "data"), ("fileData", "fileUri")):
        holder = named(part, name)
        data = named(holder, inner) if isinstance(holder, dict) else None
        if _is_filled(data):
            return True
    return False


def _chat_images(value: dict[str, Any], depth: int = 0) -> ResultImages:
    """The shape of a chat completion; only the first choice that holds an image counts."""
    texts: list[str] = []
    for choice in value["choices"]:
        for message in _messages_of(choice):
            images = _first_images_in(message, _MESSAGE_FIELDS, depth)
            in_content = images_in_content(message.get("content"), depth)
            images = images or in_content or images_in_content(message.get("multi_mod_content"), depth)
            images = images or _first_images_in(choice, _MESSAGE_FIELDS, depth)
            texts += [
                text for text in (text_of_content(message.get("content")), _string(message.get("refusal"))) if text
            ]
            if images:
                return ResultImages(tuple(images), "\n".join(texts))
    return ResultImages((), "\n".join(dict.fromkeys(texts)))


def _messages_of(choice: Any) -> list[dict[str, Any]]:
    """The messages of a choice: one, also as a text alone, or a list of them."""
    if not isinstance(choice, dict):
        return []
    message = choice.get("message")
    if isinstance(message, Text):
        return [{"content": message}]
    if isinstance(message, list):
        return [each for each in message if isinstance(each, dict)]
    if not isinstance(message, dict):
        message = choice.get("delta") or {**choice, "content": choice.get("text")}
    return [message] if isinstance(message, dict) else []


def images_in_content(content: Any, depth: int = 0) -> list[ImageRef]:
    """The images of a message's content: text, or a list of typed parts."""
    if isinstance(content, Text):
        found = split_text(content)[0] or images_of(content)
        return found or images_in(json_in(content), depth + 1) or image_lines(content)[0]
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return []
    found = []
    in_text: list[ImageRef] = []
    for part in content:
        if isinstance(part, Text):
            in_text += split_text(part)[0]
        elif isinstance(part, dict):
            images = part_images(part) or images_in(part, depth + 1) or images_in(part.get("source"), depth + 1)
            found += images
            if not images and isinstance(part.get("text"), Text):
                in_text += split_text(part["text"])[0]
    return found or in_text


def text_of_content(content: Any) -> str:
    """The text of a message's content, without the markup of images."""
    if isinstance(content, Text):
        rest = "" if images_of(content) or images_in(json_in(content)) else split_text(content)[1]
        return image_lines(rest)[1] if rest else ""
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") if isinstance(part, dict) else part for part in content]
    return "\n".join(rest for text in texts if isinstance(text, Text) and (rest := split_text(text)[1]))


# ---------------------------------------------------------------------------------------------- anything else


def images_in(value: Any, depth: int = 0) -> list[ImageRef]:
    """Every image in the known places of a JSON value, in order; `data[]`, `images[]`, `output.outputs[]` and the like."""
    if depth > _DEEPEST:
        return []
    if isinstance(value, Text):
        return images_of(value) or split_text(value)[0]
    if isinstance(value, list):
        return [found for item in without_other_roles(value) for found in images_in(item, depth + 1)]
    if not isinstance(value, dict):
        return []
    if value.get("type") == "Buffer":
        return _field_images(value, depth)
    if depth and isinstance(value.get("choices"), list):
        return list(_chat_images(value, depth + 1).images)
    named = _named_images(value, _BASE64_FIELDS)
    if named:
        return named
    inner = _first_images_in(value, _CONTAINERS, depth)
    if inner:
        return inner
    named = _named_images(value, _URL_FIELDS) or part_images(value)
    if named:
        return named
    inner = _first_images_in(value, _HOLDERS, depth)
    if inner:
        return inner
    return next(
        (leaf for item in named_as_images(value, (*_CONTAINERS, *_HOLDERS)) if (leaf := _field_images(item, depth))), []
    )


def _first_images_in(value: dict[str, Any], names: tuple[str, ...], depth: int) -> list[ImageRef]:
    """The images in the first of these fields that has some."""
    for name in names:
        if not _may_hold(value.get(name)) or (name == "message" and not isinstance(value[name], dict)):
            continue  # a message that is a text says something about the request
        inner = images_in(json_in(value[name]) or value[name], depth + 1)
        if not inner and name == "content" and isinstance(value[name], list):
            inner = images_in_content(value[name], depth + 1)
        if inner:
            return inner
    return []


def _may_hold(item: Any) -> TypeGuard[Any]:
    return bool(item) if not isinstance(item, LongText) else True


def _field_images(item: Any, depth: int) -> list[ImageRef]:
    """The images of a field whose name says that it is one."""
    if isinstance(item, dict) and item.get("type") == "Buffer":  # how Node.js writes bytes as JSON
        item = item.get("data")
    if isinstance(item, list) and item and all(isinstance(each, int) and 0 <= each < 256 for each in item):
        data = bytes(item)
        return [ImageRef(data=data)] if sniff(data) else []
    if isinstance(item, (dict, list)):
        return images_in(item, depth + 1)
    if not _is_filled(item):
        return []
    return images_of(item) or _relative(item) or split_text(item)[0]


def _named_images(value: dict[str, Any], names: tuple[str, ...]) -> list[ImageRef]:
    """The images of an object with one of the fields that name them."""
    for name in names:
        leaf = value.get(name)
        if isinstance(leaf, dict):
            leaf = leaf.get("url") or leaf.get("data")
        if _is_filled(leaf):
            found = images_of(leaf) or (_relative(leaf) if name in _URL_FIELDS else [])
            if found := found or split_text(leaf)[0] or images_of(cleaned_address(leaf)):
                return found
    return []


def _relative(text: Text) -> list[ImageRef]:
    found = relative_address(text)
    return [found] if found else []


# ------------------------------------------------------------------------------------------------------ text


def text_beside_images(value: Any) -> str:
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
                if isinstance(word, Text) and (text := text_of_content(word)) and text not in texts:
                    texts.append(text)
            for name in ("data", "images", "output", "result"):
                if isinstance(node.get(name), (list, dict)):
                    look(node[name], depth + 1)

    look(value, 0)
    return "\n".join(texts)


def named(node: Any, name: str) -> Any:
    """A field of an object by its camelCase name or its snake_case twin; None without one."""
    if not isinstance(node, dict):
        return None
    if name in node:
        return node[name]
    return node.get(re.sub(r"[A-Z]", lambda capital: "_" + capital[0].lower(), name))


def _is_filled(value: Any) -> TypeGuard[Text]:
    return isinstance(value, LongText) or (isinstance(value, str) and bool(value.strip()))


def _string(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
