"""Plans of the elements of a list become one where they ask the same providers in the same way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pack.core.config.settings import Settings
from pack.core.planning.choice import ProviderChoice
from pack.core.planning.merging import can_merge, merged
from pack.core.planning.plan import Plan
from pack.core.planning.resolver import ProviderResolver
from pack.core.request import Options, Request

KEYS = {"NANO_BANANA_FAL_API_KEY": "f", "NANO_BANANA_REPLICATE_API_KEY": "r"}


def request(prompt: str, **options: str) -> Request:
    return Request("generate", prompt, Options(**options), num_images=2)


@pytest.fixture
def resolver(tmp_path: Path) -> ProviderResolver:
    return ProviderResolver(Settings.read(tmp_path, KEYS))


def test_each_request_keeps_what_was_resolved_for_it(resolver: ProviderResolver) -> None:
    choice = ProviderChoice("fal", fallback=ProviderChoice("replicate"))
    one, two = request("one", resolution="2K"), request("two", resolution="1K")
    plans = [resolver.plan(choice, [each]) for each in (one, two)]
    assert can_merge(*plans)
    together: Plan = merged([plans[0], replace(plans[1], notices=("told", "told twice"))])
    assert together.notices == tuple(dict.fromkeys((*plans[0].notices, "told", "told twice")))
    assert [each.target for each in together.targets] == [each.target for each in plans[0].targets]
    for index, (plan, asked) in enumerate(zip(plans, (one, two), strict=True)):
        for slot in asked.slots():
            assert together.all_fingerprints(index, asked, slot) == plan.all_fingerprints(0, asked, slot)


@pytest.mark.parametrize(
    "other",
    [
        ProviderChoice("replicate"),
        ProviderChoice("fal", timeout=30),
        ProviderChoice("fal", max_parallel=1),
        ProviderChoice("fal", fallback=ProviderChoice("replicate")),
    ],
    ids=["provider", "timeout", "parallel", "fallback"],
)
def test_another_way_of_asking_is_another_run(resolver: ProviderResolver, other: ProviderChoice) -> None:
    plans = [resolver.plan(choice, [request("a picture")]) for choice in (ProviderChoice("fal"), other)]
    assert not can_merge(*plans)
