"""What one process has learned about its providers. It is lost with the process, and may be wrong: that costs one more free
request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors.messages import catalogue, msg
from ..images.picture import Encoded
from ..keys.google_service_account import Tokens
from ..planning.plan import Target
from ..planning.successor import GoneId
from ..providers.spec import ProviderSpec
from .rate_limit import RateLimits

UPLOAD_SECONDS = 1800.0
"""How long an uploaded reference is taken to be still there."""


@dataclass
class ProviderCache:
    """Shared by all calls of a process."""

    api_variants: dict[tuple[str, str], str] = field(default_factory=dict)
    """Dialect and base URL -> the API variant that worked."""
    variants: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Dialect, base URL and topic -> the variant that worked. One entry per topic, so that calls that run at the same time
    and learn different things about one base don't overwrite each other."""
    uploads: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    """Base URL and profile, format and picture digest -> address of the upload, when it was made."""
    tokens: Tokens = field(default_factory=Tokens)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    removed_models: set[GoneId] = field(default_factory=set)
    """Models whose ids a provider no longer knows, while it does know their successors."""
    storage_noticed: set[str] = field(default_factory=set)
    """Ids of the providers whose storage of uploaded references has been shown to the user."""

    def variants_at(self, target: Target) -> dict[str, str]:
        """Topic -> variant, for what was learned about the base URL of `target`."""
        learned = self.variants.copy().items()  # another call may be learning something
        return {topic: variant for (dialect, url, topic), variant in learned if (dialect, url) == target.cache_key}

    def remember_variants(self, target: Target, variants: Mapping[str, str]) -> None:
        """These variants have worked at the base URL of `target`."""
        for topic, variant in variants.items():
            self.variants[target.cache_key + (topic,)] = variant

    def known_uploads(self, target: Target, references: Sequence[Encoded], digests: Sequence[str]) -> Mapping[int, str]:
        """The addresses of the references that are at this provider already, by their index in the request."""
        now = time.monotonic()
        known: dict[int, str] = {}
        for index, (picture, digest) in enumerate(zip(references, digests, strict=True)):
            url, made = self.uploads.get(_upload(target, picture, digest), ("", 0.0))
            if url and now - made < UPLOAD_SECONDS:
                known[index] = url
        return known

    def remember_upload(self, target: Target, picture: Encoded, digest: str, url: str) -> str:
        """A reference has been uploaded to `url`. Gives a notice the first time at each provider, else ""."""
        self.uploads[_upload(target, picture, digest)] = (url, time.monotonic())
        spec = target.spec
        if spec.id in self.storage_noticed:
            return ""
        self.storage_noticed.add(spec.id)
        where = _stored_where(spec)
        return msg("provider_cache.references_uploaded_and_kept", provider=spec.label, where=where)


def _stored_where(spec: ProviderSpec) -> str:
    """Where a provider keeps references: its data, as a message where the catalogue has it."""
    if not spec.stores_references:
        return msg("provider_cache.kept_for_unknown_time")
    known = catalogue("en").get(f"stores.{spec.id}") == spec.stores_references
    return msg(f"stores.{spec.id}") if known else spec.stores_references


def _upload(target: Target, picture: Encoded, digest: str) -> tuple[str, str]:
    return f"{target.base_url} {target.profile}", f"{picture.format} {digest}"
