"""The pack's own simulator on this machine: free, without a key and without a network.

For building and trying a graph. Its pictures say SIMULATION. It reads every option that a graph can ask, so that nothing
is left out in silence. `auto` never chooses it.
"""

from ..spec import (
    EXTREME_RATIOS,
    RATIOS,
    RESOLUTIONS,
    RETIRED_PREVIEWS,
    Capabilities,
    Endpoint,
    Field,
    Model,
    Option,
    Price,
    ProviderSpec,
)

_ALL = (*RATIOS, *EXTREME_RATIOS)
_OPTIONS: frozenset[Option] = frozenset(
    {"seed", "web_search", "safety_tolerance", "limit_generations", "output_format", "thinking", "system_prompt"}
)
_FREE = Price({"": 0.0}, "it is free", "2026-11-21")
_FIELDS: dict[Option, Field] = {
    "aspect_ratio": Field("aspect_ratio"),
    "resolution": Field("image_size"),
    "count": Field("n"),
    "seed": Field("seed"),
    "web_search": Field("enable_web_search"),
    "safety_tolerance": Field("safety_tolerance"),
    "limit_generations": Field("limit_generations", {"on": True, "off": False}),
    "output_format": Field("output_format"),
    "thinking": Field("thinking_level"),
    "system_prompt": Field("system_prompt"),
}


def _model(name: str, family: str, ratios: tuple[str, ...], resolutions: tuple[str, ...]) -> Model:
    """The limits of the real model, so that what works here works there."""
    return Model(
        name,
        family,
        generate=Capabilities("offline", ratios, resolutions, default_resolution="1K", max_count=4, options=_OPTIONS),
        edit=Capabilities(
            "offline",
            ratios,
            resolutions,
            default_resolution="1K",
            auto_ratio="auto",
            max_references=14,
            max_count=4,
            options=_OPTIONS,
        ),
        price=_FREE,
    )


PROVIDER = ProviderSpec(
    id="offline",
    label="Offline simulation",
    dialect="openai_images",
    base_url="",
    auth_header="",
    auth_template="",
    docs=("simulator/offline.py",),
    checked="2026-11-21",
    endpoints={
        "generate": Endpoint("/v1/images/generations", _FIELDS, constants={"response_format": "url"}),
        "edit": Endpoint("/v1/images/edits", _FIELDS, references_field="image", constants={"response_format": "url"}),
    },
    models=(
        _model("nano-banana-2", "flash", _ALL, RESOLUTIONS),
        _model("nano-banana-pro", "pro", RATIOS, ("1K", "2K", "4K")),
        _model("nano-banana-2.1", "flash2.1", _ALL, ("1K", "2K", "4K")),
        _model("nano-banana-lite", "lite", RATIOS, ("1K",)),
        _model("nano-banana", "first", RATIOS, ("1K",)),
    ),
    recommended="nano-banana-2",
    reference_encoding="multipart",
    reference_formats=("webp", "png", "jpeg"),
    needs_key=False,
    local=True,
    retired=RETIRED_PREVIEWS,
)
