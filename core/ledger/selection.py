"""Which pictures of the journal a list is about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy import ColumnElement, false, or_

from .schema import picture
from .types import State

_STATES = frozenset(get_args(State))


@dataclass(frozen=True)
class Selection:
    """All conditions hold together; one that is empty holds for every picture."""

    query: str = ""
    """Text in the prompt, provider or model."""
    states: Sequence[str] = ()
    """One of these. A word that is no state matches nothing."""
    provider: str = ""
    """Id of the provider."""
    model: str = ""
    """Wire model id."""
    since: float = 0.0
    """Unix time; requested then or later."""
    until: float = math.inf
    """Unix time; requested before."""
    favourites: bool = False
    """Only those that the user has marked."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """For the WHERE of a statement on `picture`. What was forgotten, and drafts, are never selected."""
        found: list[ColumnElement[bool]] = [picture.c.fingerprint != "", picture.c.role != "draft"]
        if self.query:
            columns = (picture.c.prompt, picture.c.provider, picture.c.model)
            found.append(or_(*(column.icontains(self.query, autoescape=True) for column in columns)))
        if self.states:
            known = sorted(_STATES.intersection(self.states))
            found.append(picture.c.state.in_(known) if known else false())
        if self.provider:
            found.append(picture.c.provider == self.provider)
        if self.model:
            found.append(picture.c.model == self.model)
        if self.since > 0:
            found.append(picture.c.created >= self.since)
        if self.until < math.inf:
            found.append(picture.c.created < self.until)
        if self.favourites:
            found.append(picture.c.favourite > 0)
        return found


def stored() -> list[ColumnElement[Any]]:
    """The further conditions of a picture whose bytes were stored."""
    return [picture.c.state == "stored", picture.c.result != ""]
