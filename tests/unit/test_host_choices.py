"""What ProviderConfig offers is read while the host loads the pack: nothing on this machine may keep the node from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pack import host
from pack.core.providers import BUILT_IN


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(host, "_engine", None)
    monkeypatch.setenv("NANO_BANANA_HOME", str(tmp_path))
    return tmp_path


def test_own_providers_and_stored_keys_are_offered(new_process: Path) -> None:
    (new_process / "providers.yaml").write_text("providers: {shop: {dialect: fal, base_url: https://shop.example}}")
    host.engine().keys.put("fal", "studio", "sim-1", "https://queue.fal.run")
    rows, profiles = host.choices()
    assert "shop" in rows and profiles == ["default", "studio"]


@pytest.mark.parametrize("stored", ['{"results_gb": "lots"}', "[" * 100_000])
def test_a_setting_that_makes_no_sense_costs_no_node(new_process: Path, stored: str) -> None:
    """The built-in providers are offered; what runs then tells what is wrong."""
    (new_process / "settings.json").write_text(stored)
    rows, profiles = host.choices()
    assert set(rows) == set(BUILT_IN) and profiles == ["default"]
