"""APIFRAME, version 2 of its API: another address, another key header, other fields than version 1.

Documents: the OpenAPI file in the vendor's SDK repository. One block of fields for all four models, even where a value
can't apply; what each takes is that of its model elsewhere. `aspect_ratio` is a free string there: only the ten ratios
that every model has are offered, and no word for "as the first image" is known. Prices aren't published. Judged by that
file; apiframe-sdk, for Python, speaks version 1, and with it sends the key as `Bearer` where this file has `X-API-Key`.

Every key begins with `afk_`. `APIFRAME_API_KEY`, the variable of the SDK, counts where its key begins so; another one in it is
taken for one of version 1. What is in a variable of this provider's own, or in Settings, is sent whatever it begins
with: a wrong key is refused and costs nothing. An uploaded file lives for one to two hours [the same SDK], at an address
that needs no key. Its console, which has keys, balance and jobs, is named in public clients of 2026.
"""

from functools import partial

from ..builder import fields, model, same
from ..spec import RESOLUTIONS, SIZES, Endpoint, Field, ProviderSpec

_ENDPOINT = Endpoint(
    "/v2/images/generate",
    fields(
        aspect_ratio="aspect_ratio",
        resolution=Field("resolution", {"0.5K": "512px"} | same(*SIZES)),
        web_search="google_search",
        output_format=Field("output_format", {"png": "png", "jpeg": "jpg", "webp": "webp"}),
    ),
    references_field="image_input",
)
_model = partial(model, options=("web_search", "output_format"), max_prompt=2000)

PROVIDER = ProviderSpec(
    id="apiframe_v2",
    label="APIFRAME (v2)",
    rank=50,
    dialect="apiframe_v2",
    base_url="https://api.apiframe.ai",
    auth_header="X-API-Key",
    auth_template="{key}",
    key_env_vars=("APIFRAME_V2_API_KEY", "APIFRAME_API_KEY"),
    key_sibling="apiframe",
    key_prefix="afk_",
    sibling_env_vars=("APIFRAME_API_KEY",),
    key_url="https://console.apiframe.ai",
    usage_url="https://console.apiframe.ai",
    docs=("https://github.com/apiframe-ai/apiframe-nodejs-sdk",),
    checked="2026-11-27",
    endpoints={"generate": _ENDPOINT, "edit": _ENDPOINT},
    models=(
        _model("nano-banana-pro", "pro", "nano-banana-pro", SIZES),
        _model("nano-banana-2", "flash", "nano-banana-2", RESOLUTIONS),
        _model("nano-banana-lite", "lite", "nano-banana-2-lite", default_resolution="1K"),
        _model("nano-banana", "first", "nano-banana", default_resolution="1K"),
    ),
    recommended="nano-banana-2",
    reference_encoding="upload",
    reference_formats=("webp", "png", "jpeg"),
    max_reference_bytes=25_000_000,
    max_request_bytes=14 * 25_000_000,
    stores_references="at a public address for one to two hours",
    idempotency_header="Idempotency-Key",
    poll_seconds=(2.0, 5.0),
)
