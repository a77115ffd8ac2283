"""How a custom provider is asked: the header of the key, how references travel, uploads, repetition of requests.

An entry that the provider's dialect never reads is refused: it would change nothing, and nobody would be told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import yaml

from ..dialects import dialect
from ..errors.messages import msg
from ..providers.spec import ProviderSpec, ReferenceEncoding
from .mapping_reader import MappingError, MappingReader
from .templates import AUTH, dialects, with_inline_references

REFERENCE_ENCODINGS: tuple[ReferenceEncoding, ...] = get_args(ReferenceEncoding)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_SET_WHILE_SENDING = frozenset({"host", "content-type", "content-length", "transfer-encoding", "connection", "expect"})
"""Headers that are set while a request is sent."""
_ALTERNATIVES: Mapping[str, str] = {
    "paths": msg("sending.prefix_belongs_in_base_url"),
    "references": msg("sending.field_has_fixed_name") + ", ".join(REFERENCE_ENCODINGS),
    "poll_seconds": msg("sending.dialect_never_polls"),
}
"""What to write instead of an entry that a dialect never reads."""


def with_sending(spec: ProviderSpec, reader: MappingReader) -> ProviderSpec:
    """`spec` with everything that is said about how it is asked, except paths and fields. Raises MappingError."""
    refuse_unread(spec, reader)
    spec = _auth(spec, reader)
    _, encoding = references_of(spec, reader)
    spec = _uploads(_with_encoding(spec, encoding, reader) if encoding else spec, reader)
    return replace(
        spec,
        api_variants=_api_variants(spec, reader),
        idempotency_header=_idempotency_header(spec, reader) or spec.idempotency_header,
        failures_unbilled=reader.flag("failures_unbilled", spec.failures_unbilled),
        refuses_before_work=_statuses(reader) or spec.refuses_before_work,
        poll_seconds=_poll_seconds(spec, reader),
    )


def references_of(spec: ProviderSpec, reader: MappingReader) -> tuple[str, str]:
    """The name of the field that carries references and their encoding, "" for what isn't said.

    `references: image_urls`, `references: data_uri`, or `references: {name: image_urls, as: data_uri}`.
    """
    node = reader.node("references")
    if node is None:
        return "", ""
    if isinstance(node, yaml.ScalarNode):
        word = reader.text("references")
        if word in REFERENCE_ENCODINGS:
            return "", word
        near = re.sub(r"[^a-z0-9]", "", word.lower())
        for encoding in REFERENCE_ENCODINGS:
            if near == encoding.replace("_", ""):
                raise MappingError(node, msg("sending.transport_spelling", encoding=encoding))
        name, encoding_is_said = word, ""
    else:
        each = MappingReader(node, "references", reader.at("references"))
        name, encoding_is_said = each.text("name"), each.choice("as", list(REFERENCE_ENCODINGS))
        each.end()
    if name and "references" in _unread(spec):
        raise MappingError(reader.at("references"), _never_read(spec, "references"))
    return name, encoding_is_said


def refuse_unread(spec: ProviderSpec, reader: MappingReader) -> None:
    """Raises MappingError for the first entry that the dialect never reads."""
    for word in _unread(spec):
        if word in reader and word != "references":
            raise MappingError(reader.at(word), _never_read(spec, word))


def _unread(spec: ProviderSpec) -> tuple[str, ...]:
    found: tuple[str, ...] = dialect(spec.dialect).ignored_settings
    return found


def _never_read(spec: ProviderSpec, word: str) -> str:
    return msg("sending.field_not_read_by_dialect", word=word, dialect=spec.dialect, alternatives=_ALTERNATIVES[word])


def _auth(spec: ProviderSpec, reader: MappingReader) -> ProviderSpec:
    """One of the known ways by its word, or `{header: X-Token, value: "Token {key}"}`."""
    node = reader.node("auth")
    if node is None:
        return spec
    if isinstance(node, yaml.ScalarNode):
        header, template = AUTH[reader.choice("auth", list(AUTH))]
    else:
        each = MappingReader(node, "auth", reader.at("auth"))
        header, template = _header(each, "header"), each.text("value")
        each.end()
        if not header:
            raise MappingError(reader.at("auth"), msg("sending.auth_must_be_one_of", auth=", ".join(AUTH)))
        if template.count("{key}") != 1 or not template.isascii() or len(template) > 200:
            what = msg("sending.header_value_needs_key")
            raise MappingError(each.at("value"), what)
    return replace(spec, auth_header=header, auth_template=template, auth="key")


def _header(reader: MappingReader, name: str) -> str:
    text = reader.text(name)
    if text and (not _HEADER.fullmatch(text) or text.lower() in _SET_WHILE_SENDING):
        raise MappingError(reader.at(name), msg("sending.must_be_header_name", name=name))
    return text


def _idempotency_header(spec: ProviderSpec, reader: MappingReader) -> str:
    header = _header(reader, "idempotency_header")
    if header and header.lower() == spec.auth_header.lower():
        raise MappingError(reader.at("idempotency_header"), msg("sending.header_already_has_key", header=header))
    return header


def _with_encoding(spec: ProviderSpec, encoding: str, reader: MappingReader) -> ProviderSpec:
    """`spec` with its references travelling as `encoding`."""
    can = dialect(spec.dialect).reference_encodings
    if encoding not in can:
        raise MappingError(
            reader.at("references"),
            msg(
                "sending.transport_not_supported",
                encoding=encoding,
                dialect=spec.dialect,
                can=", ".join(can),
            ),
        )
    if encoding == "upload":
        return _with_uploads(spec, references=encoding, above=1 if dialects()[spec.dialect].upload_above else 0)
    return replace(
        with_inline_references(spec) if spec.reference_encoding == "upload" or spec.upload_above else spec,
        reference_encoding=encoding,
    )


def _with_uploads(spec: ProviderSpec, *, references: ReferenceEncoding, above: int) -> ProviderSpec:
    """`spec` with uploads, and with the limits that uploads have at the dialect's own provider."""
    known = dialects()[spec.dialect]
    return replace(
        spec,
        reference_encoding=references,
        upload_above=above,
        max_request_bytes=max(spec.max_request_bytes, known.max_request_bytes),
        max_reference_bytes=max(spec.max_reference_bytes, known.max_reference_bytes),
    )


def _uploads(spec: ProviderSpec, reader: MappingReader) -> ProviderSpec:
    """`upload_above`, `upload_url` and `upload_path`, where something is uploaded."""
    can = dialect(spec.dialect).reference_encodings
    if "upload_above" in reader:
        if not dialects()[spec.dialect].upload_above:
            only = msg("sending.uploads_all_or_none") if "upload" in can else "uploads nothing"
            raise MappingError(
                reader.at("upload_above"),
                msg("sending.upload_above_has_no_effect", dialect=spec.dialect, only=only),
            )
        above = reader.number("upload_above", 0, 1, 2_000_000_000)
        spec = _with_uploads(spec, references=spec.reference_encoding, above=above)
    uploading = spec.reference_encoding == "upload" or spec.upload_above
    for word in ("upload_url", "upload_path"):
        if word in reader and not uploading:
            cure = msg("sending.add_references_upload") if "upload" in can else msg("sending.take_it_away")
            what = msg("sending.no_effect_on_inline_references", word=word, dialect=spec.dialect, cure=cure)
            raise MappingError(reader.at(word), what)
    return replace(
        spec,
        upload_url=reader.base_url("upload_url") or spec.upload_url,
        upload_path=reader.path("upload_path") or spec.upload_path,
    )


def _api_variants(spec: ProviderSpec, reader: MappingReader) -> tuple[str, ...]:
    """The API variants that agree with the encoding, in the order that is said."""
    fitting = spec.api_variants
    if any("multipart" in variant for variant in spec.api_variants):
        fitting = tuple(
            variant
            for variant in spec.api_variants
            if ("multipart" in variant) == (spec.reference_encoding == "multipart")
        )
    if "forms" not in reader:
        return spec.api_variants if spec.reference_encoding == "multipart" else fitting
    if not spec.api_variants:
        raise MappingError(reader.at("forms"), msg("sending.dialect_has_one_form", dialect=spec.dialect))
    variants = reader.choices("forms", list(spec.api_variants))
    if not variants:
        raise MappingError(
            reader.at("forms"), msg("sending.forms_must_be_list", api_variants=", ".join(spec.api_variants))
        )
    if variants[0] not in fitting:
        needed = msg("sending.data_uri_or_base64") if "json" in variants[0] else "multipart"
        raise MappingError(reader.at("forms"), msg("sending.form_needs_references", forms=variants[0], needed=needed))
    return variants


def _statuses(reader: MappingReader) -> frozenset[int]:
    """`refuses_before_work: [429, 503]`."""
    return frozenset(int(status) for status in reader.numbers("refuses_before_work", 400, 599))


def _poll_seconds(spec: ProviderSpec, reader: MappingReader) -> tuple[float, float]:
    """`poll_seconds: [first, longest]`."""
    found = reader.numbers("poll_seconds", 0.1, 600)
    if not found and "poll_seconds" not in reader:
        return spec.poll_seconds
    if len(found) != 2 or found[0] > found[1]:
        raise MappingError(reader.at("poll_seconds"), msg("sending.poll_seconds_needs_two"))
    return found[0], found[1]
