"""APIFRAME, version 1 of its API.

Documents: its pages for Nano Banana Pro and Nano Banana. The key stands in `Authorization` without any scheme. The path
is the model. An answer may be finished at once, or name a task that `POST /fetch` follows. Without `resolution` the Pro
route gives 2K, unlike everybody else. Prices aren't published.

Judged by apiframe-sdk 1.0.0: it speaks this version, at version 2's host by default, and sends the key as `Bearer`. The pages
are followed here: raw, at `api.apiframe.pro`.

`APIFRAME_API_KEY` is the variable of the vendor's SDKs for both versions. A key of version 2 begins with `afk_` [the OpenAPI
file and README of the v2 SDK; an integrator's guide of 2026 says the same]: it is the provider apiframe_v2's, and is never
sent here, from whichever variable, file or setting.
"""

from ..spec import RATIOS, Capabilities, Endpoint, Field, Model, ProviderSpec

_ROUTE = Endpoint(
    "/{model}",
    {"aspect_ratio": Field("aspect_ratio"), "resolution": Field("resolution")},
    references_field="images",
)

PROVIDER = ProviderSpec(
    id="apiframe",
    label="APIFRAME (v1)",
    dialect="apiframe_v1",
    base_url="https://api.apiframe.pro",
    auth_header="Authorization",
    auth_template="{key}",
    key_env_vars=("APIFRAME_API_KEY",),
    key_sibling="apiframe_v2",
    not_key_prefix="afk_",
    sibling_env_vars=("APIFRAME_API_KEY",),
    key_url="https://apiframe.ai",
    key_check="/account",
    docs=("https://docs.apiframe.ai/nano-banana/nano-banana-pro",),
    checked="2026-11-27",
    endpoints={"generate": _ROUTE, "edit": _ROUTE},
    models=(
        Model(
            "nano-banana-pro",
            "pro",
            generate=Capabilities("nano-banana-pro", RATIOS, ("1K", "2K", "4K"), default_resolution="2K"),
            edit=Capabilities(
                "nano-banana-pro",
                RATIOS,
                ("1K", "2K", "4K"),
                default_resolution="2K",
                auto_ratio="match_input_image",
                max_references=14,
            ),
        ),
        Model(
            "nano-banana",
            "first",
            edit=Capabilities(
                "nano-banana",
                RATIOS,
                fixed_resolution="1K",
                default_resolution="1K",
                auto_ratio="match_input_image",
                max_references=14,
            ),
        ),
    ),
    recommended="nano-banana-pro",
)
