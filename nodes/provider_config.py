"""ProviderConfig: which provider, model and stored key the connected nodes use. Nothing on it is secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io

from .. import comfyui
from ..core.errors import InvalidInput, NanoBananaError
from ..core.errors.messages import msg
from ..core.planning.choice import AUTO, RECOMMENDED, ProviderChoice, problem_with
from ..core.providers import model_names
from ..core.providers.spec import ProviderSpec
from .failure_events import send_failure
from .inputs import CATEGORY, Provider, stray
from .value_checks import number_of, text_of, wrong
from .values import UNCONNECTED, provider_of

TIMEOUT, PARALLEL = (10, 3600), (0, 64)
"""Least and most."""


class ProviderConfig(io.ComfyNode):
    """Names a provider; a missing key fails here, before anything slow runs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        specs, profiles, _ = comfyui.provider_options()
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
            inputs=_inputs(specs, profiles),
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
        """Gives the pack's own message for values that this machine doesn't know. Linked values are None here."""
        for name, value in (
            ("provider", provider),
            ("model", model),
            ("profile", profile),
            ("model_override", model_override),
        ):
            if value is not None and not isinstance(value, str):
                return wrong(name, value, msg("values.text")).what
        choice = ProviderChoice(
            provider or AUTO, model or RECOMMENDED, profile or "default", model_override=(model_override or "").strip()
        )
        problem = problem_with(choice) if provider is not None else None
        if problem:
            return problem
        specs, _, mistakes = comfyui.provider_options()
        if provider is not None and provider != AUTO and provider not in specs:
            known = msg("provider_config.unknown_provider", provider=provider[:40], providers=", ".join((AUTO, *specs)))
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
        fallback: ProviderChoice | None = UNCONNECTED,
        **unknown: Any,
    ) -> io.NodeOutput:
        try:
            if unknown:
                raise InvalidInput(stray(list(unknown)))
            choice = ProviderChoice(
                text_of("provider", provider),
                text_of("model", model),
                text_of("profile", profile),
                number_of("timeout", timeout, *TIMEOUT),
                number_of("max_parallel", max_parallel, *PARALLEL),
                text_of("model_override", model_override).strip(),
                provider_of("fallback", fallback),
            )
            comfyui.engine().resolver().check(choice)
        except NanoBananaError as error:
            _, node_id = comfyui.executing_node() or ("", "")
            send_failure(node_id, error)
            raise
        return io.NodeOutput(choice)


def _inputs(specs: Mapping[str, ProviderSpec], profiles: list[str]) -> list[io.Input]:
    return [
        io.Combo.Input(
            "provider",
            options=[AUTO, *specs],
            default=AUTO,
            optional=True,
            tooltip="auto: the first with a key on this machine that can do the request. offline: a free simulation.",
        ),
        io.Combo.Input(
            "model",
            options=[RECOMMENDED, *model_names(specs.values())],
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
            min=TIMEOUT[0],
            max=TIMEOUT[1],
            optional=True,
            advanced=True,
            tooltip="Seconds to wait for a request. What was paid is still collected afterwards.",
        ),
        io.Int.Input(
            "max_parallel",
            default=0,
            min=PARALLEL[0],
            max=PARALLEL[1],
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
    ]
