"""How a provider of the user's own file is asked: the header of the key, the transport of references, uploads, repetition.

A word that the provider's dialect never reads is a mistake: it would change nothing, and nobody would be told. Used by
`own_file`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import yaml

from ..dialects import dialect
from ..providers.spec import Provider, Transport
from .settings_entries import AUTH, dialects, inside
from .yaml_reader import Mistake, Told

TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_OF_HTTP = frozenset({"host", "content-type", "content-length", "transfer-encoding", "connection", "expect"})
"""Headers that are set while a request is sent."""
_INSTEAD: Mapping[str, str] = {
    "paths": "what stands before its own paths belongs into base_url",
    "references": "the field has one name only; the words for the transport are " + ", ".join(TRANSPORTS),
    "poll_seconds": "it answers at once and is never asked how a task stands",
}
"""What works in place of a word that a dialect never reads."""


def sending(row: Provider, told: Told) -> Provider:
    """`row` with everything that is said about how it is asked, but for paths and fields. Raises Mistake."""
    refuse_unread(row, told)
    row = _auth(row, told)
    _, transport = references_of(row, told)
    row = _uploads(_carrying(row, transport, told) if transport else row, told)
    return replace(
        row,
        forms=_forms(row, told),
        idempotency_header=_idempotency_header(row, told) or row.idempotency_header,
        failures_unbilled=told.flag("failures_unbilled", row.failures_unbilled),
        refuses_before_work=_statuses(told) or row.refuses_before_work,
        poll_seconds=_pauses(row, told),
    )


def references_of(row: Provider, told: Told) -> tuple[str, str]:
    """The name of the field that carries references and their transport, "" for what isn't said.

    `references: image_urls`, `references: data_uri`, or `references: {name: image_urls, as: data_uri}`.
    """
    node = told.take("references")
    if node is None:
        return "", ""
    if isinstance(node, yaml.ScalarNode):
        word = told.text("references")
        if word in TRANSPORTS:
            return "", word
        near = re.sub(r"[^a-z0-9]", "", word.lower())
        for transport in TRANSPORTS:
            if near == transport.replace("_", ""):
                raise Mistake(node, f"references is written {transport}")
        name, transport_said = word, ""
    else:
        each = Told(node, "references", told.at("references"))
        name, transport_said = each.text("name"), each.choice("as", list(TRANSPORTS))
        each.end()
    if name and "references" in _unread(row):
        raise Mistake(told.at("references"), _never_read(row, "references"))
    return name, transport_said


def refuse_unread(row: Provider, told: Told) -> None:
    """Raises Mistake for the first word that the dialect never reads."""
    for word in _unread(row):
        if word in told and word != "references":
            raise Mistake(told.at(word), _never_read(row, word))


def _unread(row: Provider) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(dialect(row.dialect), "UNREAD", ())
    return found


def _never_read(row: Provider, word: str) -> str:
    return f"{word} would change nothing: the dialect {row.dialect} never reads it; {_INSTEAD[word]}"


def _auth(row: Provider, told: Told) -> Provider:
    """One of the known ways by its word, or `{header: X-Token, value: "Token {key}"}`."""
    node = told.take("auth")
    if node is None:
        return row
    if isinstance(node, yaml.ScalarNode):
        header, template = AUTH[told.choice("auth", list(AUTH))]
    else:
        each = Told(node, "auth", told.at("auth"))
        header, template = _header(each, "header"), each.text("value")
        each.end()
        if not header:
            raise Mistake(told.at("auth"), f"auth is one of {', '.join(AUTH)}, or has a header and a value")
        if template.count("{key}") != 1 or not template.isascii() or len(template) > 200:
            what = 'value is what stands in the header, with {key} once for the key: "Token {key}"'
            raise Mistake(each.at("value"), what)
    return replace(row, auth_header=header, auth_template=template, auth="key")


def _header(told: Told, name: str) -> str:
    text = told.text(name)
    if text and (not _HEADER.fullmatch(text) or text.lower() in _OF_HTTP):
        raise Mistake(told.at(name), f"{name} is the name of a header, for example X-API-Key")
    return text


def _idempotency_header(row: Provider, told: Told) -> str:
    header = _header(told, "idempotency_header")
    if header and header.lower() == row.auth_header.lower():
        raise Mistake(told.at("idempotency_header"), f"{header} carries the key already")
    return header


def _carrying(row: Provider, transport: str, told: Told) -> Provider:
    """`row` with its references travelling as `transport`."""
    can = dialect(row.dialect).REFERENCES
    if transport not in can:
        raise Mistake(
            told.at("references"), f"references can't be {transport}: the dialect {row.dialect} has {', '.join(can)}"
        )
    if transport == "upload":
        return _with_uploads(row, references=transport, above=1 if dialects()[row.dialect].upload_above else 0)
    return replace(inside(row) if row.references == "upload" or row.upload_above else row, references=transport)


def _with_uploads(row: Provider, *, references: Transport, above: int) -> Provider:
    """`row` with uploads, and with the limits that those have where the dialect is known from."""
    known = dialects()[row.dialect]
    return replace(
        row,
        references=references,
        upload_above=above,
        max_request_bytes=max(row.max_request_bytes, known.max_request_bytes),
        max_reference_bytes=max(row.max_reference_bytes, known.max_reference_bytes),
    )


def _uploads(row: Provider, told: Told) -> Provider:
    """`upload_above`, `upload_url` and `upload_path`, where something is uploaded."""
    can = dialect(row.dialect).REFERENCES
    if "upload_above" in told:
        if not dialects()[row.dialect].upload_above:
            only = "uploads every reference, or none" if "upload" in can else "uploads nothing"
            raise Mistake(
                told.at("upload_above"), f"upload_above would change nothing: the dialect {row.dialect} {only}"
            )
        above = told.number("upload_above", 0, 1, 2_000_000_000)
        row = _with_uploads(row, references=row.references, above=above)
    uploading = row.references == "upload" or row.upload_above
    for word in ("upload_url", "upload_path"):
        if word in told and not uploading:
            cure = "say references: upload, too" if "upload" in can else "take it away"
            what = f"{word} would change nothing: references of {row.dialect} travel inside the request here; {cure}"
            raise Mistake(told.at(word), what)
    url = told.text("upload_url")
    return replace(
        row,
        upload_url=told.checked("upload_url", url) if url else row.upload_url,
        upload_path=told.path("upload_path") or row.upload_path,
    )


def _forms(row: Provider, told: Told) -> tuple[str, ...]:
    """The forms of asking that agree with the transport, in the order that is said."""
    fitting = row.forms
    if any("multipart" in form for form in row.forms):
        fitting = tuple(form for form in row.forms if ("multipart" in form) == (row.references == "multipart"))
    if "forms" not in told:
        return row.forms if row.references == "multipart" else fitting
    if not row.forms:
        raise Mistake(told.at("forms"), f"forms would change nothing: the dialect {row.dialect} has one form only")
    forms = told.choices("forms", list(row.forms))
    if not forms:
        raise Mistake(told.at("forms"), f"forms is a list of some of: {', '.join(row.forms)}")
    if forms[0] not in fitting:
        needed = "data_uri or base64" if "json" in forms[0] else "multipart"
        raise Mistake(told.at("forms"), f"the form {forms[0]} needs references: {needed}")
    return forms


def _statuses(told: Told) -> frozenset[int]:
    """`refuses_before_work: [429, 503]`."""
    return frozenset(int(status) for status in told.numbers("refuses_before_work", 400, 599))


def _pauses(row: Provider, told: Told) -> tuple[float, float]:
    """`poll_seconds: [first, longest]`."""
    found = told.numbers("poll_seconds", 0.1, 600)
    if not found and "poll_seconds" not in told:
        return row.poll_seconds
    if len(found) != 2 or found[0] > found[1]:
        raise Mistake(told.at("poll_seconds"), "poll_seconds is the first pause and the longest, for example [2, 5]")
    return found[0], found[1]
