"""What the nodes offer when the settings make no sense: the host asks for it when it lists its nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pack import host
from pack.core.providers import BUILT_IN


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NANO_BANANA_HOME", str(tmp_path))
    monkeypatch.setattr(host, "_engine", None)
    return tmp_path


def test_a_senseless_setting_doesn_t_take_the_nodes_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANO_BANANA_RESULTS_GB", "lots")
    assert host.choices() == (BUILT_IN, ["default"], ())


def test_what_the_user_has_is_offered(home: Path) -> None:
    """Own providers, names of stored keys, and what is wrong with the rest."""
    (home / "providers.yaml").write_text(
        "providers:\n  shop: {dialect: runflow, base_url: https://shop.example}\n  bad: {dialect: smoke}\n", "utf-8"
    )
    host.engine().keys.put("runflow", "studio", "sim-1", "https://api.runflow.io")
    rows, profiles, mistakes = host.choices()
    assert "shop" in rows and list(rows)[-1] == "offline"
    assert profiles == ["default", "studio"]
    assert len(mistakes) == 1 and "line 3" in mistakes[0]
