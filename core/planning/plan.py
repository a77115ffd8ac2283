"""The plan of a run: which providers are asked, at which address, with which key, within which spending limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from ..config.caps import Caps
from ..dialects.base.step import Job
from ..errors import NanoBananaError
from ..images.picture import Encoded
from ..keys.sources import Key
from ..providers.spec import Model, ProviderSpec
from ..request import Delivery, Request, Slot
from .negotiate import ResolvedRequest


@dataclass(frozen=True)
class Target:
    """One provider with its model, address and key on this machine."""

    spec: ProviderSpec
    model: Model
    base_url: str
    key: Key | None = field(repr=False)
    profile: str = "default"
    timeout: int = 600
    parallel: int = 8
    override: str = ""
    api_variant: str = ""
    proxy: str = field(default="", repr=False)
    ca_bundle: str = ""

    @property
    def cache_key(self) -> tuple[str, str]:
        """What is learned about an API is kept under this: one address may serve several dialects."""
        return self.spec.dialect, self.base_url

    @property
    def account(self) -> str:
        """Id of the account that a provider's rate limit is for. The key is in it as a hash only."""
        key = sha256(self.key.value.encode("utf-8", "replace")).hexdigest()[:16] if self.key else ""
        return f"{self.spec.id} {self.base_url} {self.profile} {key}"

    def job(
        self,
        resolved: ResolvedRequest,
        request: Request,
        seed: int,
        count: int,
        references: Sequence[Encoded] = (),
        *,
        wants_drafts: bool = False,
    ) -> Job:
        """The dialect's job for one call, real or only shown. `wants_drafts`: somebody looks at the model's drafts."""
        options = dict(resolved.options)
        if resolved.sends_seed:
            options["seed"] = seed
        return Job(
            self.spec,
            self.base_url,
            resolved.model_id,
            request.operation,
            request.prompt,
            options,
            count,
            tuple(references),
            project=self.key.project if self.key else "",
            model_endpoint=resolved.capabilities.endpoint,
            asks_for_drafts=wants_drafts and resolved.capabilities.drafts,
        )


@dataclass(frozen=True)
class Terms:
    """What the user's settings say about money."""

    caps: Caps = Caps()
    resend: bool = False
    """Send again what may have been paid, without asking."""
    project: str = ""


class Candidate(NamedTuple):
    """A provider that can do the requests."""

    target: Target
    resolved: tuple[ResolvedRequest, ...]
    """How it would do each request, in their order."""


@dataclass(frozen=True)
class Plan:
    """Which providers are asked, and what the user should know about the choice."""

    targets: tuple[Candidate, ...]
    """To be tried in order."""
    notices: tuple[str, ...]
    store_only: tuple[Candidate, ...] = ()
    """Other providers that `auto` could have chosen, with their keys or before those were removed. They are not asked, but a
    picture that one of them has made is not paid again, and the user is asked about one that may have been paid there."""
    terms: Terms = Terms()
    refusal: NanoBananaError | None = None
    """Why nothing may be sent: the user has to allow the model first. Stored pictures are used all the same."""

    @property
    def delivery(self) -> Delivery:
        """How the pictures are delivered: the same for all requests of a plan."""
        return self.targets[0].resolved[0].delivery

    @property
    def chain(self) -> tuple[Candidate, ...]:
        """Every provider that may have made one of the pictures."""
        return (*self.targets, *self.store_only)

    def all_fingerprints(self, index: int, request: Request, slot: Slot) -> tuple[str, ...]:
        """Every fingerprint that a picture of the request at `index` may have: at each provider, in each version."""
        return tuple(
            dict.fromkeys(
                name for _, resolved in self.chain for name in resolved[index].all_fingerprints(request, slot)
            )
        )
