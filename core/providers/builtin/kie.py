"""kie.ai.

Documents: its page on file streams (the upload, at an origin of its own that takes the same key), its pages of the models
(an OpenAPI file each, in a catalogue of 24 September 2026 and in copies in public repositories), and clients. Every model has
its own field names and its own longest prompt. The ratio of the first Nano Banana was `image_size` until kie replaced it by
`aspect_ratio`; its pages call the older name deprecated. It ignores unknown ids and fields without a word, so nothing is sent
that isn't known. Credits are listed by a public client; their price isn't.

`recommended` stays Nano Banana 2, which takes more references than 2.1 does here. It takes `google_search` in one
published version of kie's OpenAPI file, and has no such field in another (copies of 2026 in public repositories). Lite:
kie's OpenAPI file has 14 ratios and `auto`, up to 10 references, and wants `aspect_ratio` always. An uploaded file is
temporary, at an address that needs no key: kie's pages on uploads say 24 hours in one place and 3 days in another
(November 2026).
"""

from functools import partial

from ...errors.messages import msg
from ..builder import fields, model, same
from ..spec import ALL_RATIOS, SIZES, BalanceField, Endpoint, Field, Price, ProviderSpec

_SPRING = (msg("price_source.client_credits"), "2026-05-01")
_PATH = "/api/v1/jobs/createTask"
_ENDPOINT = Endpoint(
    _PATH,
    fields(
        aspect_ratio="aspect_ratio",
        resolution="resolution",
        output_format=Field("output_format", {"png": "png", "jpeg": "jpg"}),
        web_search="google_search",
    ),
    references_field="image_input",
)
_FIRST = Endpoint(
    _PATH,
    fields(aspect_ratio="aspect_ratio", output_format=Field("output_format", same("png", "jpeg"))),
    references_field="image_urls",
)
_LITE = Endpoint(
    _PATH, fields(aspect_ratio="aspect_ratio"), references_field="image_urls", constants={"aspect_ratio": "auto"}
)
# The longest prompt is that of each model's own page.
_model = partial(
    model, default_resolution="1K", auto_ratio="auto", max_prompt=20_000, max_references=10, options=("output_format",)
)

PROVIDER = ProviderSpec(
    id="kie",
    label="kie.ai",
    rank=110,
    dialect="kie",
    base_url="https://api.kie.ai",
    upload_url="https://kieai.redpandaai.co",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("KIE_API_KEY", "KIEAI_API_KEY"),
    key_url="https://kie.ai/api-key",
    usage_url="https://kie.ai/logs",
    key_check="/api/v1/chat/credit",
    balance=BalanceField(("data",), "credits", "docs.kie.ai/cn/common-api/get-account-credits"),
    docs=("https://docs.kie.ai", "https://docs.kie.ai/file-upload-api/upload-file-stream"),
    checked="2026-11-27",
    endpoints={"generate": _ENDPOINT, "edit": _ENDPOINT},
    models=(
        _model(
            "nano-banana-pro",
            "pro",
            "nano-banana-pro",
            SIZES,
            max_references=8,
            max_prompt=10_000,
            price=Price({"1K": 0.09, "2K": 0.09, "4K": 0.12}, *_SPRING),
        ),
        _model(
            "nano-banana-2.1",
            "flash2.1",
            "nano-banana-2-1",
            SIZES,
            ratios=ALL_RATIOS,
            price=Price({"1K": 0.02, "2K": 0.03, "4K": 0.045}, msg("price_source.measured_at_1k"), "2026-10-08"),
        ),
        _model(
            "nano-banana-2",
            "flash",
            "nano-banana-2",
            SIZES,
            ratios=ALL_RATIOS,
            max_references=14,
            options=("output_format", "web_search"),
            price=Price({"1K": 0.04, "2K": 0.06, "4K": 0.09}, *_SPRING),
            successor="nano-banana-2.1",
        ),
        _model("nano-banana-lite", "lite", "nano-banana-2-lite", ratios=ALL_RATIOS, options=(), endpoint=_LITE),
        _model(
            "nano-banana",
            "first",
            "google/nano-banana",
            edit_model_id="google/nano-banana-edit",
            max_prompt=5_000,
            endpoint=_FIRST,
        ),
    ),
    recommended="nano-banana-2",
    reference_encoding="upload",
    max_reference_bytes=10_000_000,
    max_request_bytes=14 * 10_000_000,
    stores_references="at a public address for a day, or for three: its pages say both",
    poll_seconds=(2.0, 5.0),
)
