"""WaveSpeed.

Documents: its pages on the models and on uploading files, and its own ComfyUI nodes. Resolutions are in lower case. No
limit of references is given for some models: it is that of the same models elsewhere. Nano Banana 2.1 edits with up to 14
references, 14 ratios, PNG or JPEG, "the same request as Nano Banana 2" [WaveSpeed's page on its API, November 2026]; Lite
makes pictures from text, 14 ratios, PNG or JPEG, without a resolution [its page of the model, November 2026]; its edits are
in a reseller's list only and not offered. An uploaded file is kept for 7 days at an address that needs no key [its page on
uploads]. Prices depend on the model's page and aren't listed in one place. Resellers serve the same shape
(302.ai below `https://api.302.ai/ws`).

The package wavespeed judges the way of a request, not the fields: it has no types for them. It uploads by a ticket of
`/api/v3/media/uploads` and a PUT, where the page on uploads, followed here, has a form.
"""

from functools import partial

from ..builder import fields, model, same
from ..spec import ALL_RATIOS, SIZES, BalanceField, Endpoint, Field, ProviderSpec

_ENDPOINT = Endpoint(
    "/api/v3/{model}",
    fields(
        aspect_ratio="aspect_ratio",
        resolution=Field("resolution", {"1K": "1k", "2K": "2k", "4K": "4k"}),
        web_search="enable_web_search",
        output_format=Field("output_format", same("png", "jpeg")),
    ),
    references_field="images",
)
_model = partial(model, default_resolution="1K", options=("output_format",))

PROVIDER = ProviderSpec(
    id="wavespeed",
    label="WaveSpeed",
    rank=120,
    dialect="wavespeed",
    base_url="https://api.wavespeed.ai",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("WAVESPEED_API_KEY",),
    key_url="https://wavespeed.ai/accesskey",
    usage_url="https://wavespeed.ai/billing",
    key_check="/api/v3/balance",
    balance=BalanceField(("data", "balance"), "USD", "wavespeed.ai/docs/docs-common-api/balance"),
    docs=(
        "https://wavespeed.ai/models/google/nano-banana-pro/text-to-image/llms.txt",
        "https://wavespeed.ai/nano-banana-2-1-api",
        "https://wavespeed.ai/models/google/nano-banana-2-lite/text-to-image/llms.txt",
        "https://wavespeed.ai/docs/upload-files",
        "https://wavespeed.ai/docs/upload-files-api",
        "https://github.com/WaveSpeedAI/wavespeed-comfyui",
    ),
    checked="2026-11-27",
    endpoints={"generate": _ENDPOINT, "edit": _ENDPOINT},
    models=(
        _model(
            "nano-banana-pro",
            "pro",
            "google/nano-banana-pro/text-to-image",
            SIZES,
            edit_model_id="google/nano-banana-pro/edit",
        ),
        _model(
            "nano-banana-2.1",
            "flash2.1",
            "google/nano-banana-2.1/text-to-image",
            SIZES,
            edit_model_id="google/nano-banana-2.1/edit",
            ratios=ALL_RATIOS,
            options=("output_format", "web_search"),
        ),
        _model(
            "nano-banana-2",
            "flash",
            "google/nano-banana-2/text-to-image",
            SIZES,
            edit_model_id="google/nano-banana-2/edit",
            ratios=ALL_RATIOS,
            options=("output_format", "web_search"),
            successor="nano-banana-2.1",
        ),
        _model(
            "nano-banana-lite",
            "lite",
            "google/nano-banana-2-lite/text-to-image",
            ratios=ALL_RATIOS,
            operations=("generate",),
        ),
        _model(
            "nano-banana",
            "first",
            "google/nano-banana/text-to-image",
            edit_model_id="google/nano-banana/edit",
            max_references=10,
        ),
    ),
    recommended="nano-banana-2.1",
    reference_encoding="upload",
    reference_formats=("webp", "png", "jpeg"),
    max_reference_bytes=20_000_000,
    max_request_bytes=14 * 20_000_000,
    stores_references="at a public address for 7 days",
    poll_seconds=(1.0, 5.0),
)
