"""OpenRouter.

Documents: the vendor's SDK for chat completions with pictures, clients for its images API. Both are spoken, and what one
of the two can't carry isn't offered: count, seed, format. Ratios and sizes are those of Google's models. What a call cost
is in its answer; a price list isn't known. Previews ended at Google on 25 June 2026. `google/gemini-nano-banana-2.1` and
`google/gemini-3.1-flash-lite-image` stand in several clients of October 2026, two of which read OpenRouter's list of image
models: 1K, 2K, 4K and 14 ratios for 2.1, one picture a request. Lite has the ten ratios of Google's guide here: which of
both lists OpenRouter takes isn't known.
"""

from ..spec import EXTREME_RATIOS, RATIOS, RETIRED_PREVIEWS, Capabilities, Endpoint, Field, Model, ProviderSpec

_ALL = (*RATIOS, *EXTREME_RATIOS)
_SIZES = ("1K", "2K", "4K")
_ROUTE = Endpoint(
    "/v1/images",
    {"aspect_ratio": Field("aspect_ratio"), "resolution": Field("resolution")},
    references_field="input_references",
)


def _model(
    name: str, family: str, wire: str, ratios: tuple[str, ...], sizes: tuple[str, ...], successor: str = ""
) -> Model:
    fixed = "" if sizes else "1K"
    return Model(
        name,
        family,
        generate=Capabilities(wire, ratios, sizes, fixed, "1K"),
        edit=Capabilities(wire, ratios, sizes, fixed, "1K", max_references=14),
        successor=successor,
    )


PROVIDER = ProviderSpec(
    id="openrouter",
    label="OpenRouter",
    dialect="openrouter",
    base_url="https://openrouter.ai/api",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("OPENROUTER_API_KEY",),
    key_url="https://openrouter.ai/keys",
    docs=(
        "https://openrouter.ai/docs/guides/overview/multimodal/image-generation",
        "https://github.com/OpenRouterTeam/python-sdk",
    ),
    checked="2026-11-27",
    endpoints={"generate": _ROUTE, "edit": _ROUTE},
    models=(
        _model("nano-banana-pro", "pro", "google/gemini-3-pro-image", RATIOS, _SIZES),
        _model("nano-banana-2.1", "flash2.1", "google/gemini-nano-banana-2.1", _ALL, _SIZES),
        _model("nano-banana-2", "flash", "google/gemini-3.1-flash-image", _ALL, _SIZES, "nano-banana-2.1"),
        _model("nano-banana-lite", "lite", "google/gemini-3.1-flash-lite-image", RATIOS, ()),
        _model("nano-banana", "first", "google/gemini-2.5-flash-image", RATIOS, (), "nano-banana-lite"),
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
