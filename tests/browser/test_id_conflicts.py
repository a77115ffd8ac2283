"""Another pack with nodes of our ids, loaded before ours and after: log and page name it, and its nodes stay its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import TEST_ARGUMENTS, Host
from pack.tests.browser.conftest import frontends
from playwright.sync_api import Browser, expect

IDS = ["NanoBananaGenerate", "NanoBananaEdit"]
STRANGER = "other_banana"
PACK = """
class Stranger:
    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "run", "image"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"prompt": ("STRING", {})}}
    def run(self, prompt):
        raise RuntimeError
NODE_CLASS_MAPPINGS = {"NanoBananaGenerate": Stranger, "NanoBananaEdit": type("Other", (Stranger,), {})}
"""
ADD = """(kind) => {
    const node = window.LiteGraph.createNode(kind);
    window.app.graph.add(node);
    return node.widgets.map((widget) => widget.name);
}"""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["after", "before"])
def turn(request: pytest.FixtureRequest) -> str:
    """When the stranger is loaded."""
    return str(request.param)


@pytest.fixture(scope="module")
def shared(turn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with the stranger in a second folder of packs: the host loads folder after folder, the default one first."""
    base = tmp_path_factory.mktemp("shared")
    packs = base / "more_packs"
    packs.mkdir()
    (packs / f"{STRANGER}.py").write_text(PACK)
    config = base / "more.yaml"
    first = "  is_default: true\n" if turn == "before" else ""
    config.write_text(f"more:\n  base_path: {base}\n{first}  custom_nodes: more_packs\n")
    args = (*TEST_ARGUMENTS, "--extra-model-paths-config", str(config))
    with Host.start(base, args=args) as host:
        yield host


@pytest.fixture
def opened(chromium: Browser, shared: Host, shots: Path | None) -> Iterator[Callable[..., Any]]:
    with frontends(chromium, shared, shots) as opened:
        yield opened


def test_the_log_and_the_route_name_the_other_pack(shared: Host, turn: str) -> None:
    taken = turn == "after"
    expected = [{"node": name, "pack": STRANGER, "taken": taken} for name in IDS]
    assert shared.get("/nano_banana/node_ids")["conflicts"] == expected
    (line,) = [line for line in shared.log.read_text("utf-8").splitlines() if ", ".join(IDS) in line]
    assert STRANGER in line and "restart ComfyUI" in line and ("ComfyUI runs that one" in line) == taken
    module = shared.get("/object_info/NanoBananaEdit")["NanoBananaEdit"]["python_module"]
    assert (module == f"custom_nodes.{STRANGER}") == taken


def test_the_page_says_so_and_leaves_the_other_s_nodes_alone(opened: Callable[..., Any], turn: str) -> None:
    page = opened()
    title = "another pack has taken our nodes" if turn == "after" else "nodes of another pack were replaced"
    message = page.page.locator(".p-toast-message", has_text=title)
    expect(message).to_contain_text(STRANGER)
    expect(message).to_contain_text(", ".join(IDS))
    page.shoot(f"ids-{turn}")
    page.page.evaluate("() => window.app.graph.clear()")
    for kind in IDS:
        assert ("nano_banana" in page.page.evaluate(ADD, kind)) == (turn == "before"), kind
    assert "nano_banana" in page.page.evaluate(ADD, "ProviderConfig")
    assert page.complaints == []


def test_the_message_of_replaced_nodes_comes_once(opened: Callable[..., Any], turn: str) -> None:
    """That of nodes that were taken comes again: as long as it is so, what a person runs isn't this pack's."""
    page = opened()
    message = page.page.locator(".p-toast-message", has_text=STRANGER)
    expect(message).to_be_visible()
    with page.page.expect_response("**/nano_banana/node_ids") as answer:
        page.open()
    answer.value.finished()
    page.settle()
    expect(message).to_have_count(1 if turn == "after" else 0)
