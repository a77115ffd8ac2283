"""The conformance tests without their environment, and the page that their record makes."""

from pathlib import Path

import pytest
from pack.core.providers import BUILT_IN
from pack.dev import environment, provider_tables, test_command
from pack.dev.environment import InstallFailed


def test_without_the_packages_the_stage_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(cache: Path, name: str, title: str) -> Path:
        raise InstallFailed("The package index can't be reached.")

    monkeypatch.setattr(environment, "apart", refuse)
    cache, scratch = tmp_path / "cache", tmp_path / "scratch"
    cache.mkdir()
    scratch.mkdir()
    stages = test_command.Stages(None, cache, scratch)
    stages.conformance([])
    assert stages.results == [
        test_command.Result("tests/conformance", "skipped", note="The package index can't be reached.")
    ]


def test_the_table_names_each_judge_once_and_nobody_where_no_column_has_one() -> None:
    entry = {"provider": "google", "kind": "SDK", "judge": "some-sdk", "version": "1.2", "what": "makes a picture"}
    record = [entry, entry | {"what": "edits one"}, entry | {"provider": "kie", "kind": "report"}]
    specs = [BUILT_IN["google"], BUILT_IN["kie"], BUILT_IN["runflow"]]
    google, kie, runflow = provider_tables.judges_page(specs, record).splitlines()[-3:]
    assert google.endswith("| some-sdk 1.2: edits one, makes a picture |  |  |")
    assert kie.endswith("|  |  | some-sdk 1.2: makes a picture |")
    assert runflow.endswith("| nobody |  |  |")


def test_the_page_in_the_tree_has_every_provider_and_each_has_a_judge() -> None:
    page = provider_tables.JUDGES.read_text(encoding="utf-8")
    assert f"| {provider_tables.NOBODY} |" not in page
    assert page.startswith(provider_tables.INTRODUCTION)
    assert all(f"`{name}`" in page for name, spec in BUILT_IN.items() if not spec.local)
