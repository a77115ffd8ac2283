"""What the nodes offer when the settings make no sense: the host asks for it when it lists its nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pack import comfyui
from pack.core.errors import ConfigError
from pack.core.providers import BUILT_IN


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NANO_BANANA_HOME", str(tmp_path))
    monkeypatch.setattr(comfyui, "_engine", None)
    return tmp_path


def test_a_senseless_setting_doesn_t_take_the_nodes_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANO_BANANA_RESULTS_GB", "lots")
    assert comfyui.provider_options() == (BUILT_IN, ["default"], ())


@pytest.mark.parametrize("stored", ['{"results_gb": "lots"}', "[" * 100_000], ids=["senseless", "too deep"])
def test_a_broken_settings_file_doesn_t_either(home: Path, stored: str) -> None:
    (home / "settings.json").write_text(stored, "utf-8")
    specs, profiles, _ = comfyui.provider_options()
    assert set(specs) == set(BUILT_IN) and profiles == ["default"]


def test_what_the_user_has_is_offered(home: Path) -> None:
    """Own providers, names of stored keys, and what is wrong with the rest."""
    (home / "providers.yaml").write_text(
        "providers:\n  shop: {dialect: runflow, base_url: https://shop.example}\n  bad: {dialect: smoke}\n", "utf-8"
    )
    comfyui.engine().keys.put("runflow", "studio", "sim-1", "https://api.runflow.io")
    specs, profiles, mistakes = comfyui.provider_options()
    assert "shop" in specs and list(specs)[-1] == "offline"
    assert profiles == ["default", "studio"]
    assert len(mistakes) == 1 and "line 3" in mistakes[0]


def test_the_home_of_nobody_is_told_and_takes_no_nodes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has an error of its own for a user that there is not."""
    monkeypatch.setenv("NANO_BANANA_HOME", "~no_such_user/x")
    monkeypatch.setattr(comfyui, "_engine", None)
    for act in (comfyui.data_folder, comfyui.engine):
        with pytest.raises(ConfigError, match="NANO_BANANA_HOME"):
            act()
    assert comfyui.provider_options() == (BUILT_IN, ["default"], ())
