"""Which model a name in a graph means: at a named provider, or as a family where no provider is named."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import Impossible
from ..errors.messages import msg
from ..providers import BUILT_IN
from ..providers.spec import Model, ProviderSpec
from .choice import RECOMMENDED, ProviderChoice


def model_of(spec: ProviderSpec, choice: ProviderChoice) -> Model:
    """The model that a choice names, or the one that took its place. Raises Impossible."""
    model = spec.model(choice.model) or spec.model(spec.retired.get(choice.model, choice.model))
    if model is None:
        raise Impossible(
            msg("model_choice.unknown_model_at_provider", provider=spec.label, model=choice.model[:60]),
            cure=msg(
                "model_choice.models_are", models=", ".join((RECOMMENDED, *(model.name for model in spec.models)))
            ),
        )
    return model


def family_of(name: str, specs: Iterable[ProviderSpec]) -> tuple[str, tuple[str, ...]]:
    """The family that a model name means where no provider is named, "" for `recommended`; and notices. Raises Impossible."""
    if name == RECOMMENDED:
        return "", ()
    # The local provider has the names as Google uses them; elsewhere one may mean another model.
    known = [*sorted(BUILT_IN.values(), key=lambda spec: not spec.local), *specs]
    for spec in known:
        model = spec.model(name)
        if model:
            return model.family, ()
    for spec in known:
        model = spec.model(spec.retired.get(name, ""))
        if model:
            return model.family, (msg("model_choice.model_retired", name=name, model=model.name),)
    raise Impossible(
        msg("model_choice.unknown_model", name=name[:60]),
        cure=msg("model_choice.choose_another_model", recommended=RECOMMENDED),
    )


def retirement_notices(spec: ProviderSpec, model: Model, choice: ProviderChoice) -> list[str]:
    """Notices about a model name or a model id of the choice that the provider has retired. `model`: what is used instead."""
    notices = []
    if choice.model in spec.retired and spec.model(choice.model) is None and not choice.model_override:
        notices.append(
            msg("model_choice.model_retired_at_provider", provider=spec.label, model=choice.model, successor=model.name)
        )
    successor = spec.model(spec.retired.get(choice.model_override, ""))
    if choice.model_override and successor:
        ids = [each.model_id for each in (successor.generate, successor.edit) if each]
        notices.append(
            msg(
                "model_choice.model_override_retired",
                model_override=choice.model_override,
                provider=spec.label,
                ids=ids[0],
                successor=successor.name,
            )
        )
    return notices
