"""Runflow.

Documents: its page for Nano Banana Pro Edit (`POST /v1/run/<model>`, answered with the pictures) and its general
reference (`POST /v1/models/<model>/runs`, then `GET /v1/runs/<id>`). Which one a key's account is served by isn't known:
both are spoken. References go through its asset upload, because inline ones are stored as references that its own
workers have refused. The option list of `aspect_ratio` is that of the same model elsewhere; the page gives none.
"""

from ..spec import EXTREME_RATIOS, RATIOS, Capabilities, Endpoint, Field, Model, Option, Price, ProviderSpec

_SWITCH = {"on": True, "off": False}
_FORMATS = {"png": "png", "jpeg": "jpeg", "webp": "webp"}
_COMMON: frozenset[Option] = frozenset({"seed", "web_search", "safety_tolerance", "limit_generations", "output_format"})
_FLASH: frozenset[Option] = _COMMON | {"thinking"}
_FIELDS: dict[Option, Field] = {
    "aspect_ratio": Field("aspect_ratio"),
    "resolution": Field("resolution"),
    "count": Field("num_images"),
    "seed": Field("seed"),
    "web_search": Field("enable_web_search"),
    "safety_tolerance": Field("safety_tolerance"),
    "limit_generations": Field("limit_generations", _SWITCH),
    "output_format": Field("output_format", _FORMATS),
    "thinking": Field("thinking_level", {"minimal": "minimal", "high": "high"}),
}
_ALL = (*RATIOS, *EXTREME_RATIOS)
_ROUTE = Endpoint("/v1/run/{model}", _FIELDS, references_field="image_urls")

PROVIDER = ProviderSpec(
    id="runflow",
    label="Runflow",
    dialect="runflow",
    base_url="https://api.runflow.io",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("RUNFLOW_API_KEY",),
    key_url="https://www.runflow.io",
    key_check="/v1/billing/balance",
    docs=("https://www.runflow.io/models/google/nano-banana-pro/edit", "https://docs.runflow.io"),
    checked="2026-10-15",
    endpoints={"generate": _ROUTE, "edit": _ROUTE},
    models=(
        Model(
            "nano-banana-pro",
            "pro",
            generate=Capabilities(
                "google/nano-banana-pro",
                RATIOS,
                ("1K", "2K", "4K"),
                default_resolution="1K",
                max_count=4,
                options=_COMMON,
            ),
            edit=Capabilities(
                "google/nano-banana-pro/edit",
                RATIOS,
                ("1K", "2K", "4K"),
                default_resolution="1K",
                auto_ratio="auto",
                max_references=14,
                max_count=4,
                options=_COMMON,
            ),
            price=Price({"1K": 0.15}, "its model page, base price", "2026-04-06"),
        ),
        Model(
            "nano-banana-2",
            "flash",
            generate=Capabilities(
                "google/nano-banana-2",
                _ALL,
                ("0.5K", "1K", "2K", "4K"),
                default_resolution="1K",
                max_count=4,
                options=_FLASH,
                max_prompt=50_000,
            ),
            edit=Capabilities(
                "google/nano-banana-2/edit",
                _ALL,
                ("0.5K", "1K", "2K", "4K"),
                default_resolution="1K",
                auto_ratio="auto",
                max_references=14,
                max_count=4,
                options=_FLASH,
                max_prompt=50_000,
            ),
            price=Price({"1K": 0.08}, "its model page, base price", "2026-10-15"),
        ),
    ),
    recommended="nano-banana-2",
    reference_encoding="upload",
    reference_formats=("webp", "png", "jpeg"),
    max_reference_bytes=50_000_000,
    max_request_bytes=14 * 50_000_000,
    stores_references="in your account, at a signed address that ends; for how long they stay is not known",
    api_variants=("run", "runs"),
    poll_seconds=(2.0, 5.0),
)
