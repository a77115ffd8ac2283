"""The documented sizes: those that the simulator draws, which were written down from the same guide independently."""

from __future__ import annotations

import pytest
from pack.core.providers import BUILT_IN
from pack.core.providers.sizes import SIZES_BY_FAMILY, documented_sizes
from pack.core.providers.spec import ALL_RATIOS, RATIOS
from pack.simulator.sizes import pixels


@pytest.mark.parametrize("family", ["pro", "flash", "flash2.1"])
def test_the_third_generation_has_the_sizes_of_the_guide(family: str) -> None:
    for resolution, sizes in SIZES_BY_FAMILY[family].items():
        assert set(sizes) == set(ALL_RATIOS)
        assert all(pixels(ratio, resolution) in found for ratio, found in sizes.items())


def test_the_first_generation_has_ten_ratios_at_one_resolution() -> None:
    ((resolution, sizes),) = SIZES_BY_FAMILY["first"].items()
    assert resolution == "1K" and set(sizes) == set(RATIOS)
    assert all(found == (pixels(ratio, ""),) for ratio, found in sizes.items())


def test_sizes_of_every_ratio_have_about_its_shape() -> None:
    """The printed 792x168 of 21:9 is the one exception."""
    for ratio in ALL_RATIOS:
        across, down = map(int, ratio.split(":"))
        odd = [size for size in documented_sizes(ratio) if abs(size[0] / size[1] / (across / down) - 1) > 0.05]
        assert odd == ([(792, 168)] if ratio == "21:9" else [])


def test_every_resolution_that_a_known_model_offers_has_sizes() -> None:
    """With all of its ratios: a resolution without sizes would never be compared."""
    for spec in BUILT_IN.values():
        for model in spec.models:
            for capabilities in (model.generate, model.edit):
                if capabilities is None or not model.sizes:
                    continue
                for resolution in capabilities.all_resolutions:
                    assert set(capabilities.ratios) <= set(model.sizes[resolution]), (spec.id, model.name, resolution)
