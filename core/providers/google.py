"""Google's own Gemini API, with a key of AI Studio.

Documents: Google's image generation guide, its API reference and its SDK. A request gives one picture. The ratio is left
out for "as the input". Requests above 20 MB send their references through the Files API, which keeps them for 48 hours.
Image models have no free tier: a key without billing is answered 429 for ever.

Ids move: the third-generation flash model was announced to end in October 2026 and the first one in 2026 or 2027,
depending on the page; `nano-banana-2.1` follows both. Its size 0.5K is disputed and not offered. The previews
ended on 25 June 2026. Safety has five thresholds for our six levels. Prices are per picture without the tokens of prompt and
references; web search costs extra after a monthly allowance.

`MODELS` and `FIELDS` are Vertex AI's too.
"""

from dataclasses import replace

from .row import EXTREME_RATIOS, OMITTED, PREVIEWS, RATIOS, Field, Model, Offer, Option, Price, Provider, Route

_ALL = (*RATIOS, *EXTREME_RATIOS)
_COMMON: frozenset[Option] = frozenset({"seed", "safety_tolerance"})
_MINIMAL_HIGH: dict[Option, tuple[str, ...]] = {"thinking": ("minimal", "high")}
_NOTED = ("Google's price page", "2026-10-07")

FIELDS: dict[Option, Field] = {
    # Dots lead into objects. The dialect wraps what stands in `tools`, `safetySettings` and `systemInstruction`.
    "aspect_ratio": Field("generationConfig.imageConfig.aspectRatio"),
    "resolution": Field("generationConfig.imageConfig.imageSize", {"0.5K": "512", "1K": "1K", "2K": "2K", "4K": "4K"}),
    "seed": Field("generationConfig.seed"),
    "thinking": Field(
        "generationConfig.thinkingConfig.thinkingLevel", {"minimal": "minimal", "medium": "medium", "high": "high"}
    ),
    "web_search": Field("tools", {"True": "googleSearch"}),
    "safety_tolerance": Field(
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
    "system_prompt": Field("systemInstruction"),
}


def _model(
    name: str,
    family: str,
    wire: str,
    ratios: tuple[str, ...],
    resolutions: tuple[str, ...],
    usd: dict[str, float],
    options: frozenset[Option],
    choices: dict[Option, tuple[str, ...]] | None = None,
    note: str = "",
) -> Model:
    generate = Offer(
        wire,
        ratios,
        resolutions,
        fixed_resolution="" if resolutions else "1K",
        default_resolution="1K",
        options=_COMMON | options,
        choices=choices or {},
    )
    edit = replace(generate, auto_ratio=OMITTED, max_references=14)
    return Model(name, family, generate, edit, Price(usd, *_NOTED), note)


MODELS: tuple[Model, ...] = (
    _model(
        "nano-banana-pro",
        "pro",
        "gemini-3-pro-image",
        RATIOS,
        ("1K", "2K", "4K"),
        {"1K": 0.134, "2K": 0.134, "4K": 0.24},
        frozenset({"web_search", "system_prompt"}),
    ),
    _model(
        "nano-banana-2.1",
        "flash2.1",
        "gemini-nano-banana-2.1",
        _ALL,
        ("1K", "2K", "4K"),
        {"1K": 0.0336, "2K": 0.0504, "4K": 0.1134},
        frozenset({"web_search", "system_prompt", "thinking"}),
    ),
    _model(
        "nano-banana-2",
        "flash",
        "gemini-3.1-flash-image",
        _ALL,
        ("0.5K", "1K", "2K", "4K"),
        {"0.5K": 0.045, "1K": 0.067, "2K": 0.101, "4K": 0.151},
        frozenset({"web_search", "system_prompt", "thinking"}),
        _MINIMAL_HIGH,
        "deprecated by Google in October 2026",
    ),
    _model(
        "nano-banana-lite",
        "lite",
        "gemini-3.1-flash-lite-image",
        RATIOS,
        (),
        {"1K": 0.0336},
        frozenset({"system_prompt", "thinking"}),
        _MINIMAL_HIGH,
        "not made for several references",
    ),
    _model(
        "nano-banana",
        "first",
        "gemini-2.5-flash-image",
        RATIOS,
        (),
        {"1K": 0.039},
        frozenset(),
        note="best with up to 3 references; Google is ending it",
    ),
)

_ROUTE = Route("/v1beta/models/{model}:generateContent", FIELDS, references="inlineData")

PROVIDER = Provider(
    id="google",
    label="Google Gemini",
    dialect="gemini",
    base_url="https://generativelanguage.googleapis.com",
    auth_header="x-goog-api-key",
    auth_template="{key}",
    key_variables=("GEMINI_API_KEY",),
    borrowed_variables=("GOOGLE_API_KEY",),
    key_url="https://aistudio.google.com/apikey",
    key_check="/v1beta/models?pageSize=1",
    docs=("https://ai.google.dev/gemini-api/docs/image-generation", "https://ai.google.dev/gemini-api/docs/files"),
    checked="2026-11-21",
    routes={"generate": _ROUTE, "edit": _ROUTE},
    models=MODELS,
    recommended="nano-banana-2.1",
    references="upload",
    reads=("webp", "png", "jpeg"),
    max_reference_bytes=2_000_000_000,
    max_request_bytes=20_000_000_000,
    upload_above=20_000_000,
    retired=PREVIEWS
    | {
        "gemini-3-pro-image-preview": "nano-banana-pro",
        "gemini-3.1-flash-image-preview": "nano-banana-2",
        "gemini-2.5-flash-image-preview": "nano-banana",
    },
)
