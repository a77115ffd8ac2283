"""Model ids that a graph may name in `model_override`: those of the provider's spec, and those that the user allows.

A provider's address serves more than images: a stranger's workflow could order videos there. So an id that is neither in the
provider's spec, in providers.yaml nor among the models added in Settings is refused until the user has allowed it on this
machine, with the price that it counts as. Kept under "allowed_models" in `settings.json`, by provider and id; without a page
NANO_BANANA_ALLOW_MODELS names them: provider:id or provider:id=price, with commas between them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard

from ..errors import ConfigError, Impossible
from ..errors.messages import msg
from ..providers import BUILT_IN
from ..providers.model_ids import model_id_problem
from ..providers.spec import OPERATIONS, UNKNOWN_PRICE_USD, ProviderSpec
from .settings import PREFIX, Settings
from .settings_file import rewrite

VARIABLE = f"{PREFIX}ALLOW_MODELS"
MOST = 200
"""Ids that may be allowed in Settings in all."""
_KEY = "allowed_models"
_DEAREST_ALLOWED = 1000.0


@dataclass(frozen=True)
class AllowedModel:
    """An id that may be sent although no spec describes it."""

    provider: str
    model_id: str
    usd: float
    """What a picture counts as against the caps."""
    source: Literal["settings", "environment"]


class UnknownModel(Impossible, shown_as="Impossible"):
    """A graph names an id that no spec describes and the user has not allowed. Nothing was sent.

    Pictures that were made with it before are taken from the store all the same: only a paid request is asked about.
    """

    def __init__(self, spec: ProviderSpec, model_id: str) -> None:
        super().__init__(
            msg("allowed_models.unknown_model_not_sent", provider=spec.label, model_id=model_id),
            cure=msg("allowed_models.how_to_allow", spec=spec.id, model_id=model_id, variable=VARIABLE),
        )
        self.provider, self.label, self.model_id = spec.id, spec.label, model_id


def known_model_ids(spec: ProviderSpec) -> set[str]:
    """Every id of the provider's spec, as shipped and as the user has changed it, retired ones included."""
    specs = [spec, *([BUILT_IN[spec.id]] if spec.id in BUILT_IN else [])]
    found = {old for each in specs for old in each.retired}
    for model in (model for each in specs for model in each.models):
        found |= {capabilities.model_id for operation in OPERATIONS if (capabilities := model.capabilities(operation))}
    return found


def counted_usd(spec: ProviderSpec, model_id: str, settings: Settings) -> float:
    """What a picture by the id in `model_override` counts as. Raises UnknownModel for one that isn't allowed.

    A known id counts as the dearest of the field, or as more where its own price is higher.
    """
    if spec.local or model_id in known_model_ids(spec):
        return max(UNKNOWN_PRICE_USD, *_prices(spec, model_id))
    for each in allowed(settings):
        if (each.provider, each.model_id) == (spec.id, model_id):
            return each.usd
    raise UnknownModel(spec, model_id)


def _prices(spec: ProviderSpec, model_id: str) -> list[float]:
    """Every price that the provider's spec has for an id; [0.0] where it has none."""
    priced = [
        model.price
        for model in spec.models
        if model.price
        and model_id
        in {capabilities.model_id for operation in OPERATIONS if (capabilities := model.capabilities(operation))}
    ]
    return [0.0, *(usd for price in priced for usd in (*price.usd.values(), *price.counted.values()))]


def allowed(settings: Settings) -> list[AllowedModel]:
    """The allowed ids, those of the environment first. An invalid entry is ignored."""
    found = _of_environment(settings.environ.get(VARIABLE, ""))
    stored = settings.stored.get(_KEY)
    for provider, model_ids in stored.items() if isinstance(stored, dict) else ():
        for model_id, facts in model_ids.items() if isinstance(model_ids, dict) else ():
            usd = facts.get("price") if isinstance(facts, dict) else None
            if _is_price(usd) and not model_id_problem(model_id):
                found.append(AllowedModel(provider, model_id, usd, "settings"))
    return found


def allow(home: Path, spec: ProviderSpec, model_id: Any, price: Any = None) -> None:
    """Allows an id at a provider. `price`: US dollars that a picture counts as, None = the dearest known.

    Raises ConfigError.
    """
    if not isinstance(model_id, str) or model_id_problem(model_id):
        raise _invalid(f"wire {model_id_problem(model_id) if isinstance(model_id, str) else 'is a text'}")
    if spec.local or model_id in known_model_ids(spec):
        raise _invalid(msg("allowed_models.needs_no_permission", provider=spec.label, model_id=model_id[:60]))
    usd = UNKNOWN_PRICE_USD if price is None else price
    if not _is_price(usd):
        raise _invalid(msg("allowed_models.price_must_be_dollars"))

    def apply(stored: dict[str, Any]) -> None:
        known = stored.get(_KEY)
        models = (
            {name: dict(each) for name, each in known.items() if isinstance(each, dict)}
            if isinstance(known, dict)
            else {}
        )
        models.setdefault(spec.id, {})[model_id] = {"price": float(usd)}
        if sum(len(each) for each in models.values()) > MOST:
            raise _invalid(msg("allowed_models.too_many_models", most=MOST))
        stored[_KEY] = models

    rewrite(home, apply)


def forbid(home: Path, provider: str, model_id: str) -> bool:
    """Removes a permission; False where Settings had none. Raises ConfigError."""
    found = False

    def apply(stored: dict[str, Any]) -> None:
        nonlocal found
        known = stored.get(_KEY)
        model_ids = known.get(provider) if isinstance(known, dict) else None
        if isinstance(known, dict) and isinstance(model_ids, dict):
            found = model_ids.pop(model_id, None) is not None
            if not model_ids:
                known.pop(provider)

    rewrite(home, apply)
    return found


def _of_environment(text: str) -> list[AllowedModel]:
    found = []
    for entry in re.split(r"[;,\s]+", text):
        # An id may have colons, too: google/gemini-3:free.
        provider, _, rest = entry.strip("\"'").partition(":")
        model_id, _, price = rest.partition("=")
        try:
            usd = float(price.removeprefix("$")) if price else UNKNOWN_PRICE_USD
        except ValueError:
            continue
        if provider and not model_id_problem(model_id) and _is_price(usd):
            found.append(AllowedModel(provider.lower(), model_id, usd, "environment"))
    return found


def _is_price(value: Any) -> TypeGuard[float]:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    return good and math.isfinite(value) and 0 <= value < _DEAREST_ALLOWED


def _invalid(what: str) -> ConfigError:
    return ConfigError(what, cure=msg("allowed_models.correct_and_send_again"))
