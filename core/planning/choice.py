"""A graph's choice of providers and models: plain text and numbers, nothing secret."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors.messages import msg
from ..keys.sources import checked_profile

MOST_PROVIDERS = 32
"""In one choice: itself and its fallbacks, one behind the other."""
AUTO = "auto"
RECOMMENDED = "recommended"
_OVERRIDE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")


@dataclass(frozen=True)
class ProviderChoice:
    """What a ProviderConfig node says. Frozen, comparable, without any secret."""

    provider: str = AUTO
    model: str = RECOMMENDED
    profile: str = "default"
    timeout: int = 600
    """Seconds per request, from its send."""
    max_parallel: int = 0
    model_override: str = ""
    fallback: ProviderChoice | None = None

    def chain(self) -> list[ProviderChoice]:
        """This choice and its fallbacks in order, at most `MOST_PROVIDERS` of them."""
        found = [self]
        while found[-1].fallback is not None and len(found) < MOST_PROVIDERS:
            found.append(found[-1].fallback)
        return found

    def __str__(self) -> str:
        return f"{self.provider} / {self.model_override or self.model}"


ProviderChoice.__module__ = "NanoBanana"  # the host shows a value's class where a node fails


def has_too_many(choice: ProviderChoice) -> bool:
    """Whether more than `MOST_PROVIDERS` are one behind the other: a graph may hold thousands."""
    link: ProviderChoice | None = choice
    for _ in range(MOST_PROVIDERS):
        link = link.fallback if link else None
    return link is not None


def problem_with(choice: ProviderChoice) -> str | None:
    """What is wrong with the values themselves, on any machine; None when nothing is."""
    if has_too_many(choice):
        return msg("choice.too_many_fallbacks", most_providers=MOST_PROVIDERS)
    bad_profile = checked_profile(choice.profile)
    if bad_profile:
        return bad_profile
    override = choice.model_override
    if override:
        if choice.provider == AUTO:
            return msg("choice.model_override_needs_provider")
        if not _OVERRIDE.fullmatch(override) or ".." in override or "//" in override or override.endswith("/"):
            return msg("choice.model_override_malformed")
        if len(override) > 200:
            return msg("choice.model_override_too_long")
    return None
