"""What a provider is: a spec, which is data.

A spec holds no callables. Limits, prices, field names, value spellings and the documents they come from live here and
nowhere else; widgets, checks, splitting, the browser side and README's table read them. A provider that needs behaviour
gets a dialect (`core/dialects`), not a flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .sizes import SIZES_BY_FAMILY, SizeTable

Operation = Literal["generate", "edit"]
OPERATIONS: tuple[Operation, ...] = ("generate", "edit")

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
"""The ten ratios that every model of the family has."""
EXTREME_RATIOS = ("1:4", "4:1", "1:8", "8:1")
"""Four more, on the newer flash-class models only."""
ALL_RATIOS = (*RATIOS, *EXTREME_RATIOS)
SIZES = ("1K", "2K", "4K")
RESOLUTIONS = ("0.5K", *SIZES)

UNKNOWN_PRICE_USD = 0.30
"""What a picture counts as when its price isn't known: the dearest known price of the field."""

OMITTED = "omitted"
"""As an `auto_ratio`: without a ratio the provider takes that of a lone reference; of several it isn't known which one's."""
RETIRED_PREVIEWS = {
    "nano-banana-pro-preview": "nano-banana-pro",
    "nano-banana-2-preview": "nano-banana-2",
    "nano-banana-preview": "nano-banana",
}
"""Names of the previews that Google shut down on 25 June 2026 -> what took their place, for the `retired` of a spec."""

Option = Literal[
    "aspect_ratio",
    "resolution",
    "count",
    "seed",
    "web_search",
    "safety_tolerance",
    "limit_generations",
    "output_format",
    "thinking",
    "system_prompt",
    "with_text",
    "temperature",
    "top_p",
]
"""Our names for what a graph can ask. A `Field` gives a provider's name for one of them."""


OptionValue = str | int | float | bool
"""A value of an option, in our spelling or in a provider's."""


@dataclass(frozen=True)
class Field:
    """How a provider spells one of our options in its body."""

    name: str
    """The provider's field name."""
    values: Mapping[str, OptionValue] | None = None
    """Our value -> the provider's; None sends ours as it is. A value that isn't listed can't be asked for."""
    size_at_risk: bool = False
    """Whether pictures are reported to come back in another size where this is sent together with a resolution."""

    def spell(self, value: OptionValue) -> OptionValue:
        if self.values is None:
            return value
        return self.values[str(value)]


@dataclass(frozen=True)
class Endpoint:
    """One operation's address and field names."""

    path: str
    """Path below the base URL; `{model}` is replaced by the wire model id, `{project}` by the project of the key."""
    fields: Mapping[Option, Field]
    references_field: str = ""
    """The field that carries the reference images."""
    constants: Mapping[str, OptionValue] = field(default_factory=dict)
    """Fields that are sent always, as they are."""
    drafts_field: str = ""
    """The field that asks for what the model draws while thinking; "" where there is none."""
    stream_path: str = ""
    """Path of the route that takes the same body and answers with server-sent events; "" where there is none."""


@dataclass(frozen=True)
class Capabilities:
    """What one model can do for one operation."""

    model_id: str
    """The model id that is sent."""
    ratios: tuple[str, ...] = RATIOS
    resolutions: tuple[str, ...] = ()
    """Resolutions that can be asked for."""
    fixed_resolution: str = ""
    """The only resolution there is, where the provider has no field for it; asking for it sends nothing."""
    default_resolution: str = ""
    """What `auto` gives; "" where the provider doesn't say."""
    auto_ratio: str = ""
    """The provider's own word for "as the first image", on edits; "" where it has none, OMITTED where silence says it."""
    max_references: int = 0
    max_count: int = 1
    """Pictures that one call can give."""
    options: frozenset[Option] = frozenset()
    """Options beyond ratio, resolution and count that are sent; the others are left out with a notice."""
    option_values: Mapping[Option, tuple[str, ...]] = field(default_factory=dict)
    """Our values of an option, where this model has fewer of them than the field."""
    max_prompt: int = 0
    """Characters that a prompt may have; 0 where the provider doesn't say."""
    drafts: bool = False
    """Whether it can send what it draws while thinking."""
    endpoint: Endpoint | None = None
    """Address and field names where this model's differ from those of the provider's other models."""

    @property
    def all_resolutions(self) -> tuple[str, ...]:
        return self.resolutions or ((self.fixed_resolution,) if self.fixed_resolution else ())


@dataclass(frozen=True)
class Price:
    """US dollars per picture by resolution; "" is the price where the resolution isn't listed."""

    usd: Mapping[str, float]
    source: str
    dated: str
    """ISO date on which the source was read."""
    counted: Mapping[str, float] = field(default_factory=dict)
    """What a picture counts as against the caps, by resolution, where a dearer figure than that of `usd` has been seen."""
    counted_source: str = ""
    """Where `counted` comes from, with its date."""

    def usd_for(self, resolution: str) -> float | None:
        """The price that is shown; None when it isn't known."""
        return self.usd.get(resolution, self.usd.get(""))

    def counted_usd_for(self, resolution: str) -> float | None:
        """What a picture counts as against the caps, never less than its price; None when no price is known."""
        shown = self.usd_for(resolution)
        return None if shown is None else max(shown, self.counted.get(resolution, shown))


@dataclass(frozen=True)
class Model:
    """A model by the name that graphs use."""

    name: str
    family: str
    """What it is underneath: two providers' models are interchangeable when their families are equal."""
    generate: Capabilities | None = None
    edit: Capabilities | None = None
    price: Price | None = None
    note: str = ""
    successor: str = ""
    """Name of the provider's model that is asked instead once the provider answers, free of charge, that it doesn't know
    the id of this one; "" = none. A name or an id that the provider has retired is in the provider's `retired`."""

    @property
    def sizes(self) -> SizeTable:
        """The sizes in px that are documented for it; empty where none are."""
        return SIZES_BY_FAMILY.get(self.family, {})

    def capabilities(self, operation: Operation) -> Capabilities | None:
        return self.generate if operation == "generate" else self.edit


ReferenceEncoding = Literal["data_uri", "base64", "multipart", "upload"]
Auth = Literal["key", "google_service_account"]


@dataclass(frozen=True)
class BalanceField:
    """Where a JSON answer names the balance of the account."""

    path: tuple[str, ...]
    """Names of the nested fields, the amount last: a number, or a text of one."""
    unit: str
    """"USD", "credits", or "" where the documents name none."""
    source: str
    """Whose word that is."""
    unit_path: tuple[str, ...] = ()
    """Where the answer itself names the currency."""


@dataclass(frozen=True)
class BatchApi:
    """An API that takes many requests as one order, which is made later for less."""

    path: str
    """Path below the base URL; `{model}` is replaced by the wire model id."""
    price_share: float
    """What a picture costs, as a share of its list price."""
    hours: int
    """How long the provider says that an order takes at most."""
    max_inline_bytes: int
    """Of all requests of an order as its body; above that they are uploaded as a file."""
    max_file_bytes: int


@dataclass(frozen=True)
class ProviderSpec:
    """A provider, or a reseller that speaks a known dialect."""

    id: str
    label: str
    dialect: str
    """Name of a module in `core/dialects`."""
    base_url: str
    """Origin with an optional path prefix; "" where the user has to name the host."""
    auth_header: str
    auth_template: str
    """How the key is in the header; `{key}` is the key, or the token that was had for it."""
    endpoints: Mapping[Operation, Endpoint]
    models: tuple[Model, ...]
    recommended: str
    docs: tuple[str, ...]
    """Where the facts come from."""
    checked: str
    """ISO date on which they were last held against the source."""
    rank: int = 1000
    """Place in lists of providers and in the order of `auto`: the lower comes first, equal ones by id."""
    key_env_vars: tuple[str, ...] = ()
    """The provider's usual environment variables, after ours."""
    shared_env_vars: tuple[str, ...] = ()
    """Variables that hold keys for other ends, too: looked at last, and only where the provider is named, never by `auto`."""
    key_sibling: str = ""
    """Id of another provider of the same vendor, whose keys and variables are easily taken for this one's."""
    key_prefix: str = ""
    """How every key of it begins and no key of `key_sibling` does."""
    sibling_key_prefix: str = ""
    """How every key of `key_sibling` begins: such a key is never sent here, wherever it is from."""
    sibling_env_vars: tuple[str, ...] = ()
    """Those of `key_env_vars` that may hold a key of `key_sibling`: the beginning of the key says whose it is."""
    auth: Auth = "key"
    """What a key of it is: a line of text, or the JSON document of a Google service account (`google_service_account`)."""
    key_url: str = ""
    """The page where a person gets a key."""
    usage_url: str = ""
    """The provider's own page that shows what was charged; "" where none is known."""
    key_check: str = ""
    """Path of a free GET that needs the key, to test it; "" where none is known."""
    balance: BalanceField | None = None
    """Where the answer to `key_check` names the balance of the account; None where it doesn't."""
    reference_encoding: ReferenceEncoding = "data_uri"
    reference_formats: tuple[str, ...] = ("png", "jpeg")
    """Formats of references it is known to read, of "webp", "png", "jpeg"."""
    takes_alpha: bool = True
    max_reference_bytes: int = 20_000_000
    """Of one reference as a file."""
    max_request_bytes: int = 100_000_000
    """Of all references of one request as they travel (base64 counts 4/3)."""
    upload_above: int = 0
    """Where references may travel inside the request or be uploaded: how many bytes they may fill in it before the largest
    are uploaded first; 0 = there is one way only."""
    upload_url: str = ""
    """The provider's own second origin for uploads; "" where uploads go to the base URL. The key goes there, too; see
    `uploads_to`."""
    upload_path: str = ""
    """Path of the upload route below that origin; "" where it is the dialect's own."""
    stores_references: str = ""
    """Where uploaded references are kept and for how long, to be read after "keeps them"; told at the first upload. "" where
    references travel in the request itself."""
    conversations: bool = False
    """Whether the turns of a conversation are sent before a prompt. Its dialect then keeps and sends them."""
    max_conversation_bytes: int = 0
    """Of the answers of those turns as they travel: they go inside the request."""
    max_parallel: int = 8
    refuses_before_work: frozenset[int] = frozenset({429, 503})
    """Statuses that mean "not started, not billed": a paid request may be sent again after them."""
    failures_unbilled: bool = False
    """The provider documents that failed requests aren't billed."""
    idempotency_header: str = ""
    """The header that makes a paid request repeatable: the same value twice is one job and one bill."""
    retired: Mapping[str, str] = field(default_factory=dict)
    """Model names and wire ids that it has retired -> the name of the model that took their place."""
    api_variants: tuple[str, ...] = ()
    """Ways of asking that the dialect knows, the preferred one first; see the dialect. `NANO_BANANA_<ID>_FORM` chooses."""
    poll_seconds: tuple[float, float] = (1.0, 5.0)
    """First pause between two polls, and the longest."""
    cancels: str = ""
    """Until when an accepted task can be taken back, in words for a table; "" = it can't. Its dialect then has `cancel`."""
    proxy: str = field(default="", repr=False)
    """A proxy for this provider alone, where the user's own file names one."""
    ca_bundle: str = ""
    """Certificates for this provider alone."""
    batch: BatchApi | None = None
    """Its API for orders at a lower price; None where it has none."""
    needs_key: bool = True
    local: bool = False
    """The pack's own simulator: free, and never chosen by `auto`."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths below its base URL that its paid requests have."""
        all_capabilities = [
            capabilities for model in self.models for name in OPERATIONS if (capabilities := model.capabilities(name))
        ]
        paths = [
            endpoint.path
            for endpoint in (*self.endpoints.values(), *(capabilities.endpoint for capabilities in all_capabilities))
            if endpoint
        ]
        if "/{model}" in paths:  # it would stand for any path at all: its models are known by name
            paths = [path for path in paths if path != "/{model}"] + [
                f"/{capabilities.model_id}" for capabilities in all_capabilities
            ]
        return tuple(dict.fromkeys(paths))

    def model(self, name: str) -> Model | None:
        wanted = self.recommended if name == "recommended" else name
        return next((model for model in self.models if model.name == wanted), None)

    def header(self, key: str) -> tuple[str, str]:
        """The header that carries a key, and what is in it."""
        return self.auth_header, self.auth_template.replace("{key}", key)

    def upload_base_url(self, base_url: str) -> str:
        """Where its uploads go when it is reached at `base_url`: a key that was entered for another address stays there."""
        return self.upload_url if self.upload_url and base_url == self.base_url else base_url

    def model_of_family(self, family: str, name: str = "") -> Model | None:
        """The model called `name` where it is of the family, else the first that is."""
        named = self.model(name)
        if named is not None and named.family == family:
            return named
        return next((model for model in self.models if model.family == family), None)
