"""The example workflows in the real frontend: they load, convert to what is kept, run from the canvas, and stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pack.dev import examples
from pack.tests.browser.page_parts import BOTH_RENDERERS, example

pytestmark = pytest.mark.used_pages

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))
NOTES = ("Note", "MarkdownNote")
ON_THE_CANVAS = NAMES[::4]
"""What the default run also starts; it only loads the others."""
TITLE_BAR = 30
"""Above a node's position, in canvas units."""


def shipped(name: str) -> dict[str, Any]:
    """An example of the pack."""
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return found


def widgets(workflow: dict[str, Any]) -> dict[int, Any]:
    return {node["id"]: node.get("widgets_values") or [] for node in workflow["nodes"]}


def overlapping(page: Any) -> list[str]:
    """Pairs of nodes of which one covers a part of the other, as they are drawn."""
    boxes = page.page.evaluate(
        """() => window.app.graph.nodes.map((node) => {
            const drawn = document.querySelector(`[data-node-id="${node.id}"]`);
            const tall = drawn ? drawn.getBoundingClientRect().height / window.app.canvas.ds.scale - 30 : 0;
            const [wide, high] = node.flags.collapsed ? [120, 0] : [node.size[0], Math.max(node.size[1], tall)];
            return [`${node.id} ${node.title}`, node.pos[0], node.pos[1], wide, high];
        })"""
    )
    found = []
    for number, (name, left, top, width, height) in enumerate(boxes):
        for other, other_left, other_top, other_width, other_height in boxes[number + 1 :]:
            beside = left + width <= other_left or other_left + other_width <= left
            apart = top + height <= other_top - TITLE_BAR or other_top + other_height <= top - TITLE_BAR
            if not (beside or apart):
                found.append(f"{name} / {other}")
    return found


def outside_of_their_groups(page: Any) -> list[str]:
    """Nodes that stand in a group and reach beyond it, as they are drawn."""
    found: list[str] = page.page.evaluate(
        """() => window.app.graph.groups.flatMap(({ pos: [x, y], size: [width, height] }) => window.app.graph.nodes
            .filter(({ pos }) => pos[0] >= x && pos[0] < x + width && pos[1] >= y && pos[1] < y + height)
            .filter((node) => {
                const drawn = document.querySelector(`[data-node-id="${node.id}"]`);
                const tall = drawn ? drawn.getBoundingClientRect().height / window.app.canvas.ds.scale - 30 : 0;
                const [wide, high] = node.flags.collapsed ? [120, 0] : [node.size[0], Math.max(node.size[1], tall)];
                return node.pos[0] + wide > x + width || node.pos[1] + high > y + height;
            })
            .map((node) => `${node.id} ${node.title}`))"""
    )
    return found


def test_the_examples_are_in_an_order_that_teaches_and_have_pictures() -> None:
    """The frontend shows a file's name as its title, searches in it alone, and offers to sort by it."""
    assert [name.partition(" - ")[0] for name in NAMES] == [f"Nano Banana {n:02}" for n in range(1, len(NAMES) + 1)]
    assert len(NAMES) >= 15 and all((EXAMPLES / f"{name}.jpg").is_file() for name in NAMES)


SCROLLED_TO = """(names) => {
    const cards = [...document.querySelectorAll('[data-testid^="template-workflow-"]')];
    cards.at(-1)?.scrollIntoView();
    const shown = cards.map((card) => card.dataset.testid.replace('template-workflow-', ''));
    return names.some((name) => shown.includes(name));
}"""
"""Cards of templates are drawn as one scrolls."""


@pytest.mark.long
def test_a_search_among_the_templates_finds_the_examples(pages: Callable[[bool], Any]) -> None:
    page = pages(False)
    page.page.route("**/*.webp", lambda route: route.fulfill(body=""))  # those of the frontend
    page.command("Comfy.BrowseTemplates")
    page.page.get_by_placeholder("Search").last.fill("nano banana")
    page.page.wait_for_function(SCROLLED_TO, arg=NAMES)
    page.shoot("templates")
    page.page.keyboard.press("Escape")
    assert page.complaints == []


@pytest.mark.parametrize("name", NAMES)
def test_an_example_needs_nothing_but_the_pack(name: str) -> None:
    """No file in the input folder, no key; a local model is named in the note. Notes are in both languages."""
    prompt = json.loads((EXAMPLES / "api" / f"{name}.json").read_text("utf-8"))
    kinds = {node["class_type"] for node in prompt.values()}
    assert not [kind for kind in kinds if kind.startswith("LoadImage")]
    providers = [node["inputs"]["provider"] for node in prompt.values() if node["class_type"] == "ProviderConfig"]
    assert providers and set(providers) == {"offline"}
    makers = [node for node in prompt.values() if node["class_type"] in examples.IMAGE_NODES]
    assert makers and all(isinstance(node["inputs"].get("provider"), list) for node in makers)
    (note,) = [node["widgets_values"][0] for node in shipped(name)["nodes"] if node["type"] in NOTES]
    assert all(model in note for model in examples.models_named(prompt))
    assert any("\u4e00" <= character <= "\u9fff" for character in note)


@BOTH_RENDERERS
@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_runs_and_stays(
    request: pytest.FixtureRequest,
    pages: Callable[[bool], Any],
    assert_fresh: Callable[..., None],
    name: str,
    vue: bool,
) -> None:
    """Its API form is the kept one, it makes pictures from the canvas, and a reload finds every value as it was."""
    page = pages(vue)
    page.load(shipped(name))
    made = json.dumps(page.prompt(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    assert_fresh(EXAMPLES / "api" / f"{name}.json", made, "examples")
    assert widgets(page.workflow()) == widgets(shipped(name))
    assert overlapping(page) == []
    runs = name in ON_THE_CANVAS or request.config.getoption("--long")
    if runs and not examples.models_named(json.loads(made)):
        entry = page.queue()
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
        assert any(output.get("images") for output in entry["outputs"].values())
        assert overlapping(page) == []
    assert outside_of_their_groups(page) == []
    page.shoot(f"example-{name}")
    assert page.complaints == []


@pytest.mark.parametrize("name", [name for name in NAMES if "linearData" in shipped(name)["extra"]])
def test_an_example_opens_as_an_app_with_all_its_inputs(canvas: Callable[..., Any], name: str) -> None:
    """What its `linearData` names is there: the frontend leaves out in silence what it can't find."""
    page = canvas(vue=True)
    page.load(shipped(name))
    app = shipped(name)["extra"]["linearData"]
    missing = page.page.evaluate(
        """([inputs, outputs]) => [
            ...inputs.filter(([id, name]) => !window.app.graph.getNodeById(id)?.widgets.some((w) => w.name === name)),
            ...outputs.filter((id) => !window.app.graph.getNodeById(id)?.constructor.nodeData?.output_node),
        ]""",
        [app["inputs"], app["outputs"]],
    )
    assert app["inputs"] and app["outputs"] and missing == []


@pytest.mark.own_page
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
@BOTH_RENDERERS
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
