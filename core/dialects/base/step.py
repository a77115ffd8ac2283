"""The vocabulary between a dialect and the engine.

A dialect is a pure state machine: `start(job)` and `next(job, state, reply)` give a step; the engine does it and asks
again. No dialect opens a socket, reads a clock or sleeps. `BaseDialect` and `PollingDialect` are its skeletons.

    Send     one HTTP request, paid or free
    Wait     pause, then send
    Done     the pictures, as bytes or as addresses
    Failed   what went wrong, as data

`state` is plain JSON, small, and all that is needed to go on after a restart. It is stored, in the journal and with answers
that couldn't be read: names in it stay, or what an older release has stored can't be resumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from ...errors import ProviderFailure
from ...http.body import Body, Inline
from ...http.reply import Reply as Reply
from ...images.picture import Encoded
from ...providers.spec import Endpoint, Operation, Option, OptionValue, ProviderSpec, ReferenceEncoding
from ...request.conversation import Part
from ..parsing.coded_image import CodedImage

State = dict[str, Any]


@dataclass(frozen=True)
class SentTurn:
    """An earlier request of a conversation, and its answer."""

    prompt: str
    references: tuple[Encoded, ...]
    parts: tuple[Part[Encoded], ...]


@dataclass(frozen=True)
class Job:
    """One paid call in a dialect's hands."""

    spec: ProviderSpec
    base_url: str
    """Origin and prefix, without a trailing slash or /v1."""
    model: str
    """Wire model id."""
    operation: Operation
    prompt: str
    options: Mapping[Option, OptionValue]
    """What is sent, in our spelling, seed included."""
    count: int = 1
    references: tuple[Encoded, ...] = ()
    api_variant: str = ""
    """Which of the spec's `api_variants` to begin with."""
    uploaded: Mapping[int, str] = field(default_factory=dict)
    """Reference index -> address of an upload made earlier that is still good."""
    project: str = ""
    """The project that the key belongs to, where the address names it."""
    model_endpoint: Endpoint | None = None
    """The model's own path and field names, where it has some."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Topic -> variant that worked at this base URL earlier; see `variants`."""
    notices: tuple[str, ...] = ()
    """How the references had to be changed for the provider: kept with each picture of the call."""
    asks_for_drafts: bool = False
    """Whether somebody wants what the model draws while thinking, and the model can send it."""
    turns: tuple[SentTurn, ...] = ()
    """What is sent before the prompt; only where the spec says `conversations`."""
    parent: tuple[str, str] = ("", "")
    """File name and uid of the picture that the conversation goes on from, to be kept with the answer."""

    @property
    def endpoint(self) -> Endpoint:
        return self.model_endpoint or self.spec.endpoints[self.operation]

    @property
    def all_references(self) -> list[Encoded]:
        """Those of the prompt, then those of the turns before it: an index of an upload counts them so."""
        return [*self.references, *(picture for turn in self.turns for picture in turn.references)]

    def url(self, path: str) -> str:
        return self.base_url + path.replace("{project}", self.project).replace("{model}", self.model)

    def upload_url(self, path: str) -> str:
        """The address of the upload route; `path` is the dialect's own, where the spec names no other."""
        return self.spec.upload_base_url(self.base_url) + (self.spec.upload_path or path)

    def inline(self, picture: Encoded) -> Inline:
        """A reference inside a JSON body: a data URI, or bare base64 where the spec says so."""
        return Inline(picture, data_uri=self.spec.reference_encoding != "base64")

    def fields(self) -> dict[str, OptionValue]:
        """The options in the provider's names and spelling, with the count where it has one."""
        spelled: dict[str, OptionValue] = dict(self.endpoint.constants)
        for option, value in self.options.items():
            known = self.endpoint.fields.get(option)
            if known is not None:
                # A provider's own word for a ratio ("auto") has no spelling of its own.
                spelled[known.name] = (
                    value if known.values is not None and str(value) not in known.values else known.spell(value)
                )
        count = self.endpoint.fields.get("count")
        if count is not None:
            spelled[count.name] = self.count
        if self.asks_for_drafts and self.endpoint.drafts_field:
            spelled[self.endpoint.drafts_field] = True
        return spelled


@dataclass(frozen=True)
class Send:
    """One HTTP request."""

    method: str
    url: str
    state: State
    """Handed back with the reply."""
    paid: bool = False
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    with_key: bool = True
    """False for addresses that came out of a reply: the key goes to the provider's own origin only."""
    accepted: State | None = None
    """Set when the provider has taken the task: what `resume` needs to find it again."""
    api_variant: str = ""
    """Which of the spec's `api_variants` worked, to begin with next time."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Topic -> variant that worked after others were refused, to begin with next time."""
    uploaded: tuple[int, str] | None = None
    """A reference index and the address it got, to be used again by the next call."""
    streams: bool = False
    """Whether the answer is server-sent events, which can be read as they arrive."""


@dataclass(frozen=True)
class Wait:
    """A pause before the next request."""

    seconds: float
    then: Send
    progress: str = ""
    """The provider's own word for how far it is, if any."""


@dataclass(frozen=True)
class ImageRef:
    """One picture in a reply: an address, or its bytes."""

    url: str = ""
    """May lack its scheme or host: it is joined to the provider's own address before it is fetched."""
    data: bytes = b""
    coded: CodedImage | None = None
    """Its bytes as they are in the answer, where that is long."""
    drafts: tuple[ImageRef, ...] = field(default=(), compare=False)
    """What the model drew before it while thinking, in the order of the answer."""
    is_guess: bool = field(default=False, compare=False)
    """Whether it was found by its bytes alone, where no API is known to put a result."""

    @property
    def is_here(self) -> bool:
        """Whether its bytes have come with the answer."""
        return self.coded is not None or bool(self.data)

    def read(self) -> bytes:
        """Its bytes, b"" where there is an address only."""
        return self.coded.read() if self.coded is not None else self.data


class ModelTurn:
    """An answer as it goes back in a conversation. No dataclass: its texts must not be scrubbed and cut as messages are."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Part[ImageRef], ...]) -> None:
        self.parts = parts


@dataclass(frozen=True)
class Done:
    """The provider has finished. No pictures at all is a `Failed`, not a `Done`."""

    images: tuple[ImageRef, ...]
    """In the order of the answer; where there are more than were asked for, the last are the results."""
    text: str = ""
    """The model's words, or the revised prompt."""
    usd: float | None = None
    """What the provider says the call cost."""
    request_id: str = ""
    api_variant: str = ""
    notices: tuple[str, ...] = ()
    """What the user has to know about the pictures; kept with them."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """As in `Send`."""
    sources: tuple[tuple[str, str], ...] = ()
    """Title ("" for none) and address of the pages that a web search leaned on."""
    turn: ModelTurn | None = None
    """The answer as it goes back in a conversation; None where it can't."""


@dataclass(frozen=True)
class Failed:
    """The provider answered, and not with a picture."""

    failure: ProviderFailure
    task: str = ""
    """The provider's id of a task that failed after it was accepted."""


Step = Send | Wait | Done | Failed


class Dialect(Protocol):
    """What `DIALECT` in a module of `core/dialects` is."""

    reference_encodings: tuple[ReferenceEncoding, ...]
    """How its references can travel: the values of a spec's `reference_encoding` that it honours."""
    ignored_settings: tuple[str, ...]
    """The words of `providers.yaml` that change nothing of what it sends."""

    def start(self, job: Job) -> Step:
        """The first step of a new call."""
        ...

    def next(self, job: Job, state: State, reply: Reply) -> Step:
        """The step after `reply`, which answers the `Send` that carried `state`."""
        ...

    def resume(self, job: Job, accepted: State) -> Step:
        """The step that finds an accepted task again. The job has no references."""
        ...


@runtime_checkable
class Streams(Dialect, Protocol):
    """A dialect whose answers can be asked for as a stream."""

    def drafts_in(self, value: Any) -> Sequence[ImageRef]:
        """What the model has drawn while thinking, in the JSON value of one event of a stream."""
        ...

    def is_whole(self, body: bytes) -> bool:
        """Whether so much of a stream is all of it, although its connection stays open."""
        ...


@runtime_checkable
class Cancels(Dialect, Protocol):
    """A dialect that can also take back what the provider has accepted."""

    def cancel(self, job: Job, accepted: State) -> Send | None:
        """A free request to cancel an accepted task; None when the provider has begun, so that it could be billed for
        nothing. The reply goes to `next`, which goes on asking how the task is, whatever the reply says."""
        ...
