"""ProviderConfig: which provider, model and stored key the connected nodes use. Nothing on it is secret."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .. import host
from ..core.choice import AUTO, RECOMMENDED, ProviderChoice, problem_with
from ..core.errors import Impossible
from ..core.providers import model_names
from .widgets import CATEGORY, Provider, stray


class ProviderConfig(io.ComfyNode):
    """Names a provider; a missing key fails here, before anything slow runs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        rows, profiles, _ = host.choices()
        return io.Schema(
            node_id="ProviderConfig",
            display_name="Nano Banana Provider (your key)",
            category=CATEGORY,
            description="Chooses the provider and model for Nano Banana nodes. Keys are not kept here: it only names them, "
            "so the workflow can be shared.",
            search_aliases=[
                "nano banana provider",
                "gemini api key",
                "vertex",
                "fal",
                "replicate",
                "openrouter",
                "reseller",
            ],
            inputs=[
                io.Combo.Input(
                    "provider",
                    options=[AUTO, *rows],
                    default=AUTO,
                    optional=True,
                    tooltip="auto: the first with a key on this machine that can do the request. offline: a free simulation.",
                ),
                io.Combo.Input(
                    "model",
                    options=[RECOMMENDED, *model_names(rows.values())],
                    default=RECOMMENDED,
                    optional=True,
                    tooltip="recommended: the provider's current fast model. Not every provider has every model.",
                ),
                io.Combo.Input(
                    "profile",
                    options=profiles,
                    default="default",
                    optional=True,
                    tooltip="Names a key that is stored on this machine. Never put a key here.",
                ),
                io.Int.Input(
                    "timeout",
                    default=600,
                    min=10,
                    max=3600,
                    optional=True,
                    advanced=True,
                    tooltip="Seconds to wait for a request. What was paid is still collected afterwards.",
                ),
                io.Int.Input(
                    "max_parallel",
                    default=0,
                    min=0,
                    max=64,
                    optional=True,
                    advanced=True,
                    tooltip="Requests at a time. 0: as many as the provider takes, mostly 8. A graph can only lower it.",
                ),
                io.String.Input(
                    "model_override",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="The provider's own model id, for a model that is not in the list yet.",
                ),
                Provider.Input(
                    "fallback",
                    optional=True,
                    tooltip="Tried next, only for pictures that surely cost nothing.",
                ),
            ],
            outputs=[Provider.Output("provider")],
        )

    @classmethod
    def validate_inputs(
        cls,
        provider: str | None = AUTO,
        model: str | None = RECOMMENDED,
        profile: str | None = "default",
        model_override: str | None = "",
    ) -> bool | str:
        """Our own words for values that this machine doesn't know. A linked value is None and is checked when it runs."""
        choice = ProviderChoice(
            provider or AUTO, model or RECOMMENDED, profile or "default", model_override=(model_override or "").strip()
        )
        problem = problem_with(choice) if provider is not None else None
        if problem:
            return problem
        rows, _, mistakes = host.choices()
        if provider is not None and provider != AUTO and provider not in rows:
            known = f"The provider {provider[:40]} is not known here. Known are: {', '.join((AUTO, *rows))}."
            return " ".join((known, *(f"{mistake}." for mistake in mistakes)))
        return True

    @classmethod
    async def execute(
        cls,
        provider: str = AUTO,
        model: str = RECOMMENDED,
        profile: str = "default",
        timeout: int = 600,
        max_parallel: int = 0,
        model_override: str = "",
        fallback: ProviderChoice | None = None,
        **unknown: Any,
    ) -> io.NodeOutput:
        if unknown:
            raise Impossible(stray(list(unknown)), kind="impossible")
        choice = ProviderChoice(
            provider,
            model,
            profile,
            min(max(int(timeout), 10), 3600),
            min(max(int(max_parallel), 0), 64),
            model_override.strip(),
            fallback,
        )
        host.engine().shelf().check(choice)
        return io.NodeOutput(choice)
