"""The DALL-E-compatible "Nano-Banana API" that many resellers serve.

Document: "Nano-Banana API Reference", which names no host, so the user has to. `nano-banana-2` is of the Pro family
here, and the only model with `image_size`. Edits are multipart with `image` repeated; references may also go as an array
in the JSON of `/generations`. The document says that failed requests don't consume credits. The asynchronous form
(`?async=true`) is from clients of resellers. Where a reseller shows what it has charged isn't known either.
"""

from ...errors.messages import msg
from ..builder import fields, model
from ..spec import SIZES, Endpoint, ProviderSpec

_FIELDS = fields(aspect_ratio="aspect_ratio", resolution="image_size")
_CONSTANTS = {"response_format": "url"}

PROVIDER = ProviderSpec(
    id="nanobanana",
    label=msg("provider_label.nanobanana"),
    rank=60,
    dialect="openai_images",
    base_url="",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_check="/v1/images/tasks/00000000-0000-0000-0000-000000000000",
    docs=("Nano-Banana API Reference",),
    checked="2026-10-15",
    endpoints={
        "generate": Endpoint("/v1/images/generations", _FIELDS, references_field="image", constants=_CONSTANTS),
        "edit": Endpoint("/v1/images/edits", _FIELDS, references_field="image", constants=_CONSTANTS),
    },
    models=(
        model("nano-banana-2", "pro", "nano-banana-2", SIZES, note="here this name means the Pro generation"),
        model("nano-banana", "first", "nano-banana", default_resolution="1K"),
        model("nano-banana-hd", "hd", "nano-banana-hd", default_resolution="4K"),
    ),
    recommended="nano-banana-2",
    reference_encoding="multipart",
    failures_unbilled=True,
    api_variants=("multipart", "json", "multipart async", "json async"),
    poll_seconds=(2.0, 5.0),
)
