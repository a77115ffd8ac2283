"""The doubles of the built-in providers, one module each; a module's instance is named `API`.

A new double is one new file: every module in this folder is found by `find_apis`.
"""

from __future__ import annotations

import importlib
import pkgutil

from pack.tests.doubles.api import Api


def find_apis() -> dict[str, Api]:
    """Every API of this folder, by its provider id."""
    apis: dict[str, Api] = {}
    for module in pkgutil.iter_modules(__path__):
        api: Api = importlib.import_module(f"{__name__}.{module.name}").API
        apis[api.id] = api
    return apis
