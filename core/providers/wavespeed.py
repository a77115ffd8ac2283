"""WaveSpeed.

Documents: its pages on the models and on uploading files, and its own ComfyUI nodes. Resolutions are in lower case. No
limit of references is given for the newer models: it is that of the same models elsewhere. Of Nano Banana 2.1 only the
page for text is known. Prices depend on the model's page and aren't listed in one place. Resellers serve the same shape
(302.ai below `https://api.302.ai/ws`).
"""

from .row import EXTREME_RATIOS, RATIOS, Field, Model, Offer, Option, Provider, Route

_ALL = (*RATIOS, *EXTREME_RATIOS)
_SIZES = ("1K", "2K", "4K")
_FORMAT: frozenset[Option] = frozenset({"output_format"})
_SEARCH: frozenset[Option] = frozenset({"web_search"})
_ROUTE = Route(
    "/api/v3/{model}",
    {
        "aspect_ratio": Field("aspect_ratio"),
        "resolution": Field("resolution", {"1K": "1k", "2K": "2k", "4K": "4k"}),
        "web_search": Field("enable_web_search"),
        "output_format": Field("output_format", {"png": "png", "jpeg": "jpeg"}),
    },
    references="images",
)

PROVIDER = Provider(
    id="wavespeed",
    label="WaveSpeed",
    dialect="wavespeed",
    base_url="https://api.wavespeed.ai",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_variables=("WAVESPEED_API_KEY",),
    key_url="https://wavespeed.ai/accesskey",
    docs=(
        "https://wavespeed.ai/models/google/nano-banana-pro/text-to-image/llms.txt",
        "https://wavespeed.ai/docs/upload-files-api",
        "https://github.com/WaveSpeedAI/wavespeed-comfyui",
    ),
    checked="2026-11-21",
    routes={"generate": _ROUTE, "edit": _ROUTE},
    models=(
        Model(
            "nano-banana-pro",
            "pro",
            generate=Offer(
                "google/nano-banana-pro/text-to-image", RATIOS, _SIZES, default_resolution="1K", options=_FORMAT
            ),
            edit=Offer(
                "google/nano-banana-pro/edit",
                RATIOS,
                _SIZES,
                default_resolution="1K",
                max_references=14,
                options=_FORMAT,
            ),
        ),
        Model(
            "nano-banana-2.1",
            "flash2.1",
            generate=Offer(
                "google/nano-banana-2.1/text-to-image", _ALL, _SIZES, default_resolution="1K", options=_SEARCH
            ),
        ),
        Model(
            "nano-banana-2",
            "flash",
            generate=Offer(
                "google/nano-banana-2/text-to-image", _ALL, _SIZES, default_resolution="1K", options=_FORMAT | _SEARCH
            ),
            edit=Offer(
                "google/nano-banana-2/edit",
                _ALL,
                _SIZES,
                default_resolution="1K",
                max_references=14,
                options=_FORMAT | _SEARCH,
            ),
        ),
        Model(
            "nano-banana",
            "first",
            generate=Offer("google/nano-banana/text-to-image", RATIOS, (), "1K", "1K", options=_FORMAT),
            edit=Offer("google/nano-banana/edit", RATIOS, (), "1K", "1K", max_references=10, options=_FORMAT),
        ),
    ),
    recommended="nano-banana-2",
    references="upload",
    reads=("webp", "png", "jpeg"),
    max_reference_bytes=20_000_000,
    max_request_bytes=14 * 20_000_000,
    poll_seconds=(1.0, 5.0),
)
