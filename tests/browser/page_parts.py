"""Parts of browser tests: the graphs that they begin with, what is looked for on the page, and changes that others make."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from playwright.sync_api import Locator, expect

CANARY = "sim-canary-93e1f0c2d7"
LOST = "[[sim: drop=headers times=1]]"
"""In a prompt: the first answer never comes, and whether it was charged is not known."""
BOTH_RENDERERS = pytest.mark.parametrize("vue", [False, True], ids=["classic", "nodes2"])
OPEN_SUBGRAPH = """() => {
    const holder = window.app.rootGraph.nodes.find((node) => node.subgraph);
    window.app.canvas.openSubgraph(holder.subgraph, holder);
}"""
CAPTURE = "() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState()"
COLOURS = r"""
    const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const read = (colour) => {
        pixel.clearRect(0, 0, 1, 1);
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        return [...pixel.getImageData(0, 0, 1, 1).data];
    };
    const over = (top, below) => [0, 1, 2].map((i) => (top[i] * top[3] + below[i] * (255 - top[3])) / 255);
    const light = (colour) => {
        const [r, g, b] = colour.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const layers = [];
        for (let each = element; each; each = each.parentElement) {
            const colour = read(getComputedStyle(each).backgroundColor);
            if (colour[3]) layers.push(colour);
            if (colour[3] === 255) break;
        }
        // The classic canvas draws the node below its elements.
        const node = getComputedStyle(document.body).getPropertyValue('--comfy-menu-bg') || '#353535';
        return layers.reverse().reduce((below, top) => over(top, below), read(node).slice(0, 3));
    };
    const contrast = (colour, below) => {
        const pair = [light(over(read(colour), below)), light(below)];
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    };
"""
"""How well a colour is told from the ground of an element, for scripts of the page."""
TOO_WEAK = (
    f"() => {{{COLOURS}"
    + r"""
    const weak = [];
    const measure = (element, colour, text) => {
        const found = contrast(colour, ground(element));
        if (found < 4.5) weak.push(`${found.toFixed(2)} ${element.className} ${text}`);
    };
    let count = 0;
    for (const root of document.querySelectorAll('.nb-footer, .nb-dialog, .nb-results')) {
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const element = texts.currentNode.parentElement;
            if (!texts.currentNode.textContent.trim() || !element.checkVisibility()) continue;
            measure(element, getComputedStyle(element).color, texts.currentNode.textContent);
            count += 1;
        }
        for (const field of root.querySelectorAll('input:placeholder-shown[placeholder]'))
            measure(field, getComputedStyle(field, '::placeholder').color, field.placeholder);
    }
    return [count, weak];
}"""
)


def example(name: str) -> dict[str, Any]:
    """A graph that tests of the page build on: it stays when the examples change."""
    found: dict[str, Any] = json.loads((Path(__file__).with_name("graphs") / f"{name}.json").read_text("utf-8"))
    return found


def text_to_image(provider: str) -> dict[str, Any]:
    workflow = example("text_to_image")
    for node in workflow["nodes"]:
        if node["type"] == "ProviderConfig":
            node["widgets_values"][0] = provider
    return workflow


def prompted(workflow: dict[str, Any], prompt: str, **values: Any) -> dict[str, Any]:
    """The workflow with another prompt in its Generate node: widgets are named in the order of the contract."""
    order = ["prompt", "aspect_ratio", "resolution", "num_images", "seed"]
    for node in workflow["nodes"]:
        if node["type"] == "NanoBananaGenerate":
            for name, value in {"prompt": prompt, **values}.items():
                node["widgets_values"][order.index(name)] = value
    return workflow


def price(page: Any) -> Any:
    return page.page.locator(".nb-price").first


def run(page: Any, script: str, argument: Any = None) -> Any:
    found = page.page.evaluate(script, argument)
    page.settle()
    page.settle()
    return found


def provider_card(page: Any, name: str) -> Any:
    return page.page.locator(f'.nb-dialog [data-provider="{name}"]')


def toast(page: Any, title: str) -> Locator:
    found: Locator = page.page.locator(".p-toast-message").filter(has_text=title)
    return found


def note(page: Any) -> Locator:
    """What is below the widgets of the node that makes pictures."""
    found: Locator = page.page.locator(".nb-footer", has=page.page.locator(".nb-price")).locator(".nb-note")
    return found


def open_panel(page: Any, name: str = "Nano Banana: paid pictures") -> Locator:
    """Presses the sidebar's button, twice where the panel is open, and chooses the list; its rows."""
    button = page.page.get_by_role("button", name=name)
    if page.page.locator(".nb-results").count():
        button.click()
        expect(page.page.locator(".nb-results")).to_have_count(0)
    button.click()
    page.page.locator(".nb-views .pi-list").click()
    rows: Locator = page.page.locator(".nb-result")
    return rows


def row(page: Any, prompt: str) -> Locator:
    found: Locator = page.page.locator(".nb-result").filter(has_text=prompt)
    return found


def bytes_of(host: Host, uid: str) -> bytes:
    with urllib.request.urlopen(f"{host.url}/nano_banana/results/{uid}/image") as answer:
        data: bytes = answer.read()
        return data


def send_json(host: Host, path: str, value: Any, method: str = "PUT") -> Any:
    """A change by another hand than the page's."""
    body = None if method == "DELETE" else json.dumps(value).encode()
    headers = {"Content-Type": "application/json"} if body else {}
    request = urllib.request.Request(f"{host.url}/nano_banana{path}", body, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


@contextmanager
def entered(host: Host, provider: str, base_url: str, profile: str = "default") -> Iterator[None]:
    """A provider has a key and another address, as entered in the settings, until the end of the block."""
    send_json(host, f"/providers/{provider}", {"base_url": base_url})
    send_json(host, f"/keys/{provider}/{profile}", {"key": "sim-entered"})
    yield
    send_json(host, f"/keys/{provider}/{profile}", {}, "DELETE")
    send_json(host, f"/providers/{provider}", {"base_url": None})


def in_doubt(host: Host) -> float:
    """Dollars of today that only may have been charged."""
    return float(host.get("/nano_banana/spend")["today"]["usd_in_doubt"])


def weak(page: Any, least: int) -> list[str]:
    """The texts that are too weak, of at least so many."""
    count, found = page.page.evaluate(TOO_WEAK)
    assert count >= least
    return list(found)
