"""Exact checks for the fields of a request: known names, exact types, exact values.

A JSON boolean is no integer, "4" is no 4, and an unknown field is an error. Every check returns the value it was given
or raises Problem naming the field. Used by the APIs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .problem import Problem

Check = Callable[[str, Any], Any]
LARGEST_SEED = 2**63 - 1


def wrong(name: str, message: str) -> Problem:
    """The problem of one field."""
    return Problem(400, f"{name}: {message}", field=name)


def text(*, longest: int | None = None, shortest: int = 1) -> Check:
    """A string that isn't blank, of `shortest` to `longest` characters."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise wrong(name, "must be a string")
        if not value.strip() or len(value) < shortest:
            raise wrong(name, "must not be empty" if shortest < 2 else f"needs at least {shortest} characters")
        if longest is not None and len(value) > longest:
            raise wrong(name, f"is longer than {longest} characters")
        return value

    return check


def any_text(name: str, value: Any) -> str:
    """A string, empty or not."""
    if not isinstance(value, str):
        raise wrong(name, "must be a string")
    return value


def choice(*allowed: str) -> Check:
    """One of these strings, exactly."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise wrong(name, f"must be one of {', '.join(allowed)}")
        return value

    return check


def whole(lowest: int, highest: int) -> Check:
    """An integer in a range; neither a boolean nor 1.0."""

    def check(name: str, value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise wrong(name, f"must be an integer from {lowest} to {highest}")
        return value

    return check


def number(lowest: float, highest: float) -> Check:
    """A JSON number in a range; not a boolean."""

    def check(name: str, value: Any) -> float:
        if type(value) not in (int, float) or not lowest <= value <= highest:
            raise wrong(name, f"must be a number from {lowest} to {highest}")
        return float(value)

    return check


def flag(name: str, value: Any) -> bool:
    """A JSON boolean."""
    if not isinstance(value, bool):
        raise wrong(name, "must be true or false")
    return value


def decimal(lowest: int, highest: int) -> Check:
    """An integer written in decimal digits, as multipart forms carry it; returns the integer."""

    def check(name: str, value: Any) -> int:
        plain = isinstance(value, str) and value.isascii() and value.isdecimal()
        if not plain or str(int(value)) != value or not lowest <= int(value) <= highest:
            raise wrong(name, f"must be an integer from {lowest} to {highest} in decimal digits")
        return int(value)

    return check


def flag_word(name: str, value: Any) -> bool:
    """`true` or `false`, as multipart forms carry it; returns the boolean."""
    if value not in ("true", "false"):
        raise wrong(name, "must be true or false")
    return bool(value == "true")


def strings(fewest: int, most: int) -> Check:
    """A JSON array of strings."""

    def check(name: str, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise wrong(name, "must be an array of strings")
        if not fewest <= len(value) <= most:
            raise wrong(name, f"must hold {fewest} to {most} entries")
        return value

    return check


def json_object(name: str, value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise wrong(name, "must be an object")
    return value


def check_fields(given: Mapping[str, Any], checks: Mapping[str, Check], required: tuple[str, ...]) -> dict[str, Any]:
    """Every field checked; raises Problem for the first missing, unknown or wrong one."""
    for name in given:
        if name not in checks:
            raise wrong(name, "unknown field")
    for name in required:
        if name not in given:
            raise wrong(name, "is required")
    return {name: checks[name](name, value) for name, value in given.items()}


def parse_json(body: bytes | bytearray) -> dict[str, Any]:
    """A JSON object in UTF-8 without repeated names; raises Problem."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("a name is given twice")
        return dict(pairs)

    def no_constant(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    except (ValueError, RecursionError) as problem:
        raise Problem(400, f"The body is not valid JSON: {problem}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise Problem(400, "The body must be a JSON object.", code="invalid_json")
    return value
