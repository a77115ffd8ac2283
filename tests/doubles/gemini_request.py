"""Reads the body of a `generateContent` request: every field checked, its turns turned into a prompt and pictures.

Names may be in camel case or in the snake case of the protocol buffers, bytes in either base64 alphabet, enum values in
either case, as the JSON of protocol buffers allows. The vendor's SDK (google-genai 3.6) mixes all of these in one body,
and leaves out what has a default: the modalities, the whole configuration. Several turns are a conversation, whose pictures
are references of the last one. Whatever else neither the image guide nor the SDK names is refused.

A signature is made of the content of its part, so that one which is missing, altered, made up or on another part is found.
What Google says then: public reports (langchain-google 1431, archestra 2548, a reseller's page about the error).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pack.simulator.fields import Check, check_fields, choice, flag, json_object, number, text, whole, wrong
from pack.simulator.problem import Problem
from pack.simulator.references import FORMATS, Reference, decode

MOST = 14
CATEGORIES = tuple(
    f"HARM_CATEGORY_{name}"
    for name in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")
)
THRESHOLDS = ("BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF")
_SECRET = b"simulated"
_DATA = ("text", "inlineData", "fileData")

FileOf = Callable[[str, str, str], Reference]
"""The picture behind a `fileUri`: field, address, MIME type. Raises Problem."""


@dataclass(frozen=True)
class Takes:
    """What one model at one API takes."""

    ratios: tuple[str, ...]
    sizes: tuple[str, ...]
    levels: tuple[str, ...]
    thinks: bool
    searches: bool
    instructed: bool
    formats: bool
    """Whether the file format can be asked for."""


def camel_names(value: Any, where: str = "") -> Any:
    """`value` with every field name in camel case. Raises Problem where a field is given in both spellings."""
    if isinstance(value, list):
        return [camel_names(entry, where) for entry in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, entry in value.items():
        camel = re.sub(r"_([a-z0-9])", lambda letter: letter[1].upper(), name)
        if camel in found:
            raise wrong(f"{where}{name}", "is given in two spellings")
        found[camel] = camel_names(entry, f"{where}{camel}.")
    return found


def checked(fields: dict[str, Any], takes: Takes) -> dict[str, Any]:
    """The fields in camel case, each known and right. Raises Problem."""
    checks: dict[str, Check] = {
        "contents": _contents,
        "generationConfig": _config(takes),
        "tools": _tools(takes),
        "safetySettings": _safety,
        "systemInstruction": _instruction(takes),
    }
    found = check_fields(camel_names(fields), checks, ("contents",))
    return {"generationConfig": {}, **found}


def read_turns(
    contents: list[dict[str, Any]], file_of: FileOf, seen: Callable[[list[Reference]], None], signed: bool
) -> tuple[str, list[Reference]]:
    """The prompt of the last turn, and the pictures of all turns. Raises Problem.

    `seen` is told of the pictures as they are decoded. `signed`: the model's own pictures need their signature back.
    """
    prompts: list[str] = []
    references: list[Reference] = []
    for where, turn, part in _parts_of(contents):
        if part.get("thought") is True:
            continue
        if signed and turn["role"] == "model":
            _check_signature(contents.index(turn), turn, part)
        if "text" in part:
            if turn is contents[-1]:
                prompts.append(text()(f"{where}.text", part["text"]))
            continue
        references.append(_picture(where, part, file_of))
        seen(references)
    if not prompts:
        raise wrong("contents", "a text is expected in the last turn by the simulator")
    if sum("text" not in part for part in contents[-1]["parts"]) > MOST:
        raise wrong("contents", f"more than {MOST} pictures")
    return "\n".join(prompts), references


def signature(content: bytes) -> str:
    """The thought signature of a part made here, in base64. `content`: its picture's bytes, or its text."""
    return base64.b64encode(hmac.digest(_SECRET, content, "sha256") * 40).decode("ascii")


def _check_signature(number_: int, turn: dict[str, Any], part: dict[str, Any]) -> None:
    """A picture has the signature it came with, and so has the first text after the thoughts. Raises Problem."""
    answered = [each for each in turn["parts"] if each.get("thought") is not True]
    place = turn["parts"].index(part)
    given, is_text = part.get("thoughtSignature"), "text" in part
    if not given and not (is_text and part is not answered[0]):
        kind = "Text" if is_text else "Image"
        raise Problem(
            400,
            f"{kind} part is missing a thought_signature in content position {number_ + 1}, part position {place + 1}.",
        )
    if given and (is_text or "inlineData" in part):
        data = part["text"].encode() if is_text else unbase64("data", part["inlineData"]["data"])
        if unbase64("thoughtSignature", given) != base64.b64decode(signature(data)):
            raise Problem(
                400,
                f"Unable to submit request because it has an invalid thought signature for content at index {number_}.",
            )


def first_text(fields: dict[str, Any]) -> object:
    """The first text of the last turn of an unchecked body; None where there is none."""
    try:
        return next(part["text"] for part in fields["contents"][-1]["parts"] if "text" in part)
    except (LookupError, TypeError, StopIteration):
        return None


def unbase64(field: str, value: str) -> bytes:
    """Bytes from base64 in the standard or the URL-safe alphabet, padded or not. Raises Problem."""
    try:
        plain = value.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise wrong(field, "Base64 decoding failed") from None


def _parts_of(contents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for number_, turn in enumerate(contents):
        for place, part in enumerate(turn["parts"]):
            yield f"contents[{number_}].parts[{place}]", turn, part


def _picture(where: str, part: dict[str, Any], file_of: FileOf) -> Reference:
    name: Check = text(longest=512)
    if "inlineData" in part:
        checks: dict[str, Check] = {"mimeType": _mime, "data": text(), "displayName": name}
        data = check_fields(part["inlineData"], checks, ("mimeType", "data"))
        return decode(where, unbase64(where, data["data"]), data["mimeType"], "base64")
    checks = {"mimeType": _mime, "fileUri": text(), "displayName": name}
    data = check_fields(part["fileData"], checks, ("fileUri",))
    return file_of(where, data["fileUri"], data.get("mimeType", ""))


def _contents(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise wrong(name, "must be an array of turns")
    turns = []
    for number_, entry in enumerate(value):
        where = f"{name}[{number_}]"
        roles: Check = choice("user", "model")
        turn = check_fields(json_object(where, entry), {"role": roles, "parts": _part_list}, ("parts",))
        turn.setdefault("role", "user")
        for part in turn["parts"]:
            _check_part(f"{where}.parts", part, turn["role"])
        if turn["role"] != ("user", "model")[number_ % 2]:
            raise wrong(where, "turns of the user and of the model follow each other, the user's first")
        turns.append(turn)
    if turns[-1]["role"] != "user":
        raise wrong(name, "the last turn must be the user's")
    return turns


def _part_list(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value or not all(isinstance(part, dict) for part in value):
        raise wrong(name, "must be an array of objects with something in it")
    return value


def _check_part(name: str, part: dict[str, Any], role: str) -> None:
    given = [field for field in part if field in _DATA]
    more = set(part) - set(given)
    if len(given) != 1 or more - ({"thought", "thoughtSignature"} if role == "model" else set()):
        raise wrong(name, f"each holds one of {', '.join(_DATA)}")
    if given != ["text"] and not isinstance(part[given[0]], dict):
        raise wrong(name, "inlineData and fileData are objects")
    if "thought" in part:
        flag(f"{name}.thought", part["thought"])
    if "thoughtSignature" in part:
        unbase64(name, str(part["thoughtSignature"]))


def _config(takes: Takes) -> Check:
    image: dict[str, Check] = {"aspectRatio": choice(*takes.ratios)}
    if takes.sizes:
        image["imageSize"] = choice(*takes.sizes)
    if takes.formats:
        output: dict[str, Check] = {
            "mimeType": choice("image/png", "image/jpeg"),
            "compressionQuality": whole(0, 100),
        }
        image["imageOutputOptions"] = _inside(output)
    checks: dict[str, Check] = {
        "responseModalities": _modalities,
        "imageConfig": _inside(image),
        "seed": whole(-(2**31), 2**31 - 1),
        "temperature": number(0, 2),
        "topP": number(0, 1),
        "candidateCount": whole(1, 1),
    }
    thinking: dict[str, Check] = {"includeThoughts": flag} if takes.thinks or takes.levels else {}
    if takes.levels:
        thinking["thinkingLevel"] = _any_case(*takes.levels)
    if thinking:
        checks["thinkingConfig"] = _inside(thinking)
    return _inside(checks)


def _inside(checks: dict[str, Check]) -> Check:
    """An object with these fields."""

    def check(name: str, value: Any) -> dict[str, Any]:
        return check_fields(json_object(name, value), checks, ())

    return check


def _any_case(*allowed: str) -> Check:
    """One of these strings, in capitals or not."""

    def check(name: str, value: Any) -> Any:
        return choice(*allowed)(name, value.lower() if isinstance(value, str) else value)

    return check


def _modalities(name: str, value: Any) -> list[str]:
    if value not in (["IMAGE"], ["TEXT", "IMAGE"], ["IMAGE", "TEXT"]):
        raise wrong(name, "must be IMAGE, or TEXT and IMAGE")
    return list(value)


def _tools(takes: Takes) -> Check:
    def check(name: str, value: Any) -> Any:
        if not takes.searches:
            raise wrong(name, "Search as tool is not enabled for this model")
        if value != [{"googleSearch": {}}]:
            raise wrong(name, "only googleSearch with an empty object is known here")
        return value

    return check


def _safety(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        raise wrong(name, "must be an array")
    checks: dict[str, Check] = {"category": choice(*CATEGORIES), "threshold": choice(*THRESHOLDS)}
    found = [check_fields(json_object(name, entry), checks, tuple(checks))["category"] for entry in value]
    if len(set(found)) != len(found):
        raise wrong(name, "a category is given twice")
    return value


def _instruction(takes: Takes) -> Check:
    def check(name: str, value: Any) -> Any:
        if not takes.instructed:
            raise wrong(name, "Developer instruction is not enabled for this model")
        # The role is ignored here; the vendor's SDK sends `user`.
        checks: dict[str, Check] = {"role": choice("user", "system"), "parts": _part_list}
        for part in check_fields(json_object(name, value), checks, ("parts",))["parts"]:
            check_fields(part, {"text": text()}, ("text",))
        return value

    return check


def _mime(name: str, value: Any) -> Any:
    return choice(*FORMATS.values())(name, value)
