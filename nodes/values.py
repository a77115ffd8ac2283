"""Checks the values that reach a node: the host checks widgets only, not links and not constants on sockets.

A value of the wrong type, an empty one, a number out of range and a word that the widget doesn't have are refused with the
input's name, before anything is sent. One exception: a seed out of range is folded later, with a notice.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

from comfy_api.latest import io

from ..core.errors import Impossible
from ..core.errors.messages import msg
from ..core.planning.choice import ProviderChoice

UNCONNECTED: Any = type("Unconnected", (), {"__repr__": lambda self: "unconnected"})()
"""Default of a socket: None is what a node gives that has nothing to give, and is refused."""
FOLDED = ("seed",)
"""Integers that may have any size."""


def checked(inputs: Iterable[io.Input], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the widgets among `inputs`, by name, each of its widget's type. Raises Impossible."""
    return {
        each.id: value_of(each, values[each.id]) for each in inputs if isinstance(each, _WIDGETS) and each.id in values
    }


_WIDGETS = (io.Combo.Input, io.Int.Input, io.Float.Input, io.Boolean.Input, io.String.Input)


def value_of(widget: io.Input, value: Any) -> Any:
    """The value of one widget. Raises Impossible."""
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
        raise Impossible(
            msg("values.unknown_choice", name=name, short=_short(value)),
            cure=msg("values.possible_values", options=", ".join(options)),
        )
    return value


def text_of(name: str, value: Any) -> str:
    """A text. Raises Impossible."""
    if not isinstance(value, str):
        raise wrong(name, value, msg("values.text"))
    return value


def number_of(name: str, value: Any, least: int | None, most: int | None) -> int:
    """A whole number in its range. Raises Impossible."""
    wanted = (
        "a whole number"
        if name in FOLDED or least is None
        else msg("values.whole_number_between", least=least, most=most)
    )
    whole = isinstance(value, numbers.Integral) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise wrong(name, value, wanted)
    number = int(value)
    too_small, too_large = least is not None and number < least, most is not None and number > most
    if name not in FOLDED and (too_small or too_large):
        raise wrong(name, number, wanted)
    return number


def real_of(name: str, value: Any, least: float | None, most: float | None) -> float:
    """A finite number in its range, fractions included. Raises Impossible."""
    wanted = "a number" if least is None else msg("values.number_between", least=least, most=most)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise wrong(name, value, wanted)
    try:
        number = float(value)
    except OverflowError:  # a whole number of thousands of digits
        raise wrong(name, value, wanted) from None
    if not math.isfinite(number) or (least is not None and number < least) or (most is not None and number > most):
        raise wrong(name, value, wanted)
    return number


def provider_of(name: str, value: Any) -> ProviderChoice | None:
    """What a ProviderConfig gives; None where nothing is connected. Raises Impossible."""
    if value is UNCONNECTED:
        return None
    if not isinstance(value, ProviderChoice):
        raise wrong(name, value, msg("values.provider_config_output"))
    return value


def wrong(name: str, value: Any, wanted: str) -> Impossible:
    """A value of another kind than an input takes."""
    return Impossible(
        msg("values.wrong_kind_of_value", name=name, kind=_kind(value), wanted=wanted),
        cure=msg("values.correct_value_or_link"),
    )


def _kind(value: Any) -> str:
    """Names the kind of a value. Texts are not repeated: one in the wrong place may be a key."""
    if value is None:
        return "empty (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return msg("values.no_finite_number")
    if isinstance(value, (int, float)):
        return f"the number {value}" if abs(value) < 10**12 else msg("values.very_large_number")
    for kind, name in ((str, "a text"), ((list, tuple), "a list"), (dict, "an object")):
        if isinstance(value, kind):
            return name
    return f"a {type(value).__name__[:40]}"


def _short(value: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in value[:40])
    return f"“{shown}”"
