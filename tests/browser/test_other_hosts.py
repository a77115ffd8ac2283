"""The oldest ComfyUI that the package index offers, with its own frontend, and the newest one with the newest frontend.

The pack's README and `requires-comfyui` name the oldest one. Partner nodes are on here, as with most people: in the search for
nodes they have nearly the same names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pack.dev import other_hosts
from pack.dev.comfy_host import Host
from pack.dev.other_hosts import NEWEST, OLDEST, OtherHost
from pack.tests.browser.conftest import frontends, page_of_each_renderer
from pack.tests.browser.page_parts import BOTH_RENDERERS
from pack.tests.host.kit import node
from PIL import Image
from playwright.sync_api import Browser, expect

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "example_workflows"
SEARCHED = ("nano banana", "gemini image")
THREE_NODES = """(seed) => {
    const graph = window.app.graph;
    graph.clear();
    const add = (kind, x) => {
        const node = window.LiteGraph.createNode(kind);
        node.pos = [x, 100];
        graph.add(node);
        return node;
    };
    const set = (node, name, value) => {
        const widget = node.widgets.find((each) => each.name === name);
        widget.value = value;
        widget.callback?.(value, window.app.canvas, node);
    };
    const config = add("ProviderConfig", 80);
    const make = add("NanoBananaGenerate", 480);
    const save = add("SaveImage", 900);
    config.connect(0, make, make.inputs.findIndex((input) => input.name === "provider"));
    make.connect(0, save, 0);
    set(config, "provider", "offline");
    set(make, "prompt", "a lighthouse");
    set(make, "seed", seed);
    return String(make.id);
}"""
"""Provider and Generate on the simulation, and a node that saves; gives the id of Generate."""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=[OLDEST, NEWEST], ids=["oldest", "newest"])
def which(request: pytest.FixtureRequest) -> OtherHost:
    found: OtherHost = request.param
    return found


@pytest.fixture(scope="module")
def other(which: OtherHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    found = other_hosts.ready(which)
    if isinstance(found, str):
        pytest.skip(found)
    install, variables = found
    with Host.start(tmp_path_factory.mktemp("other"), variables, ("--cpu",), install=install) as running:
        yield running


@pytest.fixture(scope="module")
def other_pages(chromium: Browser, other: Host, shots: Path | None) -> Iterator[Callable[[bool], Any]]:
    """A page for each renderer, for all tests of a host: opening one takes longer than a test."""
    with frontends(chromium, other, shots) as opened:
        yield page_of_each_renderer(opened)


def test_the_host_is_the_version_that_it_is_taken_for(other: Host, which: OtherHost) -> None:
    assert other.get("/system_stats")["system"]["comfyui_version"] == which.release.comfyui


def test_every_node_of_the_examples_is_there(other: Host) -> None:
    known = other.get("/object_info")
    files = sorted((EXAMPLES / "api").glob("*.json"))
    assert files
    for path in files:
        kinds = {each["class_type"] for each in json.loads(path.read_text("utf-8")).values()}
        assert kinds <= {*known}, path.name


def test_generate_and_edit_make_pictures(other: Host) -> None:
    """Through the HTTP API, on the simulation."""
    outputs = other.run_prompt(
        {
            "config": node("ProviderConfig", provider="offline"),
            "make": node("NanoBananaGenerate", prompt="a lighthouse", provider=["config", 0], aspect_ratio="16:9"),
            "change": node("NanoBananaEdit", prompt="at night", provider=["config", 0], images__image_1=["make", 0]),
            "made": node("SaveImage", images=["make", 0], filename_prefix="made"),
            "changed": node("SaveImage", images=["change", 0], filename_prefix="changed"),
        }
    )
    for name in ("made", "changed"):
        (picture,) = outputs[name]["images"]
        with Image.open(other.file(picture)) as image:
            assert image.width > image.height and len(image.convert("RGB").resize((64, 64)).getcolors(4096) or ()) > 50
    for name in ("make", "change"):
        (info,) = (json.loads(text) for text in outputs[name]["nano_banana"])
        assert (info["provider"], info["cost_usd"], len(info["images"])) == ("offline", 0, 1)


@BOTH_RENDERERS
def test_the_page_shows_the_price_the_run_and_the_events_of_the_server(
    other_pages: Callable[[bool], Any], which: OtherHost, vue: bool
) -> None:
    page = other_pages(vue)
    make = page.page.evaluate(THREE_NODES, int(vue))
    page.settle()
    page.command("Comfy.Canvas.FitView")
    expect(page.page.locator(".nb-price")).to_contain_text("free")
    entry = page.queue()
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    expect(page.page.locator(".nb-notes", has_text="Nothing was spent")).to_be_visible()
    page.shoot(f"{which.name}-after-a-run")
    page.page.evaluate(
        """([node, text]) => window.app.api.socket.dispatchEvent(new MessageEvent("message", { data: JSON.stringify({
            type: "nano_banana.stopped", data: { node, text, on_the_way: 0 } }) }))""",
        [make, "One picture is on its way"],
    )
    expect(page.page.locator(".nb-notes", has_text="One picture is on its way")).to_be_visible()
    assert page.complaints == []


def test_the_search_for_nodes_shows_ours_without_scrolling(
    other_pages: Callable[[bool], Any], which: OtherHost
) -> None:
    page = other_pages(False)
    page.command("Workspace.SearchBox.Toggle")
    field = page.page.locator("input:focus")
    for words in SEARCHED:
        field.fill(words)
        for name in ("Nano Banana Generate (your key)", "Nano Banana Edit (your key)"):
            expect(page.page.get_by_text(name).first).to_be_in_viewport(ratio=1)
        page.shoot(f"{which.name}-search-{words.split()[0]}")
    field.press("Escape")
    expect(field).to_have_count(0)


def test_the_page_about_leads_to_the_pack(other_pages: Callable[[bool], Any]) -> None:
    page = other_pages(False)
    page.command("Comfy.ShowSettingsDialog")
    page.page.get_by_role("dialog").get_by_text("About", exact=True).first.click()
    address = re.search(r'^Repository = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert address
    link = page.page.get_by_role("dialog").locator(f'a[href="{address[1]}"]')
    expect(link).to_be_visible()
    expect(link).to_contain_text("Nano Banana")
