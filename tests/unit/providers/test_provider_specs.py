"""The contract of every provider's spec: complete data, everything it promises is accepted, everything else is refused."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest
from dialect_driver import drive, job, negotiated, request
from pack.core.custom_providers.providers_file import FILE, read_providers_file
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Done, Send
from pack.core.errors import Impossible
from pack.core.http.transport import Transport
from pack.core.http.url_policy import is_loopback
from pack.core.providers import BUILT_IN, builtin, model_names
from pack.core.providers.spec import (
    EXTREME_RATIOS,
    OPERATIONS,
    RATIOS,
    RESOLUTIONS,
    Capabilities,
    Model,
    Operation,
    ProviderSpec,
)
from pack.core.request import MAX_SEED, Options, Request
from pack.tests.doubles import start
from pack.tests.doubles.resellers import DOUBLES
from pack.tests.doubles.server import Doubles

SPECS = list(BUILT_IN.values())
Combinations = Callable[..., list[dict[str, Any]]]


def twin(spec: ProviderSpec) -> ProviderSpec:
    """The built-in provider whose API a spec names: itself, or the one that its dialect is known from."""
    if spec.id in BUILT_IN:
        return BUILT_IN[spec.id]
    return next(known for known in SPECS if known.dialect == spec.dialect and not known.local)


def own_specs() -> list[ProviderSpec]:
    """The providers of the examples. One that has no double of its own is at that of its dialect, with its key."""
    folder = Path(__file__).resolve().parents[3] / "example_providers"
    specs = []
    for path in sorted(folder.glob("*.yaml")):
        with TemporaryDirectory() as home:
            shutil.copy(path, Path(home) / FILE)
            found = read_providers_file(Path(home), BUILT_IN)
        assert found.errors == ()
        for spec in found.specs.values():
            if spec.id in DOUBLES:
                specs.append(spec)
            elif spec.id not in BUILT_IN:
                known = twin(spec)
                specs.append(replace(spec, auth_header=known.auth_header, auth_template=known.auth_template))
    assert len(specs) >= 2
    return specs


def offers(is_short: Callable[[ProviderSpec, Model, Operation], bool] = lambda *_: True) -> list[Any]:
    """Each model of each provider with each operation it has. `is_short`: which of them don't need --long."""
    return [
        pytest.param(
            spec,
            model,
            operation,
            id=f"{spec.id}-{model.name}-{operation}",
            marks=[] if is_short(spec, model, operation) else [pytest.mark.long],
        )
        for spec in [*SPECS, *own_specs()]
        for model in spec.models
        for operation in OPERATIONS
        if model.capabilities(operation)
    ]


def is_built_in_or_first(spec: ProviderSpec, model: Model, operation: Operation) -> bool:
    """An example shares its dialect with a built-in provider: one of its models says that it is described rightly."""
    return spec.id in BUILT_IN or model is spec.models[0]


def is_new(facts: Callable[[Capabilities], Any]) -> Callable[[ProviderSpec, Model, Operation], bool]:
    """Whether some facts of a model are those of no earlier model of its dialect."""

    def is_short(spec: ProviderSpec, model: Model, operation: Operation) -> bool:
        alike = [each for each in SPECS if each.dialect == spec.dialect] if spec.id in BUILT_IN else [spec]
        models = [each for provider in alike for each in provider.models]
        before = models[: [each is model for each in models].index(True)]
        known = [facts(offer) for offer in (each.capabilities(operation) for each in before) if offer]
        return is_built_in_or_first(spec, model, operation) and facts(offer_of(model, operation)) not in known

    return is_short


HAS_NEW_SIZES = is_new(lambda offer: offer.ratios)
HAS_NEW_OPTIONS = is_new(lambda offer: offer.options)


OFFERS = offers()
EVERY_OPTION: dict[str, list[dict[str, Any]]] = {
    "seed": [{"seed": 0}, {"seed": 1}, {"seed": MAX_SEED}],
    "web_search": [{"web_search": True}],
    "safety_tolerance": [{"safety_tolerance": str(level)} for level in range(1, 7)],
    "limit_generations": [{"limit_generations": "on"}, {"limit_generations": "off"}],
    "output_format": [{"output_format": form} for form in ("png", "jpeg", "webp")],
    "thinking": [{"thinking": level} for level in ("minimal", "medium", "high")],
    "system_prompt": [{"system_prompt": "Be brief.\nOnly one fox."}],
}


def each_spec(specs: list[ProviderSpec] = SPECS) -> Any:
    return pytest.mark.parametrize("spec", specs, ids=[spec.id for spec in specs])


def offer_of(model: Model, operation: Operation) -> Capabilities:
    offer = model.capabilities(operation)
    assert offer is not None
    return offer


# ------------------------------------------------------------------------------------------------- the data itself


@each_spec()
def test_a_spec_says_who_it_is_and_where_its_facts_come_from(spec: ProviderSpec) -> None:
    """Id, label, documents with a date, and a place to get a key."""
    assert spec.id.isidentifier() and spec.id == spec.id.lower() and BUILT_IN[spec.id] is spec
    assert spec.label.strip() and spec.docs and all(spec.docs)
    assert date.fromisoformat(spec.checked) >= date(2026, 1, 1)
    assert not spec.key_url or urlsplit(spec.key_url).scheme == "https"
    assert not spec.usage_url or urlsplit(spec.usage_url).scheme == "https"


def test_no_spec_hides_another() -> None:
    """As many specs as files: an id that occurs twice would drop one in silence. Labels differ too."""
    files = [path for path in Path(str(builtin.__file__)).parent.glob("*.py") if path.stem != "__init__"]
    assert len(files) == len(BUILT_IN)
    assert len({spec.label for spec in SPECS}) == len(SPECS)


@each_spec()
def test_a_spec_s_address_keeps_its_key_safe(spec: ProviderSpec) -> None:
    """https, or loopback, or left to the user; and the auth template carries the key exactly once."""
    if spec.base_url:
        parts = urlsplit(spec.base_url)
        assert parts.scheme == "https" or is_loopback(parts.hostname or "")
        assert not parts.query and not spec.base_url.endswith(("/", "/v1"))
    if spec.upload_url:
        parts = urlsplit(spec.upload_url)
        assert parts.scheme == "https" and not parts.path and (spec.reference_encoding == "upload" or spec.upload_above)
        assert spec.upload_base_url(spec.base_url) == spec.upload_url
        assert spec.upload_base_url("https://elsewhere.example") == "https://elsewhere.example", (
            "a key stays where it belongs"
        )
    assert spec.auth_template.count("{key}") == (1 if spec.needs_key else 0)
    assert bool(spec.auth_header) == spec.needs_key


@each_spec()
def test_a_spec_s_dialect_exists(spec: ProviderSpec) -> None:
    """The named module has the three functions of a dialect."""
    its_dialect = dialect(spec.dialect)
    assert callable(its_dialect.start) and callable(its_dialect.next) and callable(its_dialect.resume)


@pytest.mark.parametrize(
    "name", ["step", "body", "inlining", "reading", "tasks", "uploads", "nothing_here", "..errors", ""]
)
def test_only_dialects_are_dialects(name: str) -> None:
    """The vocabulary modules and names of nothing are a KeyError."""
    with pytest.raises(KeyError):
        dialect(name)


@each_spec()
def test_a_spec_s_models_can_be_named(spec: ProviderSpec) -> None:
    """Model names are unique, `recommended` is one of them, each has an offer, families find their way back."""
    names = [model.name for model in spec.models]
    assert len(set(names)) == len(names) and spec.recommended in names
    assert spec.model("recommended") is spec.model(spec.recommended)
    assert all(model.generate or model.edit for model in spec.models)
    assert set(names) <= set(model_names(BUILT_IN.values()))
    for model in spec.models:
        found = spec.model_of_family(model.family)
        assert found is not None and found.family == model.family


@pytest.mark.parametrize(("spec", "model", "operation"), OFFERS)
def test_an_offer_has_a_field_for_everything_it_promises(
    spec: ProviderSpec, model: Model, operation: Operation
) -> None:
    """No promised option, size, count or reference without a name in the body to send it under."""
    offer = offer_of(model, operation)
    route = offer.endpoint or spec.endpoints[operation]
    assert offer.options <= set(route.fields)
    assert offer.model_id and set(offer.ratios) <= {*RATIOS, *EXTREME_RATIOS}
    assert not offer.ratios or "aspect_ratio" in route.fields
    assert set(offer.all_resolutions) <= set(RESOLUTIONS)
    assert not offer.resolutions or "resolution" in route.fields
    assert not (offer.resolutions and offer.fixed_resolution)
    assert offer.default_resolution in ("", *offer.all_resolutions)
    assert offer.max_count == 1 or "count" in route.fields
    assert (operation == "generate") == (offer.max_references == 0)
    assert offer.max_references == 0 or route.references_field


@each_spec()
def test_what_is_retired_has_a_successor_here(spec: ProviderSpec) -> None:
    """Every retired name or wire id leads to a model that the spec still has, and isn't offered itself."""
    wires = {offer.model_id for model in spec.models for offer in (model.generate, model.edit) if offer}
    for gone, successor in spec.retired.items():
        assert spec.model(successor) is not None and successor != "recommended"
        assert spec.model(gone) is None and gone not in wires and gone not in model_names(BUILT_IN.values())


@each_spec()
def test_a_successor_is_a_model_of_the_provider_that_does_the_same(spec: ProviderSpec) -> None:
    """It can make and edit what the model before it can; successors never lead in a circle."""
    for model in spec.models:
        seen = [model.name]
        while model.successor:
            after = spec.model(model.successor)
            assert after is not None and after.name not in (*seen, "recommended") and after.family != model.family
            assert all(after.capabilities(operation) for operation in OPERATIONS if model.capabilities(operation))
            seen.append(after.name)
            model = after


@each_spec()
def test_a_provider_that_takes_uploads_says_what_becomes_of_them(spec: ProviderSpec) -> None:
    """In words that follow "keeps them"; no words where nothing is uploaded."""
    uploads = spec.reference_encoding == "upload" or spec.upload_above > 0
    assert bool(spec.stores_references) == uploads and "\n" not in spec.stores_references
    assert not spec.stores_references.endswith(".")


@each_spec()
def test_a_provider_that_shares_a_variable_tells_its_keys_by_their_beginning(spec: ProviderSpec) -> None:
    """The other provider is there, and shares the same variables and the same prefix."""
    assert bool(spec.key_sibling) == bool(spec.key_prefix or spec.sibling_key_prefix) == bool(spec.sibling_env_vars)
    if spec.key_sibling:
        other = BUILT_IN[spec.key_sibling]
        assert other.key_sibling == spec.id and set(spec.sibling_env_vars) <= set(spec.key_env_vars)
        assert other.sibling_env_vars == spec.sibling_env_vars
        assert (spec.key_prefix, spec.sibling_key_prefix) == (other.sibling_key_prefix, other.key_prefix)


@each_spec()
def test_a_price_has_a_source_and_a_date(spec: ProviderSpec) -> None:
    """Prices are positive (free only where nothing is bought) and name a resolution that the model has."""
    for price in (model.price for model in spec.models if model.price):
        assert price.source and date.fromisoformat(price.dated) and price.usd
        assert all(usd == 0.0 if spec.local else 0 < usd <= 1 for usd in price.usd.values())
        assert set(price.usd) <= {"", *RESOLUTIONS}
        assert bool(price.counted) == bool(price.counted_source) and set(price.counted) <= set(price.usd)
        assert all(usd > price.usd[size] for size, usd in price.counted.items())


# ----------------------------------------------------------------------------------------------- what is promised


@pytest.fixture(scope="module")
def doubles() -> Iterator[Doubles]:
    with start() as running:
        for api in DOUBLES.values():
            running.mount(api)
        # Providers that answer with the picture itself would draw every 4K one.
        running.fault("small")
        yield running


class Gate:
    """A provider at its double: sends requests and keeps what wasn't accepted."""

    def __init__(self, doubles: Doubles, spec: ProviderSpec, model: Model) -> None:
        self.spec, self.model = spec, model
        self.base_url = doubles.base_url(spec.id if spec.id in DOUBLES else twin(spec).id)
        self.transport = Transport(self.base_url)
        self.refused: list[str] = []
        self.uploaded: dict[int, str] = {}
        self.accepted = 0
        self._sent: set[object] = set()

    def ask(self, asked: Request, count: int = 1, form: str = "", text: str = "") -> None:
        work = job(
            self.spec,
            asked,
            self.model.name,
            base_url=self.base_url,
            count=count,
            api_variant=form,
            uploaded=self.uploaded if asked.references else {},
        )
        first = dialect(self.spec.dialect).start(work)
        if isinstance(first, Send) and first.paid and first.body is not None:
            wire = (first.method, first.url, b"".join(first.body), tuple(first.headers.items()), count)
            if wire in self._sent:  # a value that isn't sent: the same bytes again would get the same answer
                self.accepted += 1
                return
            self._sent.add(wire)
        end, paid = drive(work, self.transport, "sim-specs")
        # One paid request each: a refused form would show here as a second one.
        if isinstance(end, Done) and len(end.images) == count and paid == 1:
            self.accepted += 1
        else:
            self.refused.append(f"{asked.options} count={count} form={form} {text}: {end}, {paid} paid")

    def upload(self, references: int) -> None:
        """Uploads the references once, where the spec uploads small ones, so that each combination doesn't."""
        if self.spec.reference_encoding != "upload" or self.spec.upload_above or not references:
            return
        work = job(self.spec, request("edit", references), self.model.name, base_url=self.base_url)
        step = dialect(self.spec.dialect).start(work)
        while isinstance(step, Send) and not step.paid:
            assert step.body is not None
            answer = self.transport.send(
                step.method,
                step.url,
                headers={"Content-Type": step.body.content_type},
                body=step.body,
                key=(self.spec.auth_header, self.spec.auth_template.replace("{key}", "sim-specs"))
                if step.with_key
                else None,
                deadline=time.monotonic() + 20,
            )
            step = dialect(self.spec.dialect).next(work, step.state, answer)
            if isinstance(step, Send) and step.uploaded:
                self.uploaded[step.uploaded[0]] = step.uploaded[1]
        assert len(self.uploaded) == references


@pytest.mark.parametrize(("spec", "model", "operation"), offers(HAS_NEW_SIZES))
def test_everything_that_is_promised_is_accepted(
    doubles: Doubles, spec: ProviderSpec, model: Model, operation: Operation, combinations: Combinations
) -> None:
    """Every ratio, resolution, count and number of references, with a few or (--long) with all of the others, goes through
    the strict double at the first try."""
    offer = offer_of(model, operation)
    gate = Gate(doubles, spec, model)
    gate.upload(offer.max_references)
    numbers = (0,) if operation == "generate" else tuple(sorted({1, offer.max_references}))
    plain = {references: request(operation, references) for references in numbers}
    wanted = combinations(
        {
            "ratio": ("auto", *offer.ratios),
            "resolution": ("auto", *offer.all_resolutions),
            "count": tuple(range(1, offer.max_count + 1)),
            "references": numbers,
        },
        turn=spec.models.index(model),
    )
    for one in wanted:
        options = Options(aspect_ratio=one["ratio"], resolution=one["resolution"])
        asked = replace(plain[one["references"]], options=options)
        gate.ask(asked, one["count"], text=f"{one['references']} references")
    assert not gate.refused
    assert gate.accepted == len(wanted) > len(offer.ratios)


@pytest.mark.parametrize(("spec", "model", "operation"), offers(HAS_NEW_OPTIONS))
def test_every_promised_option_value_is_accepted(
    doubles: Doubles, spec: ProviderSpec, model: Model, operation: Operation
) -> None:
    """Each value alone and all options together; a value that the spec doesn't have is left out with a notice."""
    offer = offer_of(model, operation)
    gate = Gate(doubles, spec, model)
    gate.upload(1 if operation == "edit" else 0)
    together: dict[str, Any] = {}
    for option, choices in EVERY_OPTION.items():
        sent = []
        for choice in choices:
            asked = request(operation, **choice)
            how = negotiated(spec, asked, model.name)
            named = how.sends_seed if option == "seed" else option in dict(how.options)
            sent.append(named)
            mute = option == "seed" and choice["seed"] == 0
            assert named or mute or any("left out" in notice or "not sent" in notice for notice in how.notices)
            assert not (named and how.notices and "left out" in " ".join(how.notices))
            gate.ask(asked)
            if named:
                together |= choice
        assert any(sent) == (option in offer.options), f"{option}: promised and sent differ"
    gate.ask(request(operation, **together), offer.max_count)
    assert not gate.refused


@pytest.mark.parametrize(
    ("spec", "form"), [pytest.param(spec, form, id=f"{spec.id}-{form}") for spec in SPECS for form in spec.api_variants]
)
def test_every_variant_is_accepted(doubles: Doubles, spec: ProviderSpec, form: str) -> None:
    """Each way of asking that the spec names, for every model, with and without references."""
    for model in spec.models:
        gate = Gate(doubles, spec, model)
        for operation in OPERATIONS:
            offer = model.capabilities(operation)
            if offer:
                gate.ask(
                    request(operation, aspect_ratio=offer.ratios[0], resolution=offer.all_resolutions[0]),
                    offer.max_count,
                    form=form,
                )
        assert not gate.refused


# ------------------------------------------------------------------------------------------- what isn't promised


@pytest.mark.parametrize(("spec", "model", "operation"), OFFERS)
def test_what_is_not_promised_is_impossible_with_the_list_of_what_is(
    spec: ProviderSpec, model: Model, operation: Operation
) -> None:
    """Other ratios, other resolutions and too many references never get as far as a job."""
    offer = offer_of(model, operation)
    for ratio in {*RATIOS, *EXTREME_RATIOS, "7:5", "auto "}.difference(offer.ratios):
        with pytest.raises(Impossible) as refusal:
            job(spec, request(operation, aspect_ratio=ratio), model.name)
        assert all(possible in refusal.value.message for possible in ("auto", *offer.ratios))
        assert refusal.value.charged == "no"
    for resolution in {*RESOLUTIONS, "8K", "1k"}.difference(offer.all_resolutions):
        with pytest.raises(Impossible) as refusal:
            job(spec, request(operation, resolution=resolution), model.name)
        assert all(possible in refusal.value.cure for possible in ("auto", *offer.all_resolutions))
    with pytest.raises(Impossible, match=rf"up to {offer.max_references}\b"):
        job(spec, request(operation, offer.max_references + 1), model.name)
    if operation == "edit":
        with pytest.raises(Impossible, match="no image"):
            job(spec, request(operation, 0), model.name)
    with pytest.raises(Impossible, match="prompt is empty"):
        job(spec, request(operation, prompt=" \n\t"), model.name)
    if offer.max_prompt:
        job(spec, request(operation, prompt="x" * offer.max_prompt), model.name)
        with pytest.raises(Impossible, match=rf"up to {offer.max_prompt}\b"):
            job(spec, request(operation, prompt="x" * (offer.max_prompt + 1)), model.name)


@each_spec()
def test_a_missing_operation_names_the_models_that_have_it(spec: ProviderSpec) -> None:
    """A model that can't do an operation says which of this provider's can."""
    for model, operation in product(spec.models, OPERATIONS):
        if model.capabilities(operation):
            continue
        can = [other.name for other in spec.models if other.capabilities(operation)]
        with pytest.raises(Impossible) as refusal:
            job(spec, request(operation), model.name)
        assert can and all(name in refusal.value.cure for name in can)
