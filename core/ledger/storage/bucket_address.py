"""Which S3 bucket keeps the results: read from a setting and the variables of AWS, shown without their secrets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...errors import LedgerFailed
from ...errors.messages import msg

SCHEME = "s3://"
EXAMPLE = "s3://BUCKET/FOLDER"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
_PART = re.compile(r"[\w!'()*=@+ -][\w!'().*=@+ -]*")
_OPTIONS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
)
"""What obstore reads; its option is the same word in lower case."""


@dataclass(frozen=True)
class BucketAddress:
    """A bucket, and the folder in it. Its repr has no secret."""

    bucket: str
    prefix: str = ""
    """Without slashes at its ends; "" = the whole bucket."""
    endpoint: str = field(default="", repr=False)
    """The base URL of a server that is not Amazon's."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What obstore is told, secrets included."""

    @classmethod
    def read(cls, named: str, environ: Mapping[str, str]) -> BucketAddress | None:
        """The bucket that the setting names; None where it names a folder. Raises LedgerFailed for what can't be one."""
        if not named.startswith(SCHEME):
            return None
        bucket, _, prefix = named[len(SCHEME) :].partition("/")
        prefix = prefix.strip("/")
        if not _BUCKET.fullmatch(bucket) or not all(_PART.fullmatch(part) for part in prefix.split("/") if prefix):
            raise LedgerFailed(
                msg("bucket_address.not_an_address"), cure=msg("bucket_address.how_to_write", example=EXAMPLE)
            )
        given = {name: environ.get(name, "").strip() for name in _OPTIONS}
        endpoint = (environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or "").strip().rstrip("/")
        if endpoint and not _is_base_url(endpoint):  # obstore would end the thread
            raise LedgerFailed(msg("bucket_address.not_an_endpoint"), cure=msg("bucket_address.how_endpoint_begins"))
        return cls(bucket, prefix, endpoint, {name.lower(): value for name, value in given.items() if value})

    @property
    def place(self) -> str:
        """As the setting names it."""
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def shown(self) -> str:
        """The bucket and its server, for messages."""
        try:
            parts = urlsplit(self.endpoint)
            host = parts.hostname or ""
            server = f"{host}:{parts.port}" if parts.port else host
        except ValueError:
            server = ""
        return f"{self.place} ({server})" if server else self.place

    @property
    def id(self) -> str:
        """A name for the cache of this bucket on this machine."""
        return hashlib.sha256(f"{self.endpoint}\n{self.place}".encode()).hexdigest()[:16]


def _is_base_url(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:
        return False
