"""OpenRouter.

Documents: the vendor's SDK for chat completions with pictures, clients for its images API. Both are spoken, and what chat
can't carry isn't offered: count, seed, format. Words, temperature and top P are chat's, in the SDK. Ratios and sizes are
those of Google's models. What a call cost is in its answer; a price list isn't known. Previews ended at Google on 25 June
2026. `google/gemini-nano-banana-2.1` and `google/gemini-3.1-flash-lite-image` are in several clients of October 2026, two
of which read OpenRouter's list of image models: 1K, 2K, 4K and 14 ratios for 2.1, one picture a request. Lite has the ten
ratios of Google's guide here: which of both lists OpenRouter takes isn't known.
"""

from functools import partial

from ..builder import fields, model
from ..spec import ALL_RATIOS, RETIRED_PREVIEWS, SIZES, Endpoint, Field, ProviderSpec

_ENDPOINT = Endpoint(
    "/v1/images",
    fields(
        aspect_ratio="aspect_ratio",
        resolution="resolution",
        with_text=Field("modalities", {"True": True}),
        temperature="temperature",
        top_p="top_p",
    ),
    references_field="input_references",
)
_model = partial(model, default_resolution="1K", options=("with_text", "temperature", "top_p"))

PROVIDER = ProviderSpec(
    id="openrouter",
    label="OpenRouter",
    rank=100,
    dialect="openrouter",
    base_url="https://openrouter.ai/api",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("OPENROUTER_API_KEY",),
    key_url="https://openrouter.ai/keys",
    usage_url="https://openrouter.ai/activity",
    docs=(
        "https://openrouter.ai/docs/guides/overview/multimodal/image-generation",
        "https://github.com/OpenRouterTeam/python-sdk",
    ),
    checked="2026-11-27",
    endpoints={"generate": _ENDPOINT, "edit": _ENDPOINT},
    models=(
        _model("nano-banana-pro", "pro", "google/gemini-3-pro-image", SIZES),
        _model("nano-banana-2.1", "flash2.1", "google/gemini-nano-banana-2.1", SIZES, ratios=ALL_RATIOS),
        _model(
            "nano-banana-2",
            "flash",
            "google/gemini-3.1-flash-image",
            SIZES,
            ratios=ALL_RATIOS,
            successor="nano-banana-2.1",
        ),
        _model("nano-banana-lite", "lite", "google/gemini-3.1-flash-lite-image"),
        _model("nano-banana", "first", "google/gemini-2.5-flash-image", successor="nano-banana-lite"),
    ),
    recommended="nano-banana-2.1",
    reference_formats=("webp", "png", "jpeg"),
    max_request_bytes=20_000_000,
    api_variants=("chat", "images"),
    retired=RETIRED_PREVIEWS
    | {
        "google/gemini-3-pro-image-preview": "nano-banana-pro",
        "google/gemini-3.1-flash-image-preview": "nano-banana-2",
        "google/gemini-2.5-flash-image-preview": "nano-banana",
    },
)
