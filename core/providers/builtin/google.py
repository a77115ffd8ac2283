"""Google's own Gemini API, with a key of AI Studio.

Documents: Google's image generation guide, its API reference and its SDK. A request gives one picture. The ratio is left
out for "as the input". Requests above 20 MB send their references through the Files API, which keeps them for 48 hours.
Image models have no free tier: a key without billing is answered 429 for ever.

Ids move. `gemini-3.1-flash-image`: a client library's release note (litellm, October 2026) and other notes that quote
Google's page give 29 October 2026 as its end on the Gemini API; the price map of that library (1.110.2, November 2026) has
no date and names the successor 2.1. `gemini-2.5-flash-image`: 15 March 2027 in the same map, 2 October 2026 in older notes.
The old ids are still sent: a 404 costs nothing and leads to the model that is as its `successor`. The size 0.5K of
2.1 is disputed and not offered. The previews ended on 25 June 2026. Safety has five thresholds for our six levels. Lite
has ten ratios in Google's guide. Prices are per picture without the tokens of prompt and references; web search costs
extra after a monthly allowance. The Files API keeps a file for 48 hours, readable with the key alone [Google's guide].

Temperature (0 to 2) and top P (0 to 1) are in the reference of `generationConfig` and in the SDK. That asking for text too
makes Google ignore the size is what forum reports say.

Batch API [Google's batch guide, SDK]: half the price, within 24 hours, inline up to 20 MB, else a JSONL file of up to 2 GB.

`includeThoughts` asks a model that thinks for what it draws meanwhile [SDK, `ThinkingConfig`; Google's image guide, which
says that the thinking is billed with or without it]. Pro is reported to send its drafts without being asked. The first
model doesn't think.

`COMMON`, `FIELDS` and `gemini_model` are Vertex AI's too: the same bodies, with a table of its own for what differs.
"""

from functools import partial

from ...errors.messages import msg
from ..builder import fields, model, same
from ..spec import (
    ALL_RATIOS,
    OMITTED,
    RESOLUTIONS,
    RETIRED_PREVIEWS,
    SIZES,
    BatchApi,
    Endpoint,
    Field,
    Option,
    Price,
    ProviderSpec,
)

COMMON: tuple[Option, ...] = ("seed", "safety_tolerance", "with_text", "temperature", "top_p")
MINIMAL_HIGH: dict[Option, tuple[str, ...]] = {"thinking": ("minimal", "high")}
_NOTED = (msg("price_source.google_page"), "2026-10-07")

FIELDS = fields(
    # Dots are levels of objects. The dialect wraps what is in `tools`, `safetySettings` and `systemInstruction`.
    aspect_ratio="generationConfig.imageConfig.aspectRatio",
    resolution=Field("generationConfig.imageConfig.imageSize", {"0.5K": "512"} | same(*SIZES)),
    seed="generationConfig.seed",
    thinking=Field("generationConfig.thinkingConfig.thinkingLevel", same("minimal", "medium", "high")),
    web_search=Field("tools", {"True": "googleSearch"}),
    safety_tolerance=Field(
        "safetySettings",
        {
            "1": "BLOCK_LOW_AND_ABOVE",
            "2": "BLOCK_MEDIUM_AND_ABOVE",
            "3": "BLOCK_MEDIUM_AND_ABOVE",
            "4": "BLOCK_ONLY_HIGH",
            "5": "BLOCK_NONE",
            "6": "OFF",
        },
    ),
    system_prompt="systemInstruction",
    with_text=Field("generationConfig.responseModalities", {"True": True}, size_at_risk=True),
    temperature="generationConfig.temperature",
    top_p="generationConfig.topP",
)

DRAFTS_FIELD = "generationConfig.thinkingConfig.includeThoughts"

gemini_model = partial(model, default_resolution="1K", auto_ratio=OMITTED)
"""A model in the body of `generateContent`."""

_MODELS = (
    gemini_model(
        "nano-banana-pro",
        "pro",
        "gemini-3-pro-image",
        SIZES,
        options=(*COMMON, "web_search", "system_prompt"),
        drafts=True,
        price=Price({"1K": 0.134, "2K": 0.134, "4K": 0.24}, *_NOTED),
    ),
    gemini_model(
        "nano-banana-2.1",
        "flash2.1",
        "gemini-nano-banana-2.1",
        SIZES,
        ratios=ALL_RATIOS,
        options=(*COMMON, "web_search", "system_prompt", "thinking"),
        drafts=True,
        price=Price({"1K": 0.0336, "2K": 0.0504, "4K": 0.1134}, *_NOTED),
    ),
    gemini_model(
        "nano-banana-2",
        "flash",
        "gemini-3.1-flash-image",
        RESOLUTIONS,
        ratios=ALL_RATIOS,
        options=(*COMMON, "web_search", "system_prompt", "thinking"),
        option_values=MINIMAL_HIGH,
        drafts=True,
        price=Price({"0.5K": 0.045, "1K": 0.067, "2K": 0.101, "4K": 0.151}, *_NOTED),
        note="notes that quote Google's page give 29 October 2026 as its end here; once it is gone, nano-banana-2.1 is asked",
        successor="nano-banana-2.1",
    ),
    gemini_model(
        "nano-banana-lite",
        "lite",
        "gemini-3.1-flash-lite-image",
        options=(*COMMON, "system_prompt", "thinking"),
        option_values=MINIMAL_HIGH,
        drafts=True,
        price=Price({"1K": 0.0336}, *_NOTED),
        note="not made for several references",
    ),
    gemini_model(
        "nano-banana",
        "first",
        "gemini-2.5-flash-image",
        options=COMMON,
        price=Price({"1K": 0.039}, *_NOTED),
        note="best with up to 3 references; Google is ending it, and nano-banana-lite is asked once it is gone",
        successor="nano-banana-lite",
    ),
)
_BATCH = BatchApi(
    path="/v1beta/models/{model}:batchGenerateContent",
    price_share=0.5,
    hours=24,
    max_inline_bytes=20_000_000,
    max_file_bytes=2_000_000_000,
)
_ENDPOINT = Endpoint(
    "/v1beta/models/{model}:generateContent",
    FIELDS,
    references_field="inlineData",
    drafts_field=DRAFTS_FIELD,
    stream_path="/v1beta/models/{model}:streamGenerateContent?alt=sse",
)

PROVIDER = ProviderSpec(
    id="google",
    label="Google Gemini",
    rank=10,
    dialect="gemini",
    base_url="https://generativelanguage.googleapis.com",
    auth_header="x-goog-api-key",
    auth_template="{key}",
    key_env_vars=("GEMINI_API_KEY",),
    shared_env_vars=("GOOGLE_API_KEY",),
    key_url="https://aistudio.google.com/apikey",
    usage_url="https://aistudio.google.com/usage",
    key_check="/v1beta/models?pageSize=1",
    docs=(
        "https://ai.google.dev/gemini-api/docs/image-generation",
        "https://ai.google.dev/gemini-api/docs/files",
        "https://ai.google.dev/gemini-api/docs/batch-api",
    ),
    checked="2026-11-27",
    endpoints={"generate": _ENDPOINT, "edit": _ENDPOINT},
    models=_MODELS,
    recommended="nano-banana-2.1",
    reference_encoding="upload",
    reference_formats=("webp", "png", "jpeg"),
    max_reference_bytes=2_000_000_000,
    max_request_bytes=20_000_000_000,
    upload_above=20_000_000,
    batch=_BATCH,
    conversations=True,
    # Of the 20 MB of a request; the rest is for the words and the new references.
    max_conversation_bytes=14_000_000,
    stores_references="for 48 hours, readable with your key only",
    retired=RETIRED_PREVIEWS
    | {
        "gemini-3-pro-image-preview": "nano-banana-pro",
        "gemini-3.1-flash-image-preview": "nano-banana-2",
        "gemini-2.5-flash-image-preview": "nano-banana",
    },
)
