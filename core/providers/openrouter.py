"""OpenRouter.

Documents: the vendor's SDK for chat completions with pictures, clients for its images API. Both are spoken, and what one
of the two can't carry isn't offered: count, seed, format. Ratios and sizes are those of Google's models. What a call cost
is in its answer; a price list isn't known. Previews ended at Google on 25 June 2026.
"""

from .row import EXTREME_RATIOS, PREVIEWS, RATIOS, Field, Model, Offer, Provider, Route

_ALL = (*RATIOS, *EXTREME_RATIOS)
_SIZES = ("1K", "2K", "4K")
_ROUTE = Route(
    "/v1/images",
    {"aspect_ratio": Field("aspect_ratio"), "resolution": Field("resolution")},
    references="input_references",
)


def _model(name: str, family: str, wire: str, ratios: tuple[str, ...], sizes: tuple[str, ...]) -> Model:
    fixed = "" if sizes else "1K"
    return Model(
        name,
        family,
        generate=Offer(wire, ratios, sizes, fixed, "1K"),
        edit=Offer(wire, ratios, sizes, fixed, "1K", max_references=14),
    )


PROVIDER = Provider(
    id="openrouter",
    label="OpenRouter",
    dialect="openrouter",
    base_url="https://openrouter.ai/api",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_variables=("OPENROUTER_API_KEY",),
    key_url="https://openrouter.ai/keys",
    docs=(
        "https://openrouter.ai/docs/guides/overview/multimodal/image-generation",
        "https://github.com/OpenRouterTeam/python-sdk",
    ),
    checked="2026-11-21",
    routes={"generate": _ROUTE, "edit": _ROUTE},
    models=(
        _model("nano-banana-pro", "pro", "google/gemini-3-pro-image", RATIOS, _SIZES),
        _model("nano-banana-2", "flash", "google/gemini-3.1-flash-image", _ALL, _SIZES),
        _model("nano-banana", "first", "google/gemini-2.5-flash-image", RATIOS, ()),
    ),
    recommended="nano-banana-2",
    reads=("webp", "png", "jpeg"),
    max_request_bytes=20_000_000,
    forms=("chat", "images"),
    retired=PREVIEWS
    | {
        "google/gemini-3-pro-image-preview": "nano-banana-pro",
        "google/gemini-3.1-flash-image-preview": "nano-banana-2",
        "google/gemini-2.5-flash-image-preview": "nano-banana",
    },
)
