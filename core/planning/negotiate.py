"""Negotiates a request with a model's capabilities: which options are sent, which are left out, what is impossible.

Everything impossible is refused here, before anything is sent, with the list of what is possible. What is merely not
supported is left out with a notice.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import Impossible, InvalidInput
from ..errors.messages import msg
from ..images.picture import Picture
from ..providers.option_names import option_name
from ..providers.spec import (
    OMITTED,
    UNKNOWN_PRICE_USD,
    Capabilities,
    Model,
    Operation,
    Option,
    OptionValue,
    ProviderSpec,
)
from ..request import Delivery, Region, Request, Slot
from ..request.conversation import Branch
from .continuation import Continuation, continuation

FINGERPRINT_VERSION = 1
_UNSEEN = frozenset(("Cc", "Cf", "Zl", "Zp", "Zs"))
"""Categories of Unicode whose characters show nothing: a prompt of them alone is empty."""


@dataclass(frozen=True)
class ResolvedRequest:
    """A request as one provider will get it."""

    spec: ProviderSpec
    model: Model
    capabilities: Capabilities
    model_id: str
    """The wire model id."""
    options: tuple[tuple[Option, OptionValue], ...]
    """Our option -> value in our spelling, for everything that is sent, without count and seed."""
    sends_seed: bool
    resolution: str
    """What the provider will make of it, "" when unknown."""
    usd: float | None
    """Expected price of one picture; None when it isn't known."""
    notices: tuple[str, ...]
    override_usd: float | None = None
    """What a picture by the id in `model_override` counts as; None where there is no such id."""
    references: tuple[Picture, ...] = field(default=(), repr=False)
    """The pictures that are sent."""
    region: Region | None = None
    """The part of the frame that the first of them is; None where it is the whole frame."""
    delivery: Delivery = "now"
    price_share: float = 1.0
    """What a picture costs with this delivery, as a share of its list price; `usd` has it in."""
    branch: Branch | None = None
    """The turns that are sent before the prompt; None where there are none."""

    @property
    def all_references(self) -> tuple[Picture, ...]:
        """Those of the prompt, then those of the turns before it."""
        turns = self.branch.turns if self.branch else ()
        return (*self.references, *(picture for turn in turns for picture in turn.references))

    @property
    def first_picture(self) -> Picture | None:
        """The picture whose ratio a result has unless another is asked for."""
        return self.branch.last.pixels if self.branch else next(iter(self.references), None)

    @property
    def counted_usd(self) -> float:
        """What a picture counts as against a cap: its price, a higher one that was seen, or the highest known price."""
        if self.override_usd is not None:
            return self.override_usd
        if self.usd is None or self.model.price is None:
            return UNKNOWN_PRICE_USD
        return max(self.usd, (self.model.price.counted_usd_for(self.resolution) or 0.0) * self.price_share)

    def fingerprint(self, request: Request, slot: Slot, version: int = FINGERPRINT_VERSION) -> str:
        """Identifies one picture: equal for two requests that would have the user pay for the same picture."""
        facts = _FACTS[version](self, request, slot)
        text = json.dumps({"version": version, **facts}, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return f"v{version}:{hashlib.sha256(text.encode()).hexdigest()}"

    def all_fingerprints(self, request: Request, slot: Slot) -> tuple[str, ...]:
        """Its fingerprints in all versions, the newest first, so that pictures paid for before an update are found."""
        return tuple(self.fingerprint(request, slot, version) for version in sorted(_FACTS, reverse=True))


def _facts_1(resolved: ResolvedRequest, request: Request, slot: Slot) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "operation": request.operation,
        "provider": resolved.spec.id,
        "model": resolved.model_id,
        "prompt": request.prompt,
        "options": dict(resolved.options),
        "seed": slot.seed,
        "slot": slot.index,
        "references": [picture.digest for picture in resolved.references],
    }
    if resolved.branch:
        # Without the signatures: the same words and pictures are the same conversation.
        facts["conversation"] = [
            {
                "prompt": turn.prompt,
                "references": [picture.digest for picture in turn.references],
                "picture": turn.picture.file or turn.pixels.digest,
            }
            for turn in resolved.branch.turns
        ]
    return facts


_FACTS: dict[int, Callable[[ResolvedRequest, Request, Slot], dict[str, Any]]] = {1: _facts_1}
"""What each version is made of. Entries are only ever added, and never changed for a request that they know."""


def negotiate(
    request: Request,
    spec: ProviderSpec,
    model: Model,
    override: str = "",
    override_usd: float | None = None,
    *,
    base_url: str = "",
) -> ResolvedRequest:
    """How `spec` would do `request` with `model`. `override`: another wire id, a picture by which counts as `override_usd`.

    `base_url`: where it would be sent; "" where that doesn't matter.

    Raises Impossible with what is possible instead.
    """
    capabilities = _capabilities(request, spec, model)
    _check_delivery_and_prompt(request, spec, model, capabilities)
    resolution = _resolution(request, spec, model, capabilities)
    effective = resolution or capabilities.fixed_resolution or capabilities.default_resolution
    request, region, cut_notices = _cut(request, capabilities, effective)
    model_id = override or capabilities.model_id
    continued = continuation(
        request.branch, request.references, spec, model_id, is_region=region is not None, base_url=base_url
    )
    request = replace(request, references=continued.references)
    ratio, ratio_notice = _ratio(request, continued, spec, model, capabilities)
    _count_references(request, continued, spec, model, capabilities)

    options, notices = _negotiate_options(request, spec, model, capabilities)
    if resolution and not capabilities.fixed_resolution:
        options.insert(0, ("resolution", resolution))
    options[:0] = [("aspect_ratio", ratio)] if ratio else []
    notices[:0] = [ratio_notice] if ratio_notice else []
    sends_seed = "seed" in options_of(spec, request.operation, capabilities)
    if request.seed and not sends_seed:
        notices.append(msg("negotiate.seed_not_sent", provider=spec.label, model=model.name))
    share = spec.batch.price_share if spec.batch and request.options.delivery == "batch" else 1.0
    return ResolvedRequest(
        spec,
        model,
        capabilities,
        model_id,
        tuple(options),
        sends_seed,
        effective,
        None if override else _price(model, effective, share),
        (*cut_notices, *continued.notices, *notices),
        override_usd if override else None,
        request.references,
        region,
        request.options.delivery,
        share,
        continued.branch,
    )


def _capabilities(request: Request, spec: ProviderSpec, model: Model) -> Capabilities:
    """What the model can do of the operation. Raises Impossible."""
    capabilities = model.capabilities(request.operation)
    if capabilities is None:
        can = [other.name for other in spec.models if other.capabilities(request.operation)]
        raise _impossible(
            msg("negotiate.cannot_edit", model=model.name, provider=spec.label)
            if request.operation == "edit"
            else msg("negotiate.cannot_make_from_text", model=model.name, provider=spec.label),
            msg("negotiate.models_that_can", can=", ".join(can)) if can else msg("negotiate.choose_another_provider"),
        )
    return capabilities


def _price(model: Model, resolution: str, share: float) -> float | None:
    """The expected price of a picture; None where it isn't known. `share`: what it costs of its list price."""
    usd = None if model.price is None else model.price.usd_for(resolution)
    return None if usd is None else usd * share


def is_empty(prompt: str) -> bool:
    """Whether a prompt has no character that shows anything."""
    return all(unicodedata.category(letter) in _UNSEEN for letter in prompt)


def _check_delivery_and_prompt(request: Request, spec: ProviderSpec, model: Model, capabilities: Capabilities) -> None:
    if request.options.delivery == "batch" and spec.batch is None:
        raise _impossible(
            msg("negotiate.has_no_batches", provider=spec.label), msg("negotiate.choose_google_or_delivery_now")
        )
    if is_empty(request.prompt):
        raise InvalidInput(msg("negotiate.prompt_is_empty"), cure=msg("negotiate.write_a_prompt"))
    if capabilities.max_prompt and len(request.prompt) > capabilities.max_prompt:
        raise _impossible(
            msg(
                "negotiate.prompt_too_long",
                prompt=len(request.prompt),
                model=model.name,
                provider=spec.label,
                max_prompt=capabilities.max_prompt,
            ),
            msg("negotiate.shorten_or_choose_another"),
        )


def _cut(
    request: Request, capabilities: Capabilities, resolution: str
) -> tuple[Request, Region | None, tuple[str, ...]]:
    """The request with the part of its frame that is sent, that part, and notices.

    The part has to have a ratio of the model and the size that it draws at, and models differ in both. So it is cut here,
    where the model is known, and again for each provider that may be asked: a fallback gets a region of its own.
    """
    if request.cutter is None:
        return request, None, ()
    wanted = request.options.aspect_ratio
    cut = request.cutter(capabilities.ratios if wanted == "auto" else (wanted,), resolution)
    options = request.options
    if cut.region and cut.region.ratio:
        options = replace(options, aspect_ratio=cut.region.ratio)
    return replace(request, references=cut.references, options=options), cut.region, cut.notices


def _negotiate_options(
    request: Request, spec: ProviderSpec, model: Model, capabilities: Capabilities
) -> tuple[list[tuple[Option, OptionValue]], list[str]]:
    """The options of the graph that can be sent, and a notice for each that can't."""
    sent: list[tuple[Option, OptionValue]] = []
    notices: list[str] = []
    supported = options_of(spec, request.operation, capabilities)
    for option, value in _options(request):
        possible = supported.get(option)
        if option not in supported:
            notices.append(
                msg("negotiate.option_not_supported", name=option_name(option), provider=spec.label, model=model.name)
            )
        elif possible is not None and str(value) not in possible:
            notices.append(
                msg(
                    "negotiate.option_value_not_supported",
                    name=option_name(option),
                    value=value,
                    provider=spec.label,
                    possible=", ".join(possible),
                    model=model.name,
                )
            )
        else:
            sent.append((option, value))
            sent_as = (capabilities.endpoint or spec.endpoints[request.operation]).fields[option]
            if sent_as.size_at_risk and request.options.resolution != "auto":
                notices.append(msg("negotiate.size_may_differ", name=option_name(option)))
    return sent, notices


def options_of(
    spec: ProviderSpec, operation: Operation, capabilities: Capabilities
) -> dict[Option, tuple[str, ...] | None]:
    """The options beyond ratio, resolution and count that are sent, with our values that are possible; None = any."""
    fields = (capabilities.endpoint or spec.endpoints[operation]).fields
    found: dict[Option, tuple[str, ...] | None] = {}
    for option in capabilities.options & fields.keys():
        values = capabilities.option_values.get(option) or fields[option].values
        found[option] = None if values is None else tuple(values)
    return found


def ratio_value(ratio: str) -> float:
    """Width divided by height of a ratio as it is written: "4:3"."""
    across, down = ratio.split(":")
    return int(across) / int(down)


def by_distance(width: int, height: int, ratios: Iterable[str]) -> list[str]:
    """The ratios in the order in which their logarithms are near to that of width:height."""
    wanted = math.log(width / height)
    return sorted(ratios, key=lambda ratio: abs(math.log(ratio_value(ratio)) - wanted))


def nearest_ratio(width: int, height: int, ratios: Iterable[str]) -> str:
    """The ratio whose logarithm is nearest to that of width:height."""
    return by_distance(width, height, ratios)[0]


def _ratio(
    request: Request, continued: Continuation, spec: ProviderSpec, model: Model, capabilities: Capabilities
) -> tuple[str, str]:
    """The ratio to send ("" for none) and a notice ("" for none)."""
    wanted = request.options.aspect_ratio
    if wanted != "auto":
        if wanted not in capabilities.ratios:
            raise _impossible(
                msg("negotiate.aspect_ratio_not_supported", model=model.name, provider=spec.label, wanted=wanted),
                msg("negotiate.possible_values", values=", ".join(("auto", *capabilities.ratios))),
            )
        return wanted, ""
    if request.operation == "generate" or not continued.shown:
        return "", ""
    if capabilities.auto_ratio == OMITTED and len(continued.shown) == 1:
        return "", ""
    if capabilities.auto_ratio and capabilities.auto_ratio != OMITTED:
        return capabilities.auto_ratio, ""
    if not capabilities.ratios:
        return "", ""  # there is nothing to choose from
    first = continued.shown[0]
    nearest = nearest_ratio(first.width, first.height, capabilities.ratios)
    return nearest, msg("negotiate.auto_aspect_ratio_sent", nearest=nearest, width=first.width, height=first.height)


def _resolution(request: Request, spec: ProviderSpec, model: Model, capabilities: Capabilities) -> str:
    wanted = request.options.resolution
    if wanted == "auto":
        return ""
    if wanted not in capabilities.all_resolutions:
        raise _impossible(
            msg("negotiate.picture_size_not_supported", model=model.name, provider=spec.label, wanted=wanted),
            msg("negotiate.possible_values", values=", ".join(("auto", *capabilities.all_resolutions))),
        )
    return wanted


def _count_references(
    request: Request, continued: Continuation, spec: ProviderSpec, model: Model, capabilities: Capabilities
) -> None:
    count = len(request.references)
    if request.operation == "edit" and not continued.shown:
        raise _impossible(msg("negotiate.no_image_to_edit"), msg("negotiate.connect_image_1"))
    if count > capabilities.max_references:
        raise _impossible(
            msg(
                "negotiate.too_many_references",
                count=count,
                model=model.name,
                provider=spec.label,
                max_references=capabilities.max_references,
            ),
            msg("negotiate.connect_fewer_images"),
        )


def _options(request: Request) -> list[tuple[Option, OptionValue]]:
    """The options that the graph has set, with our value."""
    options = request.options
    found: list[tuple[Option, OptionValue]] = []
    if options.web_search:
        found.append(("web_search", True))
    if options.safety_tolerance != "default":
        found.append(("safety_tolerance", options.safety_tolerance))
    if options.limit_generations != "default":
        found.append(("limit_generations", options.limit_generations))
    if options.output_format != "auto":
        found.append(("output_format", options.output_format))
    if options.thinking != "default":
        found.append(("thinking", options.thinking))
    if options.system_prompt.strip():
        found.append(("system_prompt", options.system_prompt))
    if options.with_text:
        found.append(("with_text", True))
    if options.temperature is not None:
        found.append(("temperature", options.temperature))
    if options.top_p is not None:
        found.append(("top_p", options.top_p))
    return found


def _impossible(what: str, cure: str) -> Impossible:
    return Impossible(what, cure=cure)
