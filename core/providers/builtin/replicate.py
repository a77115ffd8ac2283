"""Replicate.

Documents: its general API reference; the fields of Nano Banana Pro and Nano Banana 2 are from schemas that public clients
carry, those of the first model are taken to be the ones that all three share. No model here takes a count or a seed. Pro
gives 2K without `resolution`. Its `allow_fallback_model` would let another maker's model answer: it is never sent.
The package replicate judges the way of a request and of a file, not the fields: it has no types for them.

An output is deleted an hour after it was made: it is fetched at once, and a call that is collected later than that finds
nothing. References go inside the body up to `upload_above`, the largest of them through its files API beyond that. Cancel
takes a prediction back while it is starting. Prices aren't published for these models, nor what a failed or cancelled
prediction costs. An uploaded file is the account's own: it is read with the key or by a signed address, and the answer
names the day on which it expires [Replicate's API reference].

Disputed, and offered: Nano Banana 2 at the four extreme ratios (in two clients' copies of the schema, not in a third's
reading of the page) and at 0.5K (`512px` in most, `512` in some). What Replicate doesn't take is a 422 with the field's name
in it, which costs nothing. Not offered, because not established: 2.1, WebP references.
"""

from functools import partial

from ..builder import fields, model, same
from ..spec import ALL_RATIOS, RESOLUTIONS, SIZES, Endpoint, Field, ProviderSpec

_FIELDS = fields(
    aspect_ratio="aspect_ratio",
    resolution=Field("resolution", {"0.5K": "512px"} | same(*SIZES)),
    web_search="google_search",
    safety_tolerance=Field(
        "safety_filter_level",
        {
            "1": "block_low_and_above",
            "2": "block_low_and_above",
            "3": "block_medium_and_above",
            "4": "block_medium_and_above",
            "5": "block_only_high",
            "6": "block_only_high",
        },
    ),
    output_format=Field("output_format", {"png": "png", "jpeg": "jpg"}),
)
_PATH = "/v1/models/{model}/predictions"
_model = partial(model, auto_ratio="match_input_image")

PROVIDER = ProviderSpec(
    id="replicate",
    label="Replicate",
    rank=90,
    dialect="replicate",
    base_url="https://api.replicate.com",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("REPLICATE_API_TOKEN",),
    key_url="https://replicate.com/account/api-tokens",
    usage_url="https://replicate.com/account/billing",
    key_check="/v1/account",
    docs=("https://replicate.com/docs/reference/http", "https://replicate.com/google/nano-banana-pro"),
    checked="2026-11-27",
    endpoints={
        "generate": Endpoint(_PATH, _FIELDS),
        "edit": Endpoint(_PATH, _FIELDS, references_field="image_input"),
    },
    models=(
        _model(
            "nano-banana-pro",
            "pro",
            "google/nano-banana-pro",
            SIZES,
            default_resolution="2K",
            options=("safety_tolerance", "output_format"),
        ),
        _model(
            "nano-banana-2",
            "flash",
            "google/nano-banana-2",
            RESOLUTIONS,
            ratios=ALL_RATIOS,
            default_resolution="1K",
            options=("web_search", "output_format"),
            note="0.5K and the ratios 1:4 4:1 1:8 8:1 are disputed: a refusal costs nothing",
        ),
        _model("nano-banana", "first", "google/nano-banana", default_resolution="1K", options=("output_format",)),
    ),
    recommended="nano-banana-2",
    max_request_bytes=14 * 27_000_000,
    upload_above=1_000_000,
    stores_references="in your account, not public, until the day that it names",
    cancels="while starting",
)
