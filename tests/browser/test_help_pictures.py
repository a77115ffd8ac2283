"""The pictures of the help pages show the nodes as they are now; `dev.py pictures` shoots them again.

Each JPEG has the names on its node as its comment, so a picture of an older node is found without looking at it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.own_page

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "web" / "docs" / "images"
SCALE = 1.385
"""Pixels a canvas unit: a node of 400 units is as wide as the help panel shows it sharply."""
NODES = {
    "generate": ("NanoBananaGenerate", "Nano Banana 01 - Text to image", {"num_images": 3}),
    "edit": ("NanoBananaEdit", "Nano Banana 02 - Edit a photo", {}),
}
"""Picture -> its node, the example it is in, and what is chosen after the run."""
NAMES = """(type) => {
    const node = window.app.graph.nodes.find((each) => each.type === type);
    const name = (slot) => node.widgets.find((each) => each.name === slot.name)?.label || slot.label || slot.localized_name;
    return [node.title, ...node.inputs.map(name), ...node.outputs.map(name)];
}"""
NO_PACK_NAME = "() => window.app.extensionManager.setting.set('Comfy.NodeBadge.NodeSourceBadgeMode', 'None')"
"""Below a node is the name of the folder that the pack is in."""
CLOSE = """([type, scale]) => {
    const { canvas, graph } = window.app;
    const node = graph.nodes.find((each) => each.type === type);
    node.setSize([400, 100]);  // as low as what is on it allows
    canvas.deselectAll();
    canvas.ds.scale = scale;
    canvas.ds.offset = [500 / scale - node.pos[0], 120 / scale - node.pos[1]];
    canvas.setDirty(true, true);
    return String(node.id);
}"""


@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.parametrize("name", NODES)
def test_help_pictures_show_todays_node(
    canvas: Callable[..., Any], request: pytest.FixtureRequest, name: str, locale: str
) -> None:
    kind, example, _ = NODES[name]
    path = PICTURES / (f"{name}.jpg" if locale == "en" else f"{name}-{locale}.jpg")
    page = canvas(vue=True, locale=locale)
    page.load(_unlabelled(example))
    names = page.page.evaluate(NAMES, kind)
    if request.config.getoption("--write"):
        shot = _after_a_run(page, name, "" if locale == "en" else ".")
        shot.save(path, quality=88, optimize=True, comment=json.dumps(names))
    with Image.open(path) as picture:
        said = picture.info.get("comment", b"null")
    assert json.loads(said) == names, f"{path.name} shows an older node: run `python3 dev.py pictures`"


def _unlabelled(example: str) -> dict[str, Any]:
    """An example without its own label of the prompt."""
    workflow: dict[str, Any] = json.loads((ROOT / "example_workflows" / f"{example}.json").read_text("utf-8"))
    for node in workflow["nodes"]:
        for slot in node.get("inputs", []):
            if slot["name"] == "prompt":
                slot.pop("label", None)
    return workflow


def _after_a_run(page: Any, name: str, end: str) -> Image.Image:
    """The node once its picture is there. `end` of the prompt: another one for each picture that is to be paid."""
    kind, _, chosen = NODES[name]
    page.page.evaluate(NO_PACK_NAME)
    page.choose(kind, "prompt", page.widget(kind, "prompt")["value"] + end)
    if name == "edit":
        page.choose(kind, "output_size", "as returned")
    page.choose("ProviderConfig", "provider", "onerouter")
    assert page.queue()["status"]["status_str"] == "success"
    for widget, value in chosen.items():
        page.choose(kind, widget, value)
    page.page.set_viewport_size({"width": 1600, "height": 1700})
    node = page.page.locator(f'.lg-node[data-node-id="{page.page.evaluate(CLOSE, [kind, SCALE])}"]')
    expect(node.locator(".nb-note")).to_be_visible()
    expect(node.locator("img").last).to_have_js_property("complete", True)
    page.page.evaluate(CLOSE, [kind, SCALE])  # again, now that all is on it
    page.page.mouse.move(5, 5)
    page.page.wait_for_timeout(2000)  # the estimate, fades
    shot = Image.open(io.BytesIO(page.page.screenshot(clip=node.bounding_box())))
    page.page.set_viewport_size({"width": 1600, "height": 950})
    return shot.convert("RGB")
