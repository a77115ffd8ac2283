"""What the nodes offer when the settings make no sense: the host asks for it when it lists its nodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

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


def test_a_farm_s_worker_recovers_once_more_when_a_killed_one_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after a restart what the process before it was at still belongs to it."""
    slept: list[float] = []
    rounds: list[list[float]] = []
    begun: list[Callable[[], None]] = []
    both = threading.Event()

    def recover() -> SimpleNamespace:
        rounds.append(list(slept))
        if len(rounds) == 2:
            both.set()
        return SimpleNamespace(wait=lambda: True, result=SimpleNamespace(text="", images=0, failed=0))

    ledger = SimpleNamespace(is_empty=False, database=SimpleNamespace(grace_seconds=10.0))
    monkeypatch.setattr(comfyui, "engine", lambda: SimpleNamespace(ledger=ledger, recover=recover))
    monkeypatch.setattr(comfyui, "at_server_start", begun.append)
    monkeypatch.setattr(comfyui, "time", SimpleNamespace(sleep=slept.append, time=time.time))
    comfyui.recover_after_start()
    begun[0]()
    assert both.wait(60) and rounds == [[], [11.0]]
