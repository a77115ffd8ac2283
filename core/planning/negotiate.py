"""Holds a request against a row: what is sent, what is left out, what is impossible.

Everything impossible is refused here, before anything is sent, with the list of what is possible. What is merely not
supported is left out with a notice.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import Impossible
from ..providers.spec import OMITTED, UNKNOWN_PRICE_USD, Capabilities, Model, Operation, Option, ProviderSpec
from ..request import Request, Slot

FINGERPRINT_VERSION = 1


@dataclass(frozen=True)
class ResolvedRequest:
    """A request as one provider will get it."""

    spec: ProviderSpec
    model: Model
    offer: Capabilities
    wire: str
    """The wire model id."""
    sent: tuple[tuple[Option, str | int | bool], ...]
    """Our option -> value in our spelling, for everything that is sent, without count and seed."""
    sends_seed: bool
    resolution: str
    """What the provider will make of it, "" when unknown."""
    usd: float | None
    """Expected price of one picture; None when it isn't known."""
    notices: tuple[str, ...]
    override_usd: float | None = None
    """What a picture by the id in `model_override` counts as; None where there is no such id."""

    @property
    def counted_usd(self) -> float:
        """What a picture counts as against a cap: its price, a dearer figure that was seen, or the dearest of the field."""
        if self.override_usd is not None:
            return self.override_usd
        if self.usd is None or self.model.price is None:
            return UNKNOWN_PRICE_USD
        return max(self.usd, self.model.price.counted_of(self.resolution) or 0.0)

    def fingerprint(self, request: Request, slot: Slot, version: int = FINGERPRINT_VERSION) -> str:
        """Identifies one picture: equal for two asks that would give the user the same thing to pay for."""
        facts = _FACTS[version](self, request, slot)
        text = json.dumps({"version": version, **facts}, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return f"v{version}:{hashlib.sha256(text.encode()).hexdigest()}"

    def names(self, request: Request, slot: Slot) -> tuple[str, ...]:
        """Its fingerprints in all versions, the newest first: what was paid for before an update is still found."""
        return tuple(self.fingerprint(request, slot, version) for version in sorted(_FACTS, reverse=True))


def _facts_1(negotiate: ResolvedRequest, request: Request, slot: Slot) -> dict[str, Any]:
    return {
        "operation": request.operation,
        "provider": negotiate.spec.id,
        "model": negotiate.wire,
        "prompt": request.prompt,
        "options": dict(negotiate.sent),
        "seed": slot.seed,
        "slot": slot.index,
        "references": [picture.digest for picture in request.references],
    }


_FACTS: dict[int, Callable[[ResolvedRequest, Request, Slot], dict[str, Any]]] = {1: _facts_1}
"""What each version is made of. Entries are only ever added, and never changed."""


def negotiate(
    request: Request, spec: ProviderSpec, model: Model, override: str = "", override_usd: float | None = None
) -> ResolvedRequest:
    """How `spec` would do `request` with `model`. `override`: another wire id, a picture by which counts as `override_usd`.

    Raises Impossible with what is possible instead.
    """
    offer = model.capabilities(request.operation)
    if offer is None:
        can = [other.name for other in spec.models if other.capabilities(request.operation)]
        verb = "edit pictures" if request.operation == "edit" else "make pictures from text alone"
        raise _impossible(
            f"{model.name} at {spec.label} can't {verb}",
            f"Models that can: {', '.join(can)}" if can else "Choose another provider",
        )
    if not request.prompt.strip():
        raise _impossible("The prompt is empty", "Write what the picture should show")
    if offer.max_prompt and len(request.prompt) > offer.max_prompt:
        raise _impossible(
            f"The prompt has {len(request.prompt)} characters: {model.name} at {spec.label} takes up to {offer.max_prompt}",
            "Shorten it, or choose another provider",
        )
    ratio, ratio_notice = _ratio(request, spec, model, offer)
    resolution = _resolution(request, spec, model, offer)
    _count_references(request, spec, model, offer)

    sent: list[tuple[Option, str | int | bool]] = []
    notices = [ratio_notice] if ratio_notice else []
    if ratio:
        sent.append(("aspect_ratio", ratio))
    if resolution and not offer.fixed_resolution:
        sent.append(("resolution", resolution))
    takes = options_of(spec, request.operation, offer)
    for option, value in _asked(request):
        possible = takes.get(option)
        if option not in takes:
            notices.append(f"{_name(option)} was left out: {spec.label} has no such option for {model.name}")
        elif possible is not None and str(value) not in possible:
            notices.append(
                f"{_name(option)} {value} was left out: {spec.label} only has {', '.join(possible)} for {model.name}"
            )
        else:
            sent.append((option, value))
    sends_seed = "seed" in takes
    if request.seed and not sends_seed:
        notices.append(
            f"The seed was not sent: {spec.label} takes none for {model.name}; a new seed is still a new request"
        )
    effective = resolution or offer.fixed_resolution or offer.default_resolution
    usd = None if override or model.price is None else model.price.of(effective)
    return ResolvedRequest(
        spec,
        model,
        offer,
        override or offer.model_id,
        tuple(sent),
        sends_seed,
        effective,
        usd,
        tuple(notices),
        override_usd if override else None,
    )


def options_of(spec: ProviderSpec, operation: Operation, offer: Capabilities) -> dict[Option, tuple[str, ...] | None]:
    """The options beyond ratio, resolution and count that are sent, with our values that are possible; None = any."""
    fields = (offer.endpoint or spec.endpoints[operation]).fields
    found: dict[Option, tuple[str, ...] | None] = {}
    for option in offer.options & fields.keys():
        values = offer.option_values.get(option) or fields[option].values
        found[option] = None if values is None else tuple(values)
    return found


def nearest_ratio(width: int, height: int, ratios: Iterable[str]) -> str:
    """The ratio whose logarithm is nearest to that of width:height."""
    wanted = math.log(width / height)

    def distance(ratio: str) -> float:
        across, down = ratio.split(":")
        return abs(math.log(int(across) / int(down)) - wanted)

    return min(ratios, key=distance)


def _ratio(request: Request, spec: ProviderSpec, model: Model, offer: Capabilities) -> tuple[str, str]:
    """The ratio to send ("" for none) and a notice ("" for none)."""
    asked = request.options.aspect_ratio
    if asked != "auto":
        if asked not in offer.ratios:
            raise _impossible(
                f"{model.name} at {spec.label} has no aspect ratio {asked}",
                f"Possible: auto, {', '.join(offer.ratios)}",
            )
        return asked, ""
    if request.operation == "generate" or not request.references:
        return "", ""
    if offer.auto_ratio == OMITTED and len(request.references) == 1:
        return "", ""
    if offer.auto_ratio and offer.auto_ratio != OMITTED:
        return offer.auto_ratio, ""
    if not offer.ratios:
        return "", ""  # there is nothing to choose from
    first = request.references[0]
    nearest = nearest_ratio(first.width, first.height, offer.ratios)
    return nearest, f"aspect ratio auto was sent as {nearest}, the nearest to picture 1 ({first.width}x{first.height})"


def _resolution(request: Request, spec: ProviderSpec, model: Model, offer: Capabilities) -> str:
    asked = request.options.resolution
    if asked == "auto":
        return ""
    if asked not in offer.all_resolutions:
        raise _impossible(
            f"{model.name} at {spec.label} can't make {asked} pictures",
            f"Possible: {', '.join(('auto', *offer.all_resolutions))}",
        )
    return asked


def _count_references(request: Request, spec: ProviderSpec, model: Model, offer: Capabilities) -> None:
    count = len(request.references)
    if request.operation == "edit" and count == 0:
        raise _impossible("There is no image to edit", "Connect image_1")
    if count > offer.max_references:
        raise _impossible(
            f"{count} reference images are too many: {model.name} at {spec.label} takes up to {offer.max_references}",
            "Connect fewer images, or shorten the batches",
        )


def _asked(request: Request) -> list[tuple[Option, str | bool]]:
    """The options that aren't at "leave it to the provider", with our value."""
    options = request.options
    asked: list[tuple[Option, str | bool]] = []
    if options.web_search:
        asked.append(("web_search", True))
    if options.safety_tolerance != "default":
        asked.append(("safety_tolerance", options.safety_tolerance))
    if options.limit_generations != "default":
        asked.append(("limit_generations", options.limit_generations))
    if options.output_format != "auto":
        asked.append(("output_format", options.output_format))
    if options.thinking != "default":
        asked.append(("thinking", options.thinking))
    if options.system_prompt.strip():
        asked.append(("system_prompt", options.system_prompt))
    return asked


_NAMES: dict[str, str] = {"web_search": "enable_web_search"}


def _name(option: str) -> str:
    return _NAMES.get(option, option)


def _impossible(what: str, cure: str) -> Impossible:
    return Impossible(what, cure=cure)
