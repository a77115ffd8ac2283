"""Builds the models and the fields of a provider file: what its models share is written once.

model = partial(builder.model, default_resolution="1K", auto_ratio="auto")
models = (model("nano-banana-pro", "pro", "google/nano-banana-pro", SIZES), ...)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast, get_args

from .spec import OPERATIONS, RATIOS, Capabilities, Endpoint, Field, Model, Operation, Option, OptionValue, Price


def model(
    name: str,
    family: str,
    model_id: str,
    resolutions: tuple[str, ...] = (),
    *,
    edit_model_id: str = "",
    operations: Iterable[Operation] = OPERATIONS,
    ratios: tuple[str, ...] = RATIOS,
    default_resolution: str = "",
    auto_ratio: str = "",
    max_references: int = 14,
    max_count: int = 1,
    max_prompt: int = 0,
    options: Iterable[Option] = (),
    edit_options: Iterable[Option] | None = None,
    option_values: Mapping[Option, tuple[str, ...]] | None = None,
    drafts: bool = False,
    endpoint: Endpoint | None = None,
    price: Price | None = None,
    note: str = "",
    successor: str = "",
) -> Model:
    """A model whose capabilities for generating and for editing differ only as far as edits do.

    `model_id`, `options`: for both operations, unless `edit_model_id` or `edit_options` says another for edits.
    `resolutions`: without any, `default_resolution` is the only one and no field is sent for it.
    `auto_ratio`, `max_references`: of edits. The rest is as in `Capabilities` and `Model`.
    """

    def capabilities(operation: Operation) -> Capabilities | None:
        if operation not in tuple(operations):
            return None
        edits = operation == "edit"
        return Capabilities(
            edit_model_id or model_id if edits else model_id,
            ratios,
            resolutions,
            fixed_resolution="" if resolutions else default_resolution,
            default_resolution=default_resolution,
            auto_ratio=auto_ratio if edits else "",
            max_references=max_references if edits else 0,
            max_count=max_count,
            options=frozenset(options if edit_options is None or not edits else edit_options),
            option_values=option_values or {},
            max_prompt=max_prompt,
            drafts=drafts,
            endpoint=endpoint,
        )

    return Model(name, family, capabilities("generate"), capabilities("edit"), price, note, successor)


def fields(**named: str | Field) -> dict[Option, Field]:
    """A provider's fields by our names of the options; a text is a field that takes our values as they are.

    Raises ValueError for a name that is no option of ours.
    """
    for option in named:
        if option not in get_args(Option):
            raise ValueError(f"no option is called {option}")
    return {cast(Option, option): Field(each) if isinstance(each, str) else each for option, each in named.items()}


def same(*values: str) -> dict[str, OptionValue]:
    """Values that the provider spells as we do, where it takes only these."""
    return {value: value for value in values}
