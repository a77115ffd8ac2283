"""OneRouter (Infron).

Documents: its OpenAPI pages for Nano Banana Pro image-to-image and Nano Banana 2 text-to-image. They give one page per
operation; the fields of the other models are taken to be those of their operation. On edits the ratio is called `size`;
`output_format` is how the picture travels (`url` or `b64_json`), not its file format. The documents name no model id
values: those are from a catalogue survey. Prices at 1K were measured, those of 2K and 4K are not known.
"""

from ..spec import RATIOS, Capabilities, Endpoint, Field, Model, Option, Price, ProviderSpec

_SWITCH = {"on": True, "off": False}
_GENERATE_OPTIONS: frozenset[Option] = frozenset({"seed", "web_search", "safety_tolerance", "limit_generations"})
_MEASURED = ("measured bill of a client", "2026-05-27")


def _model(name: str, family: str, wire: str, usd: float, generated: tuple[str, ...], edited: tuple[str, ...]) -> Model:
    fixed = "" if edited else "1K"
    return Model(
        name,
        family,
        generate=Capabilities(
            f"google/{wire}-text-to-image", RATIOS, generated, fixed, "1K", max_count=4, options=_GENERATE_OPTIONS
        ),
        edit=Capabilities(
            f"google/{wire}-image-to-image",
            RATIOS,
            edited,
            fixed,
            "1K",
            auto_ratio="auto",
            max_references=14,
            max_count=4,
            options=frozenset({"web_search"}),
        ),
        price=Price({"1K": usd}, *_MEASURED),
    )


PROVIDER = ProviderSpec(
    id="onerouter",
    label="OneRouter",
    dialect="onerouter",
    base_url="https://image.onerouter.pro",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("ONEROUTER_API_KEY", "INFRON_API_KEY"),
    key_url="https://infron.ai",
    key_check="/v1/images/tasks/00000000-0000-0000-0000-000000000000",
    docs=("https://infronai.gitbook.io/docs/media-apis/image-to-image-api/nano-banana-pro",),
    checked="2026-10-15",
    endpoints={
        "generate": Endpoint(
            "/v1/images/generations",
            {
                "aspect_ratio": Field("aspect_ratio"),
                "resolution": Field("resolution"),
                "count": Field("n"),
                "seed": Field("seed"),
                "web_search": Field("enable_web_search"),
                "safety_tolerance": Field("safety_tolerance"),
                "limit_generations": Field("limit_generations", _SWITCH),
            },
            constants={"output_format": "url"},
        ),
        "edit": Endpoint(
            "/v1/images/edits",
            {
                "aspect_ratio": Field("size"),
                "resolution": Field("resolution"),
                "count": Field("n"),
                "web_search": Field("enable_web_search"),
            },
            references_field="image_urls",
            constants={"output_format": "url"},
        ),
    },
    models=(
        _model("nano-banana-pro", "pro", "nano-banana-pro", 0.15, ("1K", "2K", "4K"), ("1K", "2K", "4K")),
        _model("nano-banana-2", "flash", "nano-banana-2", 0.08, ("0.5K", "1K", "2K", "4K"), ("0.5K", "1K", "2K", "4K")),
        _model("nano-banana", "first", "nano-banana", 0.039, (), ()),
    ),
    recommended="nano-banana-2",
    reference_formats=("webp", "png", "jpeg"),
)
