"""Checks the values that reach a node: the host checks widgets only, not links and not constants on sockets.

A value of the wrong type, an empty one, a number out of range and a word that the widget doesn't have are refused with the
input's name, before anything is sent. One exception: a seed out of range is folded later, with a notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from comfy_api.latest import io

from ..core.errors import InvalidInput
from ..core.errors.messages import msg
from ..core.planning.choice import ProviderChoice
from ..core.request.conversation import Conversation
from .value_checks import number_of, real_of, shortened, text_of, wrong

UNCONNECTED: Any = type("Unconnected", (), {"__repr__": lambda self: "unconnected"})()
"""Default of a socket: None is what a node gives that has nothing to give, and is refused."""


def checked(inputs: Iterable[io.Input], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the widgets among `inputs`, by name, each of its widget's type. Raises InvalidInput."""
    return {
        each.id: value_of(each, values[each.id]) for each in inputs if isinstance(each, _WIDGETS) and each.id in values
    }


_WIDGETS = (io.Combo.Input, io.Int.Input, io.Float.Input, io.Boolean.Input, io.String.Input)


def value_of(widget: io.Input, value: Any) -> Any:
    """The value of one widget. Raises InvalidInput."""
    name = widget.id
    if isinstance(widget, io.String.Input):
        return text_of(name, value)
    if isinstance(widget, io.Boolean.Input):
        if not isinstance(value, bool):
            raise wrong(name, value, msg("values.yes_or_no"))
        return value
    if isinstance(widget, io.Int.Input):
        return number_of(name, value, widget.min, widget.max)
    if isinstance(widget, io.Float.Input):
        return real_of(name, value, widget.min, widget.max)
    options = [str(option) for option in widget.options or ()] if isinstance(widget, io.Combo.Input) else []
    if not isinstance(value, str):
        raise wrong(name, value, msg("values.one_of", options=", ".join(options)))
    if value not in options:
        raise InvalidInput(
            msg("values.unknown_choice", name=name, short=shortened(value)),
            cure=msg("values.possible_values", options=", ".join(options)),
        )
    return value


def provider_of(name: str, value: Any) -> ProviderChoice | None:
    """What a ProviderConfig gives; None where nothing is connected. Raises InvalidInput."""
    if value is UNCONNECTED:
        return None
    if not isinstance(value, ProviderChoice):
        raise wrong(name, value, msg("values.provider_config_output"))
    return value


def conversation_of(name: str, value: Any) -> Conversation | None:
    """What a node of this pack gives; None where nothing is connected. Raises InvalidInput for anything else."""
    if value is UNCONNECTED:
        return None
    if type(value) is not Conversation:
        raise wrong(name, value, msg("values.conversation_output"))
    return value
