"""Messages for users by id: the English texts are in `locales/en/messages.json`, other languages in files beside it.

A `Message` is its English text, so that logs, API users and old callers read it as before; it also knows its id and parameters,
with which a page says it in another language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

LANGUAGES = Path(__file__).resolve().parents[2] / "locales"
_PARAMETER = re.compile(r"\{(\w+)\}")


class Message(str):
    """A text for users. `id` and `parameters` name it in every language; a text put together of several has `parts` instead."""

    id: str
    parameters: Mapping[str, object]
    parts: tuple[str, ...]

    def __new__(
        cls,
        text: str,
        id: str = "",
        parameters: Mapping[str, object] = MappingProxyType({}),
        parts: tuple[str, ...] = (),
    ) -> Message:
        made = super().__new__(cls, text)
        made.id, made.parameters, made.parts = id, parameters, parts
        return made

    def __add__(self, other: str) -> Message:
        """Both texts, one after the other."""
        first = self.parts or ((self,) if self else ())
        return Message(str(self) + str(other), parts=(*first, *((other,) if other else ())))

    def __radd__(self, other: str) -> Message:
        return Message(str(other) + str(self), parts=(other, self))

    def __getnewargs__(self) -> tuple[Any, ...]:
        return str(self), self.id, dict(self.parameters), self.parts


def msg(message_id: str, **parameters: object) -> str:
    """The `Message` called `message_id` with its parameters filled in.

    Raises KeyError for an id that the catalogue does not have, or a parameter that its text needs.
    """
    text = _PARAMETER.sub(lambda found: _filled(found, parameters), catalogue("en")[message_id])
    return Message(text, message_id, parameters)


def filled(text: str, **parameters: object) -> str:
    """`text` with further parameters: those that its writer could not know yet."""
    if isinstance(text, Message) and text.id:
        return msg(text.id, **{**text.parameters, **parameters})
    if isinstance(text, Message) and text.parts:
        return concat(*(filled(part, **parameters) for part in text.parts))
    return _PARAMETER.sub(lambda found: _filled(found, parameters), text)


def joined(*parts: str) -> str:
    """The texts that are not empty, with a space between them."""
    given = [part for part in parts if part]
    made = given[0] if given else ""
    for part in given[1:]:
        made = made + " " + part
    return made


def concat(*parts: str) -> str:
    """The texts one after the other; those that are messages can still be said in another language."""
    made: str = Message("")
    for part in parts:
        made = made + part
    return made


def listed(separator: str, parts: Iterable[str]) -> str:
    """The texts with `separator` between them, as `concat` keeps them."""
    given = list(parts)
    return concat(*given[:1], *(each for part in given[1:] for each in (separator, part)))


def picture_count(count: int) -> str:
    """So many pictures, in words."""
    return msg("count.one_picture") if count == 1 else msg("count.pictures", count=count)


def message_of(error: BaseException) -> str:
    """An error's text, as the message that it was raised with where it was one."""
    return error.args[0] if error.args and isinstance(error.args[0], Message) else str(error)


def spelled(message: str, text: str) -> str:
    """`message` with another spelling of its English text: it stays the same in other languages."""
    if not isinstance(message, Message):
        return text
    return Message(text, message.id, message.parameters, message.parts)


def _filled(found: re.Match[str], parameters: Mapping[str, object]) -> str:
    """A parameter's text; braces that name none are in the text as they are."""
    return str(parameters[found[1]]) if found[1] in parameters else found[0]


def as_data(text: str) -> str | dict[str, Any] | list[Any]:
    """A message as JSON: {"id", "parameters"}, a list of parts, or the text itself where it has no id."""
    if not isinstance(text, Message):
        return str(text)
    if text.parts:
        return [as_data(part) for part in text.parts]
    if not text.id:
        return str(text)
    values = {
        name: as_data(value) if isinstance(value, str) else _plain(value) for name, value in text.parameters.items()
    }
    return {"id": text.id, "parameters": values}


def _plain(value: object) -> object:
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    return as_data(message_of(value)) if isinstance(value, Exception) else str(value)


def from_data(data: Any, text: str) -> str:
    """The message of `as_data`, where it still reads `text` in English; else `text` alone.

    For messages that were stored: the catalogue may have changed since.
    """
    try:
        found = _from_data(data)
    except (KeyError, TypeError, AttributeError, RecursionError):
        return text
    return found if found == text else text


def _from_data(data: Any) -> Any:
    if isinstance(data, list):
        return concat(*map(_from_data, data))
    if not isinstance(data, dict):
        return data
    return msg(data["id"], **{name: _from_data(value) for name, value in data["parameters"].items()})


def messages_in(value: object) -> dict[str, Any]:
    """`as_data` of every message in a JSON value, by its English text: with it a page says them in its own language."""
    found: dict[str, Any] = {}
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, Message):
            if (each.id or each.parts) and str(each) not in found:
                found[str(each)] = as_data(each)
        elif isinstance(each, Mapping):
            pending.extend(each.values())
        elif isinstance(each, (list, tuple)):
            pending.extend(each)
    return found


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The texts of a language by id; empty where it has no file."""
    file = LANGUAGES / language / "messages.json"
    if not file.is_file():
        return MappingProxyType({})
    return MappingProxyType(json.loads(file.read_text("utf-8")))
