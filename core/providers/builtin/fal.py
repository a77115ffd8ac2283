"""fal.

Documents: its JavaScript client's types for these endpoints (August 2026) and its pages on the queue, on errors and on
reliability; Nano Banana 2.1 is from a third party's reading of its page (October 2026). The endpoint is the model; an
edit's ends in `/edit`, and the newer models are under `google/` instead of `fal-ai/`. Every call is a request in fal's
queue. A result waits at its address for 7 days, as one source says; other lifetimes aren't known. Cancel takes a request
back while it waits in the queue. What a queue's failure costs is read by the dialect: 5xx isn't billed, some 422 are.
Judged by both of its clients and by the types of @fal-ai/client 1.10.1 (npm, May 2026), which are older than those in its
repository: they know no endpoint below `google/` and no `system_prompt`.

References go inside the body up to `upload_above`, the largest of them through fal's storage beyond that: its address is
fal's second origin, and the key goes there only while fal itself is reached at its own address. The length of a body that
fal takes isn't documented, nor the size of a picture that its models read. What is in that storage can be read by anyone
who has its address, and stays unless the account has an expiry set [fal's pages on file access and storage settings,
November 2026]. Lite has 14 ratios in fal's types, ten in Google's guide.

2.1 is billed by tokens: fal's guide comes to about $0.040 at 1K and $0.134 at 4K, 2K is from a third party's reading of its
page. The one bill that was seen was $0.08 at 1K: it counts against the caps there, and at 2K, which can't cost less. The
first model: $0.039 in two price lists of clients; a client that read fal's pricing API in September 2026 has $0.0398, which
counts. A web search adds $0.015 and high thinking $0.002 elsewhere.
"""

from functools import partial

from ...errors.messages import msg
from ..builder import fields, model, same
from ..spec import ALL_RATIOS, RESOLUTIONS, SIZES, Endpoint, Field, Option, Price, ProviderSpec

_FIELDS = fields(
    aspect_ratio="aspect_ratio",
    resolution="resolution",
    count="num_images",
    seed="seed",
    web_search="enable_web_search",
    safety_tolerance="safety_tolerance",
    limit_generations=Field("limit_generations", {"on": True, "off": False}),
    output_format=Field("output_format", same("png", "jpeg", "webp")),
    thinking=Field("thinking_level", same("minimal", "medium", "high")),
    system_prompt="system_prompt",
)
_FIRST: tuple[Option, ...] = ("seed", "safety_tolerance", "limit_generations", "output_format")
_PRO: tuple[Option, ...] = (*_FIRST, "web_search", "system_prompt")
_LITE: tuple[Option, ...] = (*_FIRST, "thinking", "system_prompt")
_TWO_LEVELS: dict[Option, tuple[str, ...]] = {"thinking": ("minimal", "high")}

_model = partial(model, default_resolution="1K", auto_ratio="auto", max_count=4)
_MODELS = (
    _model(
        "nano-banana-pro",
        "pro",
        "fal-ai/nano-banana-pro",
        SIZES,
        edit_model_id="fal-ai/nano-banana-pro/edit",
        options=_PRO,
        price=Price({"1K": 0.15, "2K": 0.15, "4K": 0.30}, msg("price_source.third_party_notes"), "2026-10-15"),
    ),
    _model(
        "nano-banana-2.1",
        "flash2.1",
        "google/nano-banana-2.1",
        SIZES,
        edit_model_id="google/nano-banana-2.1/edit",
        ratios=ALL_RATIOS,
        options=(*_PRO, "thinking"),
        price=Price(
            {"1K": 0.04, "2K": 0.059, "4K": 0.134},
            msg("price_source.fal_guide"),
            "2026-11-27",
            counted={"1K": 0.08, "2K": 0.08},
            counted_source=msg("price_source.client_bill_1k"),
        ),
    ),
    _model(
        "nano-banana-2",
        "flash",
        "fal-ai/nano-banana-2",
        RESOLUTIONS,
        edit_model_id="fal-ai/nano-banana-2/edit",
        ratios=ALL_RATIOS,
        options=(*_PRO, "thinking"),
        option_values=_TWO_LEVELS,
        price=Price({"0.5K": 0.06, "1K": 0.08, "2K": 0.12, "4K": 0.16}, msg("price_source.model_page"), "2026-10-15"),
        successor="nano-banana-2.1",
    ),
    _model(
        "nano-banana-lite",
        "lite",
        "google/nano-banana-2-lite",
        edit_model_id="google/nano-banana-2-lite/edit",
        ratios=ALL_RATIOS,
        options=_LITE,
        option_values=_TWO_LEVELS,
        price=Price({"1K": 0.042}, msg("price_source.third_party_notes"), "2026-10-07"),
    ),
    _model(
        "nano-banana",
        "first",
        "fal-ai/nano-banana",
        edit_model_id="fal-ai/nano-banana/edit",
        options=_FIRST,
        price=Price(
            {"1K": 0.039},
            msg("price_source.litellm_map"),
            "2026-11-27",
            counted={"1K": 0.0398},
            counted_source=msg("price_source.fal_pricing_api"),
        ),
    ),
)

PROVIDER = ProviderSpec(
    id="fal",
    label="fal",
    rank=80,
    dialect="fal",
    base_url="https://queue.fal.run",
    auth_header="Authorization",
    auth_template="Key {key}",
    key_env_vars=("FAL_KEY",),
    key_url="https://fal.ai/dashboard/keys",
    usage_url="https://fal.ai/dashboard/usage",
    docs=("https://github.com/fal-ai/fal-js", "https://docs.fal.ai/model-apis/model-endpoints/queue"),
    checked="2026-11-27",
    endpoints={
        "generate": Endpoint("/{model}", _FIELDS),
        "edit": Endpoint("/{model}", _FIELDS, references_field="image_urls"),
    },
    models=_MODELS,
    recommended="nano-banana-2.1",
    reference_formats=("webp", "png", "jpeg"),
    max_request_bytes=14 * 27_000_000,
    upload_above=4_000_000,
    upload_url="https://rest.fal.ai",
    stores_references="at a public address, until you delete them or your account's storage settings do",
    cancels="while queued",
)
