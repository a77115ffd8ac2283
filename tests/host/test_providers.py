"""Every provider in the real host, all in one prompt: text and edits arrive at each, in its own dialect, and come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pack.core.providers import BUILT_IN
from pack.tests.host.all_providers import all_providers
from pack.tests.host.kit import Bench, colours, node

NAMES = [spec.id for spec in BUILT_IN.values()]


@pytest.fixture(scope="module")
def bench(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with all_providers(doubles, tmp_path_factory.mktemp("providers")) as bench:
        yield bench


def test_each_makes_a_picture_from_text(bench: Bench, tag: str) -> None:
    """Eleven nodes of as many providers in one prompt, none of them anybody else's."""
    prompt: dict[str, Any] = {}
    for name in NAMES:
        prompt[f"config {name}"] = node("ProviderConfig", provider=name)
        prompt[name] = node(
            "NanoBananaGenerate", prompt=f"{tag} {name}", provider=[f"config {name}", 0], resolution="1K"
        )
        prompt[f"show {name}"] = node("PreviewImage", images=[name, 0])
    ran = bench.run(prompt, timeout=600)
    assert ran.status == "success", ran.error
    for name in NAMES:
        assert ran.info(name)["provider"] == name and len(ran.images(f"show {name}")) == 1
        if name != "offline":
            (asked,) = bench.asked(f"{tag} {name}", name)
            assert asked["paid"] == 1


def test_each_edits_a_picture(bench: Bench, tag: str) -> None:
    """With two references in order; uploaded first where the provider wants that."""
    files = [bench.put(f"{tag}-{number}.png", colours(48, 64, number)) for number in (1, 2)]
    prompt: dict[str, Any] = {f"load {n}": node("LoadImage", image=file) for n, file in enumerate(files, 1)}
    for name in NAMES:
        prompt[f"config {name}"] = node("ProviderConfig", provider=name)
        pictures = {f"images__image_{n}": [f"load {n}", 0] for n in (1, 2)}
        prompt[name] = node("NanoBananaEdit", prompt=f"{tag} {name}", provider=[f"config {name}", 0], **pictures)
        prompt[f"show {name}"] = node("PreviewImage", images=[name, 0])
    ran = bench.run(prompt, timeout=600)
    assert ran.status == "success", ran.error
    for name in NAMES:
        assert ran.info(name)["provider"] == name and len(ran.images(f"show {name}")) == 1
        if name != "offline":
            (asked,) = bench.asked(f"{tag} {name}", name)
            assert len(asked["references"]) == 2
