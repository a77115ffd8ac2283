"""The pack's own simulator on this machine: free, without a key and without a network.

For building and trying a graph. Its pictures say SIMULATION. It reads every option that a graph can ask, so that nothing
is left out in silence. `auto` never chooses it.
"""

from functools import partial

from ...errors.messages import msg
from ..builder import fields, model
from ..spec import ALL_RATIOS, RESOLUTIONS, RETIRED_PREVIEWS, SIZES, Endpoint, Field, Price, ProviderSpec

_FIELDS = fields(
    aspect_ratio="aspect_ratio",
    resolution="image_size",
    count="n",
    seed="seed",
    web_search="enable_web_search",
    safety_tolerance="safety_tolerance",
    limit_generations=Field("limit_generations", {"on": True, "off": False}),
    output_format="output_format",
    thinking="thinking_level",
    system_prompt="system_prompt",
)
_CONSTANTS = {"response_format": "url"}
# The limits of the real models, so that what works here works there.
_model = partial(
    model,
    drafts=True,
    model_id="offline",
    default_resolution="1K",
    auto_ratio="auto",
    max_count=4,
    options=(
        "seed",
        "web_search",
        "safety_tolerance",
        "limit_generations",
        "output_format",
        "thinking",
        "system_prompt",
    ),
    price=Price({"": 0.0}, "it is free", "2026-11-21"),
)

PROVIDER = ProviderSpec(
    id="offline",
    label=msg("provider_label.offline"),
    dialect="openai_images",
    base_url="",
    auth_header="",
    auth_template="",
    docs=("simulator/offline.py",),
    checked="2026-11-21",
    endpoints={
        "generate": Endpoint("/v1/images/generations", _FIELDS, constants=_CONSTANTS, drafts_field="drafts"),
        "edit": Endpoint(
            "/v1/images/edits", _FIELDS, references_field="image", constants=_CONSTANTS, drafts_field="drafts"
        ),
    },
    models=(
        _model("nano-banana-2", "flash", resolutions=RESOLUTIONS, ratios=ALL_RATIOS),
        _model("nano-banana-pro", "pro", resolutions=SIZES),
        _model("nano-banana-2.1", "flash2.1", resolutions=SIZES, ratios=ALL_RATIOS),
        _model("nano-banana-lite", "lite", resolutions=("1K",)),
        _model("nano-banana", "first", resolutions=("1K",)),
    ),
    recommended="nano-banana-2",
    reference_encoding="multipart",
    reference_formats=("webp", "png", "jpeg"),
    needs_key=False,
    local=True,
    retired=RETIRED_PREVIEWS,
)
