"""Widgets in the real frontend: a node offers what its provider and model can do, and says why something isn't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pack.tests.browser.page_parts import BOTH_RENDERERS, CAPTURE, example, text_to_image
from playwright.sync_api import expect

OFFERED = """([kind, name, value]) => {
    const node = window.app.graph.nodes.find((n) => n.type === kind);
    return node.widgets.find((w) => w.name === name).options.values.includes(value);
}"""
THROUGH_A_REROUTE = """() => {
    const graph = window.app.graph;
    const config = graph.nodes.find((n) => n.type === 'ProviderConfig');
    const maker = graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    const reroute = window.LiteGraph.createNode('Reroute');
    graph.add(reroute);
    reroute.pos = [config.pos[0] + 300, config.pos[1] - 80];
    config.connect(0, reroute, 0);
    reroute.connect(0, maker, maker.inputs.findIndex((i) => i.name === 'provider'));
}"""
INTO_A_SUBGRAPH = """() => {
    const graph = window.app.graph;
    const maker = graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    graph.convertToSubgraph(new Set([maker]));
}"""
INSIDE = """(name) => {
    const holder = window.app.graph.nodes.find((n) => n.subgraph);
    const maker = holder.subgraph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    return maker.widgets.find((w) => w.name === name).options.values;
}"""

HEIGHT_AFTER_UNDO = """async () => {
    const { app } = window;
    const { draw } = app.canvas;
    app.canvas.draw = () => {};
    await app.extensionManager.workflow.activeWorkflow.changeTracker.undo();
    for (let frame = 0; frame < 3; frame++) await new Promise((done) => requestAnimationFrame(done));
    app.canvas.draw = draw;
    app.canvas.draw(true, true);
    const isConfig = ({ type }) => type === 'ProviderConfig';
    return [app.graph.serialize().nodes.find(isConfig).size[1], app.graph.nodes.find(isConfig).size[1]];
}"""
"""Heights of the provider's node after an undo: saved, and on the canvas. Its note is measured before the node is drawn."""


def offers(page: Any, name: str, value: str, *, not_: bool = False, kind: str = "NanoBananaGenerate") -> None:
    """Waits until a widget offers a value, or doesn't any more."""
    page.page.wait_for_function(f"(given) => {'!' if not_ else ''}({OFFERED})(given)", arg=[kind, name, value])


@BOTH_RENDERERS
def test_another_provider_offers_other_things(pages: Callable[[bool], Any], vue: bool) -> None:
    """Ratios, resolutions and options follow the provider and the model, and come back."""
    page = pages(vue)
    page.load(text_to_image("onerouter"))
    offers(page, "aspect_ratio", "1:8", not_=True)
    offers(page, "resolution", "4K")
    offers(page, "thinking", "high", not_=True)
    page.choose("ProviderConfig", "model", "nano-banana")
    offers(page, "resolution", "4K", not_=True)
    assert page.widget("NanoBananaGenerate", "resolution")["values"] == ["auto", "1K"]
    page.choose("ProviderConfig", "provider", "offline")
    page.choose("ProviderConfig", "model", "nano-banana-2")
    offers(page, "aspect_ratio", "1:8")
    offers(page, "thinking", "high")
    assert page.widget("ProviderConfig", "model")["values"][0] == "recommended"
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_saved_value_that_isn_t_possible_stays_and_says_why(pages: Callable[[bool], Any], vue: bool) -> None:
    page = pages(vue)
    page.load(text_to_image("onerouter"))
    page.choose("NanoBananaGenerate", "resolution", "4K")
    page.choose("ProviderConfig", "model", "nano-banana")
    expect(page.page.get_by_text("nano-banana at OneRouter can't make 4K pictures")).to_be_visible()
    assert page.widget("NanoBananaGenerate", "resolution")["value"] == "4K"
    page.shoot("impossible-value")
    assert page.prompt()["2" if "2" in page.prompt() else next(iter(page.prompt()))] is not None
    page.choose("NanoBananaGenerate", "resolution", "1K")
    expect(page.page.get_by_text("can't make 4K pictures")).to_have_count(0)


def test_a_change_of_provider_keeps_the_kind_of_model(pages: Callable[[bool], Any]) -> None:
    """The same name may mean another model elsewhere: what counts is the family."""
    page = pages(False)
    page.load(text_to_image("onerouter"))
    page.choose("ProviderConfig", "model", "nano-banana-pro")
    offers(page, "model", "nano-banana-pro", kind="ProviderConfig")
    page.choose("ProviderConfig", "provider", "nanobanana")
    assert page.widget("ProviderConfig", "model")["value"] == "nano-banana-2", "its nano-banana-2 is of the Pro family"
    page.choose("ProviderConfig", "provider", "runflow")
    assert page.widget("ProviderConfig", "model")["value"] == "nano-banana-pro"


def test_the_provider_is_found_through_a_reroute_and_out_of_a_subgraph(pages: Callable[[bool], Any]) -> None:
    page = pages(False)
    page.load(text_to_image("offline"))
    offers(page, "aspect_ratio", "1:8")
    page.page.evaluate(THROUGH_A_REROUTE)
    page.choose("ProviderConfig", "provider", "onerouter")
    offers(page, "aspect_ratio", "1:8", not_=True)
    page.choose("ProviderConfig", "provider", "offline")
    offers(page, "aspect_ratio", "1:8")
    page.page.evaluate(INTO_A_SUBGRAPH)
    page.choose("ProviderConfig", "provider", "onerouter")
    page.page.wait_for_function(f"() => !({INSIDE})('aspect_ratio').includes('1:8')")
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_stranger_s_provider_becomes_mine_in_one_click(pages: Callable[[bool], Any], vue: bool) -> None:
    """The graph names a provider that isn't here; the kind of model is kept, and it runs."""
    workflow = text_to_image("nextyear")
    for node in workflow["nodes"]:
        if node["type"] == "ProviderConfig":
            node["widgets_values"][1] = "nano-banana-pro"
    page = pages(vue)
    page.load(workflow)
    expect(page.page.get_by_text("The provider nextyear is not known on this machine.")).to_be_visible()
    page.shoot("unknown-provider-on-node")
    page.page.get_by_role("button", name="Use my provider").first.click()
    expect(page.page.get_by_text("Tried in this order: OneRouter")).to_be_visible()
    assert page.widget("ProviderConfig", "provider")["value"] == "auto"
    assert page.widget("ProviderConfig", "model")["value"] == "nano-banana-pro"
    assert page.queue()["status"]["status_str"] == "success"


def test_an_unconnected_node_without_keys_is_led_to_the_free_way(canvas: Callable[..., Any], bare_host: Any) -> None:
    """A ProviderConfig set to offline appears beside it, connected, and the graph runs."""
    page = canvas(on=bare_host)
    workflow = example("text_to_image")
    page.load(workflow)
    page.page.evaluate("() => window.app.graph.remove(window.app.graph.nodes.find((n) => n.type === 'ProviderConfig'))")
    expect(page.page.locator(".nb-price")).to_have_text("no key yet")
    page.shoot("nothing-here-yet")
    page.page.get_by_role("button", name="Try it offline, free").first.click()
    expect(page.page.get_by_text("1K · free")).to_be_visible()
    assert page.queue()["status"]["status_str"] == "success"


def test_a_node_that_grows_after_an_undo_is_saved_as_it_was(canvas: Callable[..., Any]) -> None:
    """Else its height would be one more change, and what was undone could not come again."""
    page = canvas()
    page.load(text_to_image("nextyear"))
    page.page.get_by_role("button", name="Use my provider").first.wait_for()
    page.page.evaluate(CAPTURE)
    page.choose("ProviderConfig", "provider", "auto")
    page.page.evaluate(CAPTURE)
    saved, drawn = page.page.evaluate(HEIGHT_AFTER_UNDO)
    assert saved == 200 < drawn


def test_a_button_s_change_is_one_step_of_undo(canvas: Callable[..., Any]) -> None:
    """Ctrl+Z takes the provider back and nothing else; Ctrl+Y brings it again."""
    page = canvas()
    page.load(text_to_image("nextyear"))
    page.choose("NanoBananaGenerate", "num_images", 3)
    use_mine = page.page.get_by_role("button", name="Use my provider").first
    use_mine.wait_for()
    page.page.evaluate(CAPTURE)
    use_mine.click()
    provider = "() => window.app.graph.nodes.find((n) => n.type === 'ProviderConfig')?.widgets[0].value"
    for keys, name in (("", "auto"), ("Control+z", "nextyear"), ("Control+y", "auto")):
        if keys:
            page.page.keyboard.press(keys)
        page.page.wait_for_function(f"(name) => ({provider})() === name", arg=name)
        assert page.widget("NanoBananaGenerate", "num_images")["value"] == 3
    assert page.complaints == []
