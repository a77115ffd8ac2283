"""The APIs the simulator speaks, one module each; a module's instance is named `API`.

Found by looking into this folder, so that a new API is one new file.
"""

from __future__ import annotations

import importlib
import pkgutil

from ..api import Api


def discover() -> dict[str, Api]:
    """Every API by its id."""
    apis: dict[str, Api] = {}
    for module in pkgutil.iter_modules(__path__):
        api: Api = importlib.import_module(f"{__name__}.{module.name}").API
        apis[api.id] = api
    return apis
