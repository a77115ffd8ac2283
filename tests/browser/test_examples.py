"""The example workflows in the real frontend: they load, convert to what is kept, run from the canvas, and stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return found


def widgets(workflow: dict[str, Any]) -> dict[int, Any]:
    return {node["id"]: node.get("widgets_values") for node in workflow["nodes"]}


def test_there_are_examples() -> None:
    assert {"text_to_image", "edit", "several_references", "masked_region", "two_providers"} <= set(NAMES)
    assert all((EXAMPLES / f"{name}.jpg").is_file() for name in NAMES)


@pytest.mark.parametrize("vue", [False, True], ids=["classic", "nodes2"])
@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_runs_and_stays(
    canvas: Callable[..., Any], assert_fresh: Callable[..., None], name: str, vue: bool
) -> None:
    """Its API form is the kept one, it makes pictures from the canvas, and a reload finds every value as it was."""
    page = canvas(vue=vue)
    page.load(example(name))
    made = json.dumps(page.prompt(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    assert_fresh(EXAMPLES / "api" / f"{name}.json", made, "examples")
    assert widgets(page.workflow()) == widgets(example(name))
    entry = page.queue()
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    assert any(output.get("images") for output in entry["outputs"].values())
    page.shoot(f"example-{name}")
    assert page.complaints == []


def test_a_reload_finds_everything_as_it_was(canvas: Callable[..., Any]) -> None:
    page = canvas()
    page.load(example("masked_region"))
    page.page.wait_for_function("() => Object.keys(localStorage).some(k => localStorage[k].includes('NanoBananaEdit'))")
    before = widgets(page.workflow())
    page.open()
    page.page.wait_for_function("() => window.app.graph.nodes.some(n => n.type === 'NanoBananaEdit')")
    assert widgets(page.workflow()) == before


def test_a_value_from_next_year_is_kept_and_refused_in_our_words(canvas: Callable[..., Any]) -> None:
    """A graph made with a newer version names a provider that isn't known here: it must not turn into another one."""
    workflow = example("text_to_image")
    for node in workflow["nodes"]:
        if node["type"] == "ProviderConfig":
            node["widgets_values"][0] = "nextyear"
    page = canvas()
    page.load(workflow)
    config = next(node for node in page.prompt().values() if node["class_type"] == "ProviderConfig")
    assert config["inputs"]["provider"] == "nextyear"
    page.page.evaluate("() => window.app.queuePrompt(0)")
    page.page.get_by_role("button", name="View details").click()
    rejected = page.page.get_by_text("Nano Banana Provider (your key) - provider")
    rejected.locator("xpath=following::button[1]").click()
    page.page.get_by_text("nextyear is not known here").first.wait_for()
    page.shoot("unknown-provider")


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("vue", [False, True], ids=["classic", "nodes2"])
def test_a_missing_key_is_explained_in_the_error_panel(canvas: Callable[..., Any], vue: bool, light: bool) -> None:
    """What a first-time user sees: what is wrong, that it cost nothing, and the way out."""
    workflow = example("text_to_image")
    for node in workflow["nodes"]:
        if node["type"] == "ProviderConfig":
            node["widgets_values"][:3] = ["apiframe", "recommended", "studio"]
    page = canvas(vue=vue, light=light)
    page.load(workflow)
    page.queue()
    page.page.get_by_role("button", name="View details").click()
    page.page.get_by_text("There is no key for APIFRAME", exact=False).first.wait_for()
    page.shoot("missing-key")
