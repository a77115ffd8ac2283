"""The DALL-E-compatible "Nano-Banana API" that many resellers serve.

Document: "Nano-Banana API Reference", which names no host, so the user has to. `nano-banana-2` is of the Pro family
here, and the only model with `image_size`. Edits are multipart with `image` repeated; references may also go as an array
in the JSON of `/generations`. The document says that failed requests don't consume credits. The asynchronous form
(`?async=true`) is from clients of resellers.
"""

from ..spec import RATIOS, Capabilities, Endpoint, Field, Model, Option, ProviderSpec

_FIELDS: dict[Option, Field] = {"aspect_ratio": Field("aspect_ratio"), "resolution": Field("image_size")}


def _model(name: str, family: str, sizes: tuple[str, ...], fixed: str, note: str) -> Model:
    return Model(
        name,
        family,
        generate=Capabilities(name, RATIOS, sizes, fixed, fixed),
        edit=Capabilities(name, RATIOS, sizes, fixed, fixed, max_references=14),
        note=note,
    )


PROVIDER = ProviderSpec(
    id="nanobanana",
    label="Nano-Banana API (your reseller)",
    dialect="openai_images",
    base_url="",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_check="/v1/images/tasks/00000000-0000-0000-0000-000000000000",
    docs=("Nano-Banana API Reference",),
    checked="2026-10-15",
    endpoints={
        "generate": Endpoint(
            "/v1/images/generations", _FIELDS, references_field="image", constants={"response_format": "url"}
        ),
        "edit": Endpoint("/v1/images/edits", _FIELDS, references_field="image", constants={"response_format": "url"}),
    },
    models=(
        _model("nano-banana-2", "pro", ("1K", "2K", "4K"), "", "here this name means the Pro generation"),
        _model("nano-banana", "first", (), "1K", ""),
        _model("nano-banana-hd", "hd", (), "4K", ""),
    ),
    recommended="nano-banana-2",
    reference_encoding="multipart",
    failures_unbilled=True,
    api_variants=("multipart", "json", "multipart async", "json async"),
    poll_seconds=(2.0, 5.0),
)
