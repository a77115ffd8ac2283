"""A strict reader of multipart/form-data bodies.

Refuses what a careless server would swallow: a missing boundary, parts without a name, text after the end. Used for the
two edit routes and the uploads that take forms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message

from .problem import Problem

_BOUNDARY = re.compile(r"^[0-9A-Za-z'()+_,./:=?-]{1,70}$")


@dataclass
class Part:
    """One field; `filename` is None for a plain text field."""

    name: str
    filename: str | None
    content_type: str
    content: bytes

    def text(self) -> str:
        """The content as text; raises Problem when it isn't UTF-8."""
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            raise Problem(400, f"{self.name}: is not UTF-8 text", field=self.name) from None


def _bad(message: str) -> Problem:
    return Problem(400, f"The multipart body is not valid: {message}", code="invalid_multipart")


def _parameter(message: Message, name: str, header: str) -> object:
    """A parameter of a header; raises Problem where the library fails at parameters that come in pieces."""
    try:
        return message.get_param(name, header=header)
    except (TypeError, ValueError):
        raise _bad("parameters that can't be read") from None


def parse_multipart(content_type: str, body: bytes | bytearray) -> list[Part]:
    """The parts in order; raises Problem."""
    head = Message()
    head["Content-Type"] = content_type
    boundary = _parameter(head, "boundary", "content-type")
    if not isinstance(boundary, str) or not _BOUNDARY.match(boundary):
        raise _bad("no usable boundary")
    line = b"--" + boundary.encode("ascii")
    if not body.startswith(line + b"\r\n"):
        raise _bad("it does not start with its boundary")
    parts: list[Part] = []
    start = len(line) + 2
    while True:
        end = body.find(b"\r\n" + line, start)
        if end < 0:
            raise _bad("the end is missing")
        parts.append(_part(body, start, end))
        after = end + 2 + len(line)
        if body[after : after + 2] == b"--":
            if body[after + 2 :] not in (b"", b"\r\n"):
                raise _bad("there is something after the end")
            return parts
        if body[after : after + 2] != b"\r\n":
            raise _bad("a boundary is not on a line of its own")
        start = after + 2


def _part(body: bytes | bytearray, start: int, end: int) -> Part:
    blank = body.find(b"\r\n\r\n", start, end)
    if blank < 0:
        raise _bad("a part has no headers")
    headers: dict[str, str] = {}
    for row in body[start:blank].decode("utf-8", "replace").split("\r\n"):
        name, colon, value = row.partition(":")
        if not colon or name.lower() in headers:
            raise _bad("a part's header line")
        headers[name.lower()] = value.strip()
    disposition = Message()
    disposition["Content-Disposition"] = headers.get("content-disposition", "")
    if disposition.get_content_disposition() != "form-data":
        raise _bad("a part is no form-data")
    field_name = _parameter(disposition, "name", "content-disposition")
    if not isinstance(field_name, str) or not field_name:
        raise _bad("a part has no name")
    filename = _parameter(disposition, "filename", "content-disposition")
    if filename is not None and (not isinstance(filename, str) or not filename):
        raise _bad("an empty filename")
    return Part(field_name, filename, headers.get("content-type", ""), bytes(memoryview(body)[blank + 4 : end]))


def single_texts(parts: list[Part], *, files: tuple[str, ...]) -> dict[str, str]:
    """The plain text fields by name, leaving out the fields `files`; raises Problem for repeated or file-like ones."""
    fields: dict[str, str] = {}
    for part in parts:
        if part.name in files:
            continue
        if part.filename is not None:
            raise Problem(400, f"{part.name}: must not be a file", field=part.name)
        if part.name in fields:
            raise Problem(400, f"{part.name}: is given twice", field=part.name)
        fields[part.name] = part.text()
    return fields
