"""Checks plain values: numbers in their range, texts, and the error that names the input.

Values that come by a link are of any type: numbers of numpy, tensors, lists, None.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

from ..core.errors import InvalidInput
from ..core.errors.messages import msg

FOLDED = ("seed",)
"""Integers that may have any size."""


def text_of(name: str, value: Any) -> str:
    """A text. Raises InvalidInput."""
    if not isinstance(value, str):
        raise wrong(name, value, msg("values.text"))
    return value


def number_of(name: str, value: Any, least: int | None, most: int | None) -> int:
    """A whole number in its range. Raises InvalidInput."""
    wanted = (
        msg("values.whole_number")
        if name in FOLDED or least is None
        else msg("values.whole_number_between", least=least, most=most)
    )
    whole = isinstance(value, numbers.Integral) or (_is_number(value) and float(value).is_integer())
    if isinstance(value, bool) or not whole:
        raise wrong(name, value, wanted)
    number = int(value)
    too_small, too_large = least is not None and number < least, most is not None and number > most
    if name not in FOLDED and (too_small or too_large):
        raise wrong(name, number, wanted)
    return number


def real_of(name: str, value: Any, least: float | None, most: float | None) -> float:
    """A finite number in its range, fractions included. Raises InvalidInput."""
    wanted = msg("values.number") if least is None else msg("values.number_between", least=least, most=most)
    if not _is_number(value):
        raise wrong(name, value, wanted)
    try:
        number = float(value)
    except OverflowError:  # a whole number of thousands of digits
        raise wrong(name, value, wanted) from None
    if not math.isfinite(number) or (least is not None and number < least) or (most is not None and number > most):
        raise wrong(name, value, wanted)
    return number


def _is_number(value: Any) -> bool:
    """Whether a value is a real number: of Python, or of numpy, whose numbers know these classes. Yes and no are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def wrong(name: str, value: Any, wanted: str) -> InvalidInput:
    """A value of another kind than an input takes."""
    return InvalidInput(
        msg("values.wrong_kind_of_value", name=name, kind=_kind(value), wanted=wanted),
        cure=msg("values.correct_value_or_link"),
    )


def _kind(value: Any) -> str:
    """Names the kind of a value. Texts are not repeated: one in the wrong place may be a key."""
    if value is None:
        return msg("values.empty")
    if isinstance(value, bool):
        return "true" if value else "false"
    if _is_number(value):
        if not isinstance(value, numbers.Integral) and not math.isfinite(value):
            return msg("values.no_finite_number")
        return msg("values.the_number", value=value) if abs(value) < 10**12 else msg("values.very_large_number")
    if isinstance(value, str):
        return msg("values.text")
    if isinstance(value, (list, tuple)):
        return msg("values.list")
    if isinstance(value, dict):
        return msg("values.object")
    return msg("values.of_type", type=type(value).__name__[:40])


def shortened(value: str) -> str:
    """The beginning of a value, for a message."""
    shown = "".join(c if c.isprintable() else "?" for c in value[:40])
    return f"“{shown}”"
