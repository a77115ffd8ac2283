"""What a person calls an option."""

from __future__ import annotations

from ..errors.messages import msg
from .spec import Option


def option_name(option: Option) -> str:
    """The name of the node's input; in English it is the input's id."""
    return msg(f"option_name.{option}")
