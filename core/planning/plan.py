"""A choice as it will be used on this machine: who is asked, at which address, with which key, on which terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from ..config.caps import Caps
from ..dialects.base.step import Job
from ..errors import NanoBananaError
from ..images.picture import Encoded
from ..keys.sources import Key
from ..providers.spec import Model, ProviderSpec
from ..request import Request, Slot
from .negotiate import ResolvedRequest


@dataclass(frozen=True)
class Target:
    """A choice as it will be used."""

    spec: ProviderSpec
    model: Model
    base_url: str
    key: Key | None = field(repr=False)
    profile: str = "default"
    timeout: int = 600
    parallel: int = 8
    override: str = ""
    form: str = ""
    proxy: str = field(default="", repr=False)
    ca_bundle: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Where something is learned about forms: one address may speak several dialects."""
        return self.spec.dialect, self.base_url

    @property
    def account(self) -> str:
        """Names what a provider's limits hold for: the key at the address. Says nothing about the key itself."""
        key = sha256(self.key.value.encode("utf-8", "replace")).hexdigest()[:16] if self.key else ""
        return f"{self.spec.id} {self.base_url} {self.profile} {key}"

    def job(
        self, fit: ResolvedRequest, request: Request, seed: int, count: int, references: Sequence[Encoded] = ()
    ) -> Job:
        """What the dialect gets for one call: for a real one and for one that is only shown."""
        options = dict(fit.sent)
        if fit.sends_seed:
            options["seed"] = seed
        return Job(
            self.spec,
            self.base_url,
            fit.wire,
            request.operation,
            request.prompt,
            options,
            count,
            tuple(references),
            project=self.key.project if self.key else "",
            model_endpoint=fit.offer.endpoint,
        )


@dataclass(frozen=True)
class Terms:
    """What the user's settings say about money."""

    caps: Caps = Caps()
    resend: bool = False
    """Send again what may have been paid, without asking."""
    project: str = ""


Candidate = tuple[Target, tuple[ResolvedRequest, ...]]
"""A target and the fit of every request."""


@dataclass(frozen=True)
class Plan:
    """Who does the requests, and what the user should know about the choice."""

    targets: tuple[Candidate, ...]
    """To be tried in order."""
    notices: tuple[str, ...]
    looked: tuple[Candidate, ...] = ()
    """The others that `auto` could have chosen, or could have while their keys were here: a picture that one of them has
    made is not paid again, and one that may be out there is asked about."""
    terms: Terms = Terms()
    refusal: NanoBananaError | None = None
    """Why nothing may be sent: the user has to be asked about a model first. What is stored is taken all the same."""

    @property
    def chain(self) -> tuple[Candidate, ...]:
        """Everybody who may have made one of the pictures."""
        return (*self.targets, *self.looked)

    def names(self, index: int, request: Request, slot: Slot) -> tuple[str, ...]:
        """Every fingerprint that a picture of the request at `index` may have: at each provider, in each version."""
        return tuple(dict.fromkeys(name for _, fits in self.chain for name in fits[index].names(request, slot)))
