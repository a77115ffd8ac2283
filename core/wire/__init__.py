"""One file per dialect. Dialects are pure: no I/O, no clock, no policy; see `step` for their vocabulary."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from .step import Dialect

_NOT_DIALECTS = frozenset(
    {
        "body",
        "bot_protection",
        "error_kinds",
        "error_parsing",
        "gemini_errors",
        "inlining",
        "reading",
        "step",
        "tasks",
        "uploads",
    }
)


def dialect(name: str) -> Dialect:
    """The dialect module called `name`. Raises KeyError for a name that isn't one."""
    if name in _NOT_DIALECTS or not name.isidentifier():
        raise KeyError(name)
    try:
        return cast(Dialect, import_module(f".{name}", __name__))
    except ModuleNotFoundError as error:
        if error.name == f"{__name__}.{name}":
            raise KeyError(name) from None
        raise
