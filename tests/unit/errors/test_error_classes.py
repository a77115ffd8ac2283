"""Errors: each kind of failure has a class, and ComfyUI is shown the names that scripts compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from pack.core import errors
from pack.core.config import allowed_models
from pack.core.errors import Kind, NanoBananaError, ProviderFailure, provider_error

SHOWN = {
    "NanoBananaError", "ConfigError", "LedgerFailed", "OverCap", "Impossible", "KeyRefused", "NoCredit", "RateLimited",
    "Refused", "ProviderFault", "NetworkError", "Unresolved", "Stopped",
}  # fmt: skip


def classes(base: type[NanoBananaError] = NanoBananaError) -> Iterator[type[NanoBananaError]]:
    for each in base.__subclasses__():
        yield each
        yield from classes(each)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_fault_of_each_kind_is_raised_as_an_error_of_that_kind(kind: Kind) -> None:
    error = provider_error(ProviderFailure(kind, "as it says", 400), "A provider", "no")
    assert error.kind == kind
    assert "as it says" in error.message


def test_the_names_that_are_shown_are_the_public_ones() -> None:
    """The host shows module and name: no path of the user's disk, and no name that a script doesn't know."""
    assert {(each.__module__, each.__qualname__) for each in classes()} == {("NanoBanana", name) for name in SHOWN}


def test_a_class_is_shown_under_its_own_name_or_that_of_a_class_above_it() -> None:
    for each in classes():
        assert each.__qualname__ in {above.__name__ for above in each.__mro__}


def test_a_model_that_needs_permission_is_shown_as_impossible() -> None:
    assert issubclass(allowed_models.UnknownModel, errors.Impossible)
    assert allowed_models.UnknownModel.__qualname__ == "Impossible"
