"""OneRouter (Infron).

Documents: its OpenAPI pages for Nano Banana Pro image-to-image and Nano Banana 2 text-to-image. They give one page per
operation; the fields of the other models are taken to be those of their operation. On edits the ratio is called `size`;
`output_format` is how the picture travels (`url` or `b64_json`), not its file format. The documents name no model id
values: those are from a catalogue survey. Prices at 1K were measured, those of 2K and 4K are not known. The page with what was
charged is named in the FAQ of its documents (also in the edition that calls it Infron), the page of the keys in public clients
of 2026.
"""

from functools import partial

from ...errors.messages import msg
from ..builder import fields, model
from ..spec import RESOLUTIONS, SIZES, Endpoint, Field, Price, ProviderSpec

_MEASURED = (msg("price_source.client_bill"), "2026-05-27")
_CONSTANTS = {"output_format": "url"}
_model = partial(
    model,
    default_resolution="1K",
    auto_ratio="auto",
    max_count=4,
    options=("seed", "web_search", "safety_tolerance", "limit_generations"),
    edit_options=("web_search",),
)

PROVIDER = ProviderSpec(
    id="onerouter",
    label="OneRouter",
    rank=30,
    dialect="onerouter",
    base_url="https://image.onerouter.pro",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("ONEROUTER_API_KEY", "INFRON_API_KEY"),
    key_url="https://infron.ai/dashboard/apiKeys",
    usage_url="https://app.onerouter.pro/activity",
    key_check="/v1/images/tasks/00000000-0000-0000-0000-000000000000",
    docs=("https://infronai.gitbook.io/docs/media-apis/image-to-image-api/nano-banana-pro",),
    checked="2026-10-15",
    endpoints={
        "generate": Endpoint(
            "/v1/images/generations",
            fields(
                aspect_ratio="aspect_ratio",
                resolution="resolution",
                count="n",
                seed="seed",
                web_search="enable_web_search",
                safety_tolerance="safety_tolerance",
                limit_generations=Field("limit_generations", {"on": True, "off": False}),
            ),
            constants=_CONSTANTS,
        ),
        "edit": Endpoint(
            "/v1/images/edits",
            fields(aspect_ratio="size", resolution="resolution", count="n", web_search="enable_web_search"),
            references_field="image_urls",
            constants=_CONSTANTS,
        ),
    },
    models=(
        _model(
            "nano-banana-pro",
            "pro",
            "google/nano-banana-pro-text-to-image",
            SIZES,
            edit_model_id="google/nano-banana-pro-image-to-image",
            price=Price({"1K": 0.15}, *_MEASURED),
        ),
        _model(
            "nano-banana-2",
            "flash",
            "google/nano-banana-2-text-to-image",
            RESOLUTIONS,
            edit_model_id="google/nano-banana-2-image-to-image",
            price=Price({"1K": 0.08}, *_MEASURED),
        ),
        _model(
            "nano-banana",
            "first",
            "google/nano-banana-text-to-image",
            edit_model_id="google/nano-banana-image-to-image",
            price=Price({"1K": 0.039}, *_MEASURED),
        ),
    ),
    recommended="nano-banana-2",
    reference_formats=("webp", "png", "jpeg"),
)
