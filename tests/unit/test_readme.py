"""README's table of providers is made from the rows."""

from __future__ import annotations

from pack.core.providers import BUILT_IN
from pack.dev.providers_table import in_readme, table


def test_the_table_of_providers_is_fresh() -> None:
    assert in_readme() == table(BUILT_IN.values()), "stale: run `python3 dev.py table`"


def test_every_provider_of_the_rows_is_in_it() -> None:
    assert all(f"`{name}`" in in_readme() for name in BUILT_IN)
