"""The built-in providers, in the order of the widget's choices and of `auto`.

One file each in `builtin`, with a `PROVIDER` in it: a new file is found by itself.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from . import builtin
from .spec import ProviderSpec


def _load() -> dict[str, ProviderSpec]:
    """Every `PROVIDER`, by its rank; the simulator is last."""
    specs = [
        import_module(f"{builtin.__name__}.{found.name}").PROVIDER for found in pkgutil.iter_modules(builtin.__path__)
    ]
    specs.sort(key=lambda spec: (spec.local, spec.rank, spec.id))
    return {spec.id: spec for spec in specs}


BUILT_IN: dict[str, ProviderSpec] = _load()


def model_names(specs: Iterable[ProviderSpec]) -> list[str]:
    """The union of the providers' model names, the best known first."""
    first = ["nano-banana-pro", "nano-banana-2.1", "nano-banana-2", "nano-banana-lite", "nano-banana", "nano-banana-hd"]
    names = {model.name for spec in specs for model in spec.models}
    return [name for name in first if name in names] + sorted(names.difference(first))
