"""Reference pictures inside a text: a data URI, bare base64, or an address that this server serves. Nothing is ever fetched."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

from pack.simulator.references import Reference, decode, refusal

from .files import FileStore

_DATA_URI = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,", re.ASCII)


def from_text(field: str, value: str, files: FileStore, hosts: tuple[str, ...], *, bare: bool) -> Reference:
    """From a string of a JSON array: data URI, served address, or bare base64 where `bare` allows it."""
    if value.startswith("data:"):
        head = _DATA_URI.match(value[:64])
        if head is None:
            raise refusal(field, "is not a base64 data URI")
        return decode(field, _unbase64(field, value[head.end() :]), head.group(1), "data_uri")
    if value.startswith(("http://", "https://")):
        return from_url(field, value, files, hosts)
    if bare:
        return decode(field, _unbase64(field, value), "", "base64")
    scheme = value.partition(":")[0][:20] if ":" in value[:20] else "bare text"
    raise refusal(field, f"media URL must use HTTP(S) or data URI, got '{scheme}'")


def from_url(field: str, value: str, files: FileStore, hosts: tuple[str, ...]) -> Reference:
    """From an address that this server serves; any other is refused, as nothing is ever fetched."""
    address = urlsplit(value)
    if address.scheme != "http" or address.netloc not in hosts:
        raise refusal(field, "the address can't be fetched (only what this server serves is read)")
    content = files.content_at(address.path)
    if content is None:
        raise refusal(field, "there is no picture at this address")
    return decode(field, content, "", "url")


def _unbase64(field: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise refusal(field, "is not valid base64") from None
