"""The rows. One file per provider with a `PROVIDER` in it; dropping a file in is all it takes to add one."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from . import builtin
from .spec import ProviderSpec

_ORDER = (
    "google",
    "vertex",
    "onerouter",
    "apiframe",
    "apiframe_v2",
    "nanobanana",
    "runflow",
    "fal",
    "replicate",
    "openrouter",
    "kie",
    "wavespeed",
)
"""Order of the choices in the widget and of `auto`; a row that isn't named follows these, and `offline` is last."""


def _load() -> dict[str, ProviderSpec]:
    specs = [
        import_module(f"{builtin.__name__}.{found.name}").PROVIDER for found in pkgutil.iter_modules(builtin.__path__)
    ]
    rank = {name: index for index, name in enumerate(_ORDER)}
    specs.sort(key=lambda spec: (spec.local, rank.get(spec.id, len(rank)), spec.id))
    return {spec.id: spec for spec in specs}


BUILT_IN: dict[str, ProviderSpec] = _load()


def model_names(specs: Iterable[ProviderSpec]) -> list[str]:
    """The union of the rows' model names, the best known first."""
    first = ["nano-banana-pro", "nano-banana-2.1", "nano-banana-2", "nano-banana-lite", "nano-banana", "nano-banana-hd"]
    names = {model.name for spec in specs for model in spec.models}
    return [name for name in first if name in names] + sorted(names.difference(first))
