"""The pack in Chinese, in the real frontend: nodes, buttons, settings, menu and help; a workflow is saved as in English."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import BOTH_RENDERERS, example, prompted, provider_card, send_json, text_to_image
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

ROOT = Path(__file__).resolve().parents[2]
CHINESE = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text("utf-8"))
TEXTS = json.loads((ROOT / "web" / "i18n" / "zh.json").read_text("utf-8"))
COMMANDS = json.loads((ROOT / "locales" / "zh" / "commands.json").read_text("utf-8"))
NODES = ("ProviderConfig", "NanoBananaGenerate", "NanoBananaEdit", "NanoBananaConversation")

NEW_NODES = """(types) => {
    window.app.graph.clear();
    types.forEach((type, index) => {
        const node = window.LiteGraph.createNode(type);
        window.app.graph.add(node);
        node.pos = [index * 500, 60];
    });
}"""
SHOWN = """() => window.app.graph.nodes.map((node) => ({
    type: node.type,
    title: node.title,
    inputs: Object.fromEntries(node.inputs.map((slot) => [
        slot.name, node.widgets.find((w) => w.name === slot.name)?.label || slot.label || slot.localized_name])),
    outputs: node.outputs.map((slot) => slot.label || slot.localized_name),
}))"""
REFERENCE_LABELS = """() => window.app.graph.nodes.filter((node) => node.type === 'NanoBananaEdit').map(
    (node) => node.inputs.filter((slot) => slot.name.startsWith('images.')).map((slot) => slot.label))"""
LINK_AND_COPY = """() => {
    const { graph } = window.app;
    const edit = graph.nodes.find((node) => node.type === 'NanoBananaEdit');
    const copy = edit.clone();
    graph.add(copy);
    const last = edit.inputs.findIndex((slot) => slot.name === 'images.image_4');
    graph.nodes.find((node) => node.type === 'LoadImage').connect(0, edit, last);
    edit.inputs[last].label = '参考';
}"""
SELECT = """(type) => {
    const canvas = window.app.canvas;
    canvas.deselectAll();
    canvas.select(window.app.graph.nodes.find((node) => node.type === type));
    canvas.onSelectionChange?.(canvas.selected_nodes);
}"""
# The menu opens its branches only once it has faded in: it is pointed at until it does.
POINTED_AT = """(name) => {
    const items = [...document.querySelectorAll('.comfy-command-menu [role=menuitem]')];
    const item = items.find((each) => each.getAttribute('aria-label') === name);
    item?.firstElementChild.dispatchEvent(new MouseEvent('mouseenter'));
    return item?.getAttribute('aria-expanded') === 'true';
}"""


def new_nodes(page: Any) -> None:
    """One of each of our nodes, side by side on an empty canvas."""
    page.page.evaluate(NEW_NODES, list(NODES))
    page.settle()
    page.command("Comfy.Canvas.FitView")
    page.settle()


def saved(page: Any) -> dict[str, Any]:
    """The nodes and links of the graph as they are saved, without the words that the frontend itself notes for display."""
    workflow = page.workflow()
    for node in workflow["nodes"]:
        for slot in [*node.get("inputs", []), *node.get("outputs", [])]:
            slot.pop("localized_name", None)
    return {"nodes": workflow["nodes"], "links": workflow["links"]}


def sent(page: Any) -> dict[str, Any]:
    """What the server runs; the title that the frontend notes beside each node is nobody's input."""
    return {key: {**node, "_meta": None} for key, node in page.prompt().items()}


def meant(name: str) -> dict[str, str]:
    """Input id -> Chinese name; the sockets of a growing input add the names that prompts and messages use."""
    found = {key: entry["name"] for key, entry in CHINESE[name]["inputs"].items() if "name" in entry}
    return found | (references(2) if name == "NanoBananaEdit" else {})


def references(count: int) -> dict[str, str]:
    return {f"images.image_{n}": f"图像 {n}（image_{n}）" for n in range(1, count + 1)}


@BOTH_RENDERERS
def test_nodes_are_chinese_and_saved_as_in_english(canvas: Callable[..., Any], vue: bool) -> None:
    """New nodes and an English example read Chinese; what goes into the file and to the server has no word of it."""
    kept = {}
    for locale in ("en", "zh"):
        page = canvas(vue=vue, locale=locale)
        page.load(example("masked_region"))
        loaded = saved(page), sent(page)
        new_nodes(page)
        new = saved(page)
        for node in new["nodes"]:
            del node["size"]  # a new node is as wide as its title
        kept[locale] = [*loaded, new]
    assert kept["zh"] == kept["en"]

    shown = {node["type"]: node for node in page.page.evaluate(SHOWN)}
    for name in NODES:
        assert shown[name]["title"] == CHINESE[name]["display_name"]
        assert shown[name]["inputs"] == meant(name)
        assert shown[name]["outputs"] == [entry["name"] for entry in CHINESE[name]["outputs"].values()]
    if vue:
        _drawn_in_chinese(page)
    page.shoot("words")
    assert page.complaints == []


def _drawn_in_chinese(page: Any) -> None:
    """Nodes 2.0 are HTML: each name is really there, and the tooltip of a socket is found by its Chinese name."""
    page.page.evaluate("() => window.app.extensionManager.setting.set('Comfy.Node.AlwaysShowAdvancedWidgets', true)")
    for name in NODES:
        node = page.page.locator(".lg-node").filter(has_text=CHINESE[name]["display_name"])
        for text in meant(name).values():
            # A text field shows its name as the field's label, everything else as text.
            node.get_by_text(text, exact=True).first.wait_for()
    edit = page.page.locator(".lg-node").filter(has_text=CHINESE["NanoBananaEdit"]["display_name"])
    edit.get_by_text(meant("NanoBananaEdit")["mask"], exact=True).first.hover()
    page.page.get_by_text(CHINESE["NanoBananaEdit"]["inputs"]["mask"]["tooltip"]).wait_for()


@BOTH_RENDERERS
def test_buttons_menu_and_settings_are_chinese(canvas: Callable[..., Any], vue: bool) -> None:
    page = canvas(vue=vue, locale="zh")
    new_nodes(page)
    expect(page.page.locator("button", has_text=TEXTS["variation.button"])).to_have_count(2)
    if not vue:  # Nodes 2.0 shows no placeholders
        for name in ("prompt", "system_prompt"):
            assert page.page.get_by_placeholder(TEXTS[f"placeholder.{name}"], exact=True).count() == 2
    page.page.get_by_role("button", name=TEXTS["keys.button"], exact=True).click()
    dialog = page.page.get_by_role("dialog", name=TEXTS["settings.title"])
    for title in ("providers.title", "spend.title", "storage.title"):
        dialog.get_by_role("heading", name=TEXTS[title], exact=True).wait_for()
    page.shoot("settings")
    dialog.get_by_role("button", name=TEXTS["close"]).click()
    page.page.locator(".comfy-menu-button-wrapper").click()
    for entry in ("Extensions", "Nano Banana"):
        page.page.wait_for_function(POINTED_AT, arg=entry)
    for command in (entry for name, entry in COMMANDS.items() if name.startswith("NanoBanana_")):
        page.page.get_by_role("menuitem", name=command["label"], exact=True).wait_for()
    page.shoot("menu")
    assert page.complaints == []


@pytest.mark.long
@BOTH_RENDERERS
def test_every_reference_socket_is_chinese_and_saved_as_in_english(canvas: Callable[..., Any], vue: bool) -> None:
    """Those of a saved graph, of a copy, and the one that comes with a link; a name that the user gave stays."""
    kept = {}
    for locale in ("en", "zh"):
        page = canvas(vue=vue, locale=locale)
        page.load(example("several_references"))
        shown = [page.page.evaluate(REFERENCE_LABELS)]
        page.page.evaluate(LINK_AND_COPY)
        page.settle()
        shown.append(page.page.evaluate(REFERENCE_LABELS))
        kept[locale] = saved(page)
    assert kept["zh"] == kept["en"]
    (loaded,), (original, copy) = shown
    assert loaded == copy == list(references(4).values())
    assert original == [*list(references(4).values())[:-1], "参考", "图像 5（image_5）"]
    assert page.complaints == []


@pytest.mark.own_page
def test_another_language_asks_for_a_reload(canvas: Callable[..., Any]) -> None:
    """The frontend changes its own words at once; the pack's are read when the page is loaded."""
    page = canvas()
    page.page.evaluate("() => window.app.extensionManager.setting.set('Comfy.Locale', 'zh')")
    expect(page.page.locator(".p-toast-message").filter(has_text=TEXTS["language.reload"])).to_be_visible()
    page.shoot("language")
    assert page.complaints == []


def test_help_is_shown_in_chinese(canvas: Callable[..., Any]) -> None:
    page = canvas(locale="zh")
    new_nodes(page)
    for index, name in enumerate(NODES):
        page.page.evaluate(SELECT, name)
        if index == 0:
            page.page.get_by_test_id("info-button").click()
        page.page.get_by_role("heading", level=1, name=CHINESE[name]["display_name"]).wait_for()
    page.shoot("help")
    assert page.complaints == []


RECORD_PROGRESS = """() => {
    window.progress = [];
    for (const line of document.querySelectorAll('.nb-progress'))
        new MutationObserver(() => window.progress.push(line.textContent)).observe(line, { childList: true });
}"""


@BOTH_RENDERERS
def test_what_python_says_is_chinese(canvas: Callable[..., Any], bare_host: Host, vue: bool) -> None:
    """How far a run is, its notice and its error on the node, and the answer to a test of a key; `info` stays English."""
    page = canvas(vue=vue, locale="zh")
    page.load(prompted(text_to_image("apiframe"), f"一只燕子 {page.look}", seed=7))
    page.page.evaluate(RECORD_PROGRESS)
    entry = page.queue()
    shown = page.page.locator(".nb-footer")
    notice = shown.get_by_text("种子没有发送：APIFRAME (v1) 的 nano-banana-pro 不接受种子；换一个种子仍算新的请求")
    expect(notice).to_be_visible()
    progress = page.page.evaluate("() => window.progress")
    assert progress and all(re.match(r"已返回 [01] / 1 · .* 秒", text) for text in progress), progress
    page.shoot("notice")
    (info,) = next(each["nano_banana"] for each in entry["outputs"].values() if "nano_banana" in each)
    assert "The seed was not sent: APIFRAME (v1) takes none" in json.dumps(json.loads(info)["notices"])

    page.choose("NanoBananaGenerate", "prompt", f"一只燕子 {page.look} [[sim: status=401]]")
    entry = page.queue()
    assert entry["status"]["status_str"] == "error"
    expect(shown.get_by_text("APIFRAME (v1) 拒绝了密钥").first).to_be_visible()
    page.shoot("error")

    settings = canvas(vue=vue, locale="zh", on=bare_host)
    settings.command("NanoBanana.Settings")
    card = provider_card(settings, "runflow")
    card.get_by_role("button", name=TEXTS["keys.add"]).click()
    settings.page.get_by_label(TEXTS["keys.field"].format(label="Runflow")).fill("wrong-key-1234567")
    settings.page.keyboard.press("Enter")
    message = card.get_by_text("Runflow 拒绝了这个密钥（HTTP 401）")
    expect(message).to_be_visible()
    settings.shoot("key-test")
    # It is kept with the key, and said in the page's language again.
    settings.open()
    settings.command("NanoBanana.Settings")
    expect(message).to_be_visible()
    send_json(bare_host, "/keys/runflow/default", None, "DELETE")
    assert settings.complaints == []
