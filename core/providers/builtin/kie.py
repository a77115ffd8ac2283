"""kie.ai.

Documents: its page on file streams (the upload, at an origin of its own that takes the same key), its pages of the models
(an OpenAPI file each, in a catalogue of 24 September 2026 and in copies in public repositories), and clients. Every model has
its own field names and its own longest prompt. The ratio of the first Nano Banana was `image_size` until kie replaced it by
`aspect_ratio`; its pages call the older name deprecated. It ignores unknown ids and fields without a word, so nothing is sent
that isn't known. Credits are listed by a public client; their price isn't.

`recommended` stays Nano Banana 2, which takes more references than 2.1 does here. It takes `google_search` in one
published version of kie's OpenAPI file, and has no such field in another (copies of 2026 in public repositories). Lite:
kie's OpenAPI file has 14 ratios and `auto`, up to 10 references, and wants `aspect_ratio` always. An uploaded file is
temporary, at an address that needs no key: kie's pages on uploads say 24 hours in one place and 3 days in another
(November 2026).
"""

from ..spec import EXTREME_RATIOS, RATIOS, Capabilities, Endpoint, Field, Model, Option, Price, ProviderSpec

_ALL = (*RATIOS, *EXTREME_RATIOS)
_SIZES = ("1K", "2K", "4K")
_FORMAT: frozenset[Option] = frozenset({"output_format"})
_SPRING = ("credits listed by a public client in spring 2026", "2026-05-01")
_PATH = "/api/v1/jobs/createTask"
_LONGEST = 20_000
"""Characters of a prompt on Nano Banana 2, 2.1 and Lite, each by its own page."""
_LONGEST_PRO = 10_000
_LONGEST_FIRST = 5_000
_ROUTE = Endpoint(
    _PATH,
    {
        "aspect_ratio": Field("aspect_ratio"),
        "resolution": Field("resolution"),
        "output_format": Field("output_format", {"png": "png", "jpeg": "jpg"}),
        "web_search": Field("google_search"),
    },
    references_field="image_input",
)
_FIRST = Endpoint(
    _PATH,
    {"aspect_ratio": Field("aspect_ratio"), "output_format": Field("output_format", {"png": "png", "jpeg": "jpeg"})},
    references_field="image_urls",
)
_LITE = Endpoint(
    _PATH, {"aspect_ratio": Field("aspect_ratio")}, references_field="image_urls", constants={"aspect_ratio": "auto"}
)


def _model(
    name: str,
    family: str,
    wire: str,
    ratios: tuple[str, ...],
    references: int,
    price: Price,
    options: frozenset[Option] = _FORMAT,
    successor: str = "",
    longest: int = _LONGEST,
) -> Model:
    return Model(
        name,
        family,
        generate=Capabilities(wire, ratios, _SIZES, default_resolution="1K", options=options, max_prompt=longest),
        edit=Capabilities(
            wire,
            ratios,
            _SIZES,
            default_resolution="1K",
            auto_ratio="auto",
            max_references=references,
            options=options,
            max_prompt=longest,
        ),
        price=price,
        successor=successor,
    )


PROVIDER = ProviderSpec(
    id="kie",
    label="kie.ai",
    dialect="kie",
    base_url="https://api.kie.ai",
    upload_url="https://kieai.redpandaai.co",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    key_env_vars=("KIE_API_KEY", "KIEAI_API_KEY"),
    key_url="https://kie.ai/api-key",
    docs=("https://docs.kie.ai", "https://docs.kie.ai/file-upload-api/upload-file-stream"),
    checked="2026-11-27",
    endpoints={"generate": _ROUTE, "edit": _ROUTE},
    models=(
        _model(
            "nano-banana-pro",
            "pro",
            "nano-banana-pro",
            RATIOS,
            8,
            Price({"1K": 0.09, "2K": 0.09, "4K": 0.12}, *_SPRING),
            longest=_LONGEST_PRO,
        ),
        _model(
            "nano-banana-2.1",
            "flash2.1",
            "nano-banana-2-1",
            _ALL,
            10,
            Price({"1K": 0.02, "2K": 0.03, "4K": 0.045}, "measured at 1K, else as listed", "2026-10-08"),
        ),
        _model(
            "nano-banana-2",
            "flash",
            "nano-banana-2",
            _ALL,
            14,
            Price({"1K": 0.04, "2K": 0.06, "4K": 0.09}, *_SPRING),
            _FORMAT | {"web_search"},
            "nano-banana-2.1",
        ),
        Model(
            "nano-banana-lite",
            "lite",
            generate=Capabilities("nano-banana-2-lite", _ALL, (), "1K", "1K", max_prompt=_LONGEST, endpoint=_LITE),
            edit=Capabilities(
                "nano-banana-2-lite",
                _ALL,
                (),
                "1K",
                "1K",
                auto_ratio="auto",
                max_references=10,
                max_prompt=_LONGEST,
                endpoint=_LITE,
            ),
        ),
        Model(
            "nano-banana",
            "first",
            generate=Capabilities(
                "google/nano-banana",
                RATIOS,
                (),
                "1K",
                "1K",
                options=_FORMAT,
                max_prompt=_LONGEST_FIRST,
                endpoint=_FIRST,
            ),
            edit=Capabilities(
                "google/nano-banana-edit",
                RATIOS,
                (),
                "1K",
                "1K",
                auto_ratio="auto",
                max_references=10,
                options=_FORMAT,
                max_prompt=_LONGEST_FIRST,
                endpoint=_FIRST,
            ),
        ),
    ),
    recommended="nano-banana-2",
    reference_encoding="upload",
    max_reference_bytes=10_000_000,
    max_request_bytes=14 * 10_000_000,
    stores_references="at a public address for a day, or for three: its pages say both",
    poll_seconds=(2.0, 5.0),
)
