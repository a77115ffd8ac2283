"""Runflow.

Documents: its page for Nano Banana Pro Edit (`POST /v1/run/<model>`, answered with the pictures) and its general
reference (`POST /v1/models/<model>/runs`, then `GET /v1/runs/<id>`). Which one a key's account is served by isn't known:
both are spoken. References go through its asset upload, because inline ones are stored as references that its own
workers have refused. The option list of `aspect_ratio` is that of the same model elsewhere; the page gives none. Its pages of
the keys and of the balance are named in public clients of 2026; a page that lists each charge isn't known.
"""

from functools import partial

from ...errors.messages import msg
from ..builder import fields, model, same
from ..spec import ALL_RATIOS, RESOLUTIONS, SIZES, BalanceField, Endpoint, Field, Option, Price, ProviderSpec

_ENDPOINT = Endpoint(
    "/v1/run/{model}",
    fields(
        aspect_ratio="aspect_ratio",
        resolution="resolution",
        count="num_images",
        seed="seed",
        web_search="enable_web_search",
        safety_tolerance="safety_tolerance",
        limit_generations=Field("limit_generations", {"on": True, "off": False}),
        output_format=Field("output_format", same("png", "jpeg", "webp")),
        thinking=Field("thinking_level", same("minimal", "high")),
    ),
    references_field="image_urls",
)
_COMMON: tuple[Option, ...] = ("seed", "web_search", "safety_tolerance", "limit_generations", "output_format")
_model = partial(model, default_resolution="1K", auto_ratio="auto", max_count=4)

PROVIDER = ProviderSpec(
    id="runflow",
    label="Runflow",
    rank=70,
    dialect="runflow",
    base_url="https://api.runflow.io",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("RUNFLOW_API_KEY",),
    key_url="https://app.runflow.io/settings/api-keys",
    usage_url="https://app.runflow.io/billing",
    key_check="/v1/billing/balance",
    balance=BalanceField(
        ("balance",), "", "docs.runflow.io names the route; its answer is not documented", ("currency",)
    ),
    docs=("https://www.runflow.io/models/google/nano-banana-pro/edit", "https://docs.runflow.io"),
    checked="2026-10-15",
    endpoints={"generate": _ENDPOINT, "edit": _ENDPOINT},
    models=(
        _model(
            "nano-banana-pro",
            "pro",
            "google/nano-banana-pro",
            SIZES,
            edit_model_id="google/nano-banana-pro/edit",
            options=_COMMON,
            price=Price({"1K": 0.15}, msg("price_source.model_page_base"), "2026-04-06"),
        ),
        _model(
            "nano-banana-2",
            "flash",
            "google/nano-banana-2",
            RESOLUTIONS,
            edit_model_id="google/nano-banana-2/edit",
            ratios=ALL_RATIOS,
            options=(*_COMMON, "thinking"),
            max_prompt=50_000,
            price=Price({"1K": 0.08}, msg("price_source.model_page_base"), "2026-10-15"),
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
