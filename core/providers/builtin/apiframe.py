"""APIFRAME, version 1 of its API.

Documents: its pages for Nano Banana Pro and Nano Banana. The key is in `Authorization` without any scheme. The path
is the model. An answer may be finished at once, or name a task that `POST /fetch` follows. Without `resolution` the Pro
route gives 2K, unlike everybody else. Prices aren't published.

Judged by apiframe-sdk 1.0.0: it speaks this version, at version 2's host by default, and sends the key as `Bearer`. The pages
are followed here: raw, at `api.apiframe.pro`. Its dashboard, which has the balance, is named in public clients; a page that
lists each charge isn't known.

`APIFRAME_API_KEY` is the variable of the vendor's SDKs for both versions. A key of version 2 begins with `afk_` [the OpenAPI
file and README of the v2 SDK; an integrator's guide of 2026 says the same]: it is the provider apiframe_v2's, and is never
sent here, from whichever variable, file or setting.
"""

from functools import partial

from ..builder import fields, model
from ..spec import SIZES, BalanceField, Endpoint, ProviderSpec

_ENDPOINT = Endpoint(
    "/{model}", fields(aspect_ratio="aspect_ratio", resolution="resolution"), references_field="images"
)
_model = partial(model, auto_ratio="match_input_image")

PROVIDER = ProviderSpec(
    id="apiframe",
    label="APIFRAME (v1)",
    rank=40,
    dialect="apiframe_v1",
    base_url="https://api.apiframe.pro",
    auth_header="Authorization",
    auth_template="{key}",
    key_env_vars=("APIFRAME_API_KEY",),
    key_sibling="apiframe_v2",
    sibling_key_prefix="afk_",
    sibling_env_vars=("APIFRAME_API_KEY",),
    key_url="https://app.apiframe.ai/dashboard/api-keys",
    usage_url="https://app.apiframe.ai/dashboard",
    key_check="/account",
    balance=BalanceField(("credits",), "credits", "apiframe-sdk 1.0.0: AccountInfo"),
    docs=("https://docs.apiframe.ai/nano-banana/nano-banana-pro",),
    checked="2026-11-27",
    endpoints={"generate": _ENDPOINT, "edit": _ENDPOINT},
    models=(
        _model("nano-banana-pro", "pro", "nano-banana-pro", SIZES, default_resolution="2K"),
        _model("nano-banana", "first", "nano-banana", default_resolution="1K", operations=("edit",)),
    ),
    recommended="nano-banana-pro",
)
