"""Money on the canvas: the price before the run, what was spent after it, a new variation, other providers, the dry run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import BOTH_RENDERERS, example, price, prompted, send_json, text_to_image
from pack.tests.host.kit import provider_variables
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages


@BOTH_RENDERERS
def test_the_price_stands_on_the_node_and_follows_its_widgets(
    pages: Callable[[bool], Any], doubles: Any, vue: bool
) -> None:
    """What `auto` will be, how many, each for how much; after the run what was spent; then that it is stored."""
    page = pages(vue)
    prompt = f"A boat, priced {'in Nodes 2.0' if vue else 'classically'}"
    page.load(prompted(text_to_image("onerouter"), prompt, resolution="auto", num_images=2))
    expect(price(page)).to_have_text("1K · 2 × $0.08")
    page.choose("NanoBananaGenerate", "resolution", "2K")
    expect(price(page)).to_have_text("2K · 2 × price not known")
    page.choose("NanoBananaGenerate", "resolution", "1K")
    expect(price(page)).to_have_text("1K · 2 × $0.08")
    assert doubles.request_log(prompt=prompt)["requests"] == []
    page.queue()
    expect(page.page.get_by_text("Spent $0.16 (price list)")).to_be_visible()
    expect(price(page)).to_have_text("stored · free")
    page.shoot("spent-and-stored")
    page.choose("NanoBananaGenerate", "num_images", 3)
    expect(price(page)).to_have_text("1K · $0.08 · 2 stored")
    page.choose("ProviderConfig", "provider", "offline")
    expect(price(page)).to_have_text("1K · free")
    assert page.complaints == []


def test_a_new_variation_is_a_new_seed_and_a_run(pages: Callable[[bool], Any], doubles: Any) -> None:
    """Queueing again with the seed as it is would give the stored picture."""
    page = pages(False)
    prompt = "A kite in a storm, for variations"
    page.load(prompted(text_to_image("onerouter"), prompt))
    page.queue()
    page.queue()
    assert doubles.request_log(prompt=prompt)["paid_images"] == 1
    page.queue(press=page.page.get_by_role("button", name="New variation").click)
    assert doubles.request_log(prompt=prompt)["paid_images"] == 2
    assert page.widget("NanoBananaGenerate", "seed")["value"] != 0


def test_the_price_is_asked_for_the_values_that_a_run_sends(canvas: Callable[..., Any]) -> None:
    """What changes the seed after a run is a widget, but no value of the node."""
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), "A boat, as it is sent", resolution="1K"))
    expect(price(page)).to_have_text("1K · $0.08")
    with page.page.expect_request("**/nano_banana/estimate") as asked:
        page.choose("NanoBananaGenerate", "num_images", 2)
    sent = {node["class_type"]: sorted(node["inputs"]) for node in page.prompt().values()}
    nodes = asked.value.post_data_json["prompt"].values()
    assert {node["class_type"]: sorted(node["inputs"]) for node in nodes}.items() <= sent.items()
    expect(price(page)).to_have_text("1K · 2 × $0.08")
    assert page.complaints == []


@pytest.mark.own_page
def test_a_price_that_is_overtaken_is_no_error(canvas: Callable[..., Any]) -> None:
    """A change while the answer about the last one is still coming in: on a slow line each key that is typed is one."""
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), "A boat, overtaken", resolution="1K"))
    expect(price(page)).to_have_text("1K · $0.08")
    page.page.evaluate(
        """() => {
            const json = Response.prototype.json;
            window.answers = 0;
            Response.prototype.json = async function () {
                if (this.url.endsWith('/estimate') && (window.answers += 1) === 1)
                    await new Promise((go) => { window.go = go; });
                return json.call(this);
            };
        }"""
    )
    page.choose("NanoBananaGenerate", "num_images", 2)
    page.page.wait_for_function("() => window.go")
    page.choose("NanoBananaGenerate", "num_images", 3)
    page.page.wait_for_function("() => window.answers === 2")
    page.page.evaluate("() => window.go()")
    expect(price(page)).to_have_text("1K · 3 × $0.08")
    assert page.complaints == []


def test_the_same_request_is_priced_at_every_provider(pages: Callable[[bool], Any], doubles: Any) -> None:
    """And one of them is taken with a click."""
    page = pages(False)
    page.load(prompted(text_to_image("onerouter"), "A mill, priced everywhere", resolution="1K"))
    expect(price(page)).to_have_text("1K · $0.08")
    price(page).click()
    table = page.page.locator(".nb-picker table")
    keyed = [name for name in provider_variables(doubles) if name.endswith("_API_KEY")]
    expect(table.locator(".nb-usable tr")).to_have_count(len(keyed))
    expect(table.locator("tr.nb-chosen")).to_contain_text("OneRouter")
    balance = table.locator('[data-provider="runflow"] [role="status"]')
    balance.get_by_role("button", name="Balance at Runflow").press("Enter")
    expect(balance).to_have_text("Balance $100.00")
    expect(balance).to_be_focused()
    expect(table.locator('[data-provider="onerouter"] [role="status"]')).to_have_count(0)  # has no free route for it
    expect(page.page.locator(".nb-picker > .nb-dialog-body > p").first).to_have_text(
        re.compile("^OneRouter: Prices from ")
    )
    sources = page.page.locator(".nb-price-sources")
    sources.locator("summary").press("Enter")
    expect(sources.locator("li", has_text="Runflow · nano-banana-2: its model page, base price · 20")).to_be_visible()
    expect(sources.locator("li", has_text="fal ·").locator("div")).to_have_text(re.compile("^A dearer figure"))
    expect(sources.locator("summary")).to_have_text("Where the other prices are from")
    expect(sources).not_to_contain_text("Offline")
    page.shoot("prices")
    keyless = table.locator('[data-provider="kie"]')
    expect(keyless.get_by_role("link", name="Get a key ↗")).to_have_attribute("href", re.compile("^https://kie"))
    unpriced = table.locator('[data-provider="apiframe"] td')
    expect(unpriced.nth(3)).to_have_text("counts as $0.30")
    expect(unpriced.nth(4)).to_have_text("counts as $0.30")
    expect(page.page.locator(".nb-picker .nb-dialog-body")).to_contain_text("what goes against your caps")
    table.get_by_role("combobox", name="Model at Runflow").select_option("nano-banana-pro")
    expect(table.locator('[data-provider="runflow"]')).to_contain_text("$0.15")
    table.get_by_role("button", name="Use Runflow").click()
    expect(page.page.locator(".nb-dialog")).to_have_count(0)
    assert page.widget("ProviderConfig", "provider")["value"] == "runflow"
    assert page.widget("ProviderConfig", "model")["value"] == "nano-banana-pro"
    expect(page.page.locator(".nb-who").first).to_have_text("Runflow · nano-banana-pro")
    page.page.locator(".nb-who").first.click()
    expect(balance).to_have_text("Balance $100.00")  # it is known for some minutes
    page.page.keyboard.press("Escape")
    expect(page.page.get_by_role("button", name="New variation · $0.15")).to_be_visible()


def test_the_providers_are_asked_for_once_at_the_start(canvas: Callable[..., Any]) -> None:
    """Also where a graph that was open last is there again, whose prices need them."""
    page = canvas()
    page.load(text_to_image("onerouter"))
    expect(price(page)).to_contain_text("$")
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    page.open()
    expect(price(page)).to_contain_text("$")
    assert sum(url.endswith("/nano_banana/providers") for url in asked) == 1


def test_a_stored_picture_is_free_among_the_prices_too(canvas: Callable[..., Any]) -> None:
    """The run at the chosen provider costs nothing again; at another it would cost what it says."""
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), "A mill, stored and priced", resolution="1K"))
    page.queue()
    expect(price(page)).to_contain_text("free")
    price(page).click()
    chosen = page.page.locator(".nb-picker tr.nb-chosen td")
    expect(chosen.nth(3)).to_have_text("$0.08")
    expect(chosen.nth(4)).to_have_text("free")
    source = page.page.locator(".nb-picker").get_by_text("Prices from")
    expect(source).to_be_visible()
    page.shoot("stored-prices")
    page.page.keyboard.press("Escape")
    page.load(text_to_image("offline"))
    expect(page.page.locator(".nb-who").first).to_contain_text("Offline")
    price(page).click()
    expect(chosen.first).to_contain_text("Offline")
    expect(source).to_have_count(0)
    assert page.complaints == []


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_an_order_and_an_own_price_are_named_in_the_picker(canvas: Callable[..., Any], host: Host, locale: str) -> None:
    """A provider that takes orders has both prices; a price that a person has entered is called so in the page's language."""
    page = canvas(locale=locale)
    send_json(host, "/providers/onerouter", {"models": {"banana-mine": {"wire": "mine", "price": 0.05}}})
    workflow = prompted(text_to_image("onerouter"), "A mill by tomorrow", resolution="1K")
    next(node for node in workflow["nodes"] if node["type"] == "ProviderConfig")["widgets_values"][1] = "banana-mine"
    page.load(workflow)
    expect(price(page)).to_have_text("1K · $0.05")
    price(page).click()
    picker = page.page.locator(".nb-picker")
    order = picker.locator('[data-provider="google"] td').nth(3)
    expect(order).to_have_text(re.compile(r"^\$0\.\d+ · (batch|半价) \$0\.\d+$"))
    at_once, ordered = (float(each) for each in re.findall(r"\$([\d.]+)", order.inner_text()))
    assert ordered == pytest.approx(at_once / 2, abs=0.001)
    expect(picker.locator('[data-provider="runflow"] td').nth(3)).to_have_text(re.compile(r"^\$[\d.]+$"))
    expect(picker.locator("p").first).to_contain_text(
        {"en": "Prices from the settings", "zh": "设置中填写的价格"}[locale]
    )
    page.shoot("order-price")
    send_json(host, "/providers/onerouter", {"models": {"banana-mine": None}})
    assert page.complaints == []


def test_a_dry_run_says_everything_and_sends_nothing(pages: Callable[[bool], Any], doubles: Any) -> None:
    """An edit with a loaded picture: who, how much, the references in order, the request without key and pixels."""
    page = pages(False)
    workflow = example("several_references")
    page.load(workflow)
    before = len(doubles.request_log()["requests"])
    page.command("NanoBanana.DryRun")
    dialog = page.page.locator(".nb-dialog")
    expect(dialog.locator(".nb-report").first).to_be_visible()
    expect(dialog.locator(".nb-references li").first).to_have_text("image_1 ← Picture 1 'example.png' 768×768")
    for summary in dialog.locator("summary").all():
        summary.click()
    request = dialog.locator("pre").first.inner_text()
    assert request.startswith("POST http") and "***" in request and "sim-test" not in request
    assert "<picture 1:" in dialog.locator(".nb-report").filter(has_text="image_2").locator("pre").first.inner_text()
    page.shoot("dry-run")
    assert len(doubles.request_log()["requests"]) == before
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_what_the_pack_adds_is_neither_saved_nor_sent(pages: Callable[[bool], Any]) -> None:
    """The footer below the widgets is no widget of the workflow: old hosts and the nodes' own order don't see it."""
    page = pages(False)
    page.load(example("text_to_image"))
    expect(price(page)).to_be_visible()
    workflow, prompt = page.workflow(), page.prompt()
    for node in workflow["nodes"]:
        if node["type"] == "NanoBananaGenerate":
            assert len(node["widgets_values"]) == 17, "16 widgets and the seed's control"
    assert "nano_banana_footer" not in json.dumps(workflow)
    assert all("nano_banana" not in node["inputs"] for node in prompt.values())


@pytest.mark.long
@BOTH_RENDERERS
@pytest.mark.own_page
def test_the_nodes_work_with_the_extension_blocked(canvas: Callable[..., Any], vue: bool) -> None:
    """Nothing of ours in the browser: the same graph loads and runs."""
    page = canvas(vue=vue)
    page.page.route("**/extensions/**/nano_banana.js", lambda route: route.abort())
    page.open()
    page.load(prompted(text_to_image("offline"), "Without the extension"))
    assert page.page.locator(".nb-price").count() == 0
    assert page.queue()["status"]["status_str"] == "success"


@BOTH_RENDERERS
def test_a_node_stays_as_large_as_it_was_saved(pages: Callable[[bool], Any], vue: bool) -> None:
    """What is below the widgets comes again with each load; its room must not be added again each time."""
    sizes = "() => window.app.graph.nodes.map((node) => [...node.size].map(Math.round).join())"
    page = pages(vue)
    page.load(text_to_image("nextyear"))
    expect(page.page.locator(".nb-note")).to_have_count(2)
    page.page.evaluate("async () => { await document.fonts.ready }")  # a text of another font has other lines
    page.settle()
    first = page.page.evaluate(sizes)
    for _ in range(2):
        page.load(page.workflow())
        expect(page.page.locator(".nb-note")).to_have_count(2)
        page.page.wait_for_function(f"(first) => ({sizes})().join(' ') === first", arg=" ".join(first), timeout=120_000)
    assert page.complaints == []


@pytest.mark.long
@BOTH_RENDERERS
def test_the_canvas_is_zoomed_and_queued_over_the_buttons(canvas: Callable[..., Any], vue: bool) -> None:
    """The footer is a part of the node: the wheel zooms over it, and a shortcut works after one of its buttons was pressed."""
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("offline"), f"A lark, {page.look}"))
    expect(price(page)).to_have_text("1K · free")
    before = page.page.evaluate("() => window.app.canvas.ds.scale")
    price(page).hover()
    page.page.mouse.wheel(0, -240)
    page.page.wait_for_function("(before) => window.app.canvas.ds.scale > before", arg=before)
    page.queue(press=page.page.get_by_role("button", name="New variation").click)
    page.queue(press=lambda: page.page.keyboard.press("Control+Enter"))
    assert page.complaints == []


def test_a_free_run_says_that_nothing_was_spent(pages: Callable[[bool], Any]) -> None:
    page = pages(False)
    page.load(prompted(text_to_image("offline"), "A boat, for nothing"))
    page.queue()
    expect(page.page.locator(".nb-note").filter(has_text="Nothing was spent · 1K")).to_be_visible()


@pytest.mark.long
@pytest.mark.own_page
def test_a_page_that_came_up_unanswered_asks_again(canvas: Callable[..., Any]) -> None:
    """Who is here is asked for with the next price: without it a node offers everything and knows nobody."""
    page = canvas()
    page.page.route("**/nano_banana/providers", lambda route: route.fulfill(status=503, body=""))
    page.open()
    page.load(text_to_image("onerouter"))
    expect(price(page)).to_have_text("1K · $0.08")
    assert page.page.locator(".nb-note").count() == 0
    page.page.unroute("**/nano_banana/providers")
    page.choose("NanoBananaGenerate", "num_images", 2)
    expect(page.page.locator(".nb-note")).to_have_text("Key from NANO_BANANA_ONEROUTER_API_KEY")


def test_a_server_that_is_silent_is_said_so(canvas: Callable[..., Any]) -> None:
    """The price isn't known and says why; a click that comes to nothing is answered."""
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), "A boat, unanswered"))
    expect(price(page)).to_have_text("1K · $0.08")
    page.page.route("**/nano_banana/**", lambda route: route.abort())
    page.choose("NanoBananaGenerate", "num_images", 2)
    expect(price(page)).to_have_text("price not known")
    expect(price(page)).to_have_attribute("title", "ComfyUI does not answer.")
    price(page).click()
    expect(page.page.locator(".p-toast-message")).to_contain_text("ComfyUI does not answer.")
    page.page.unroute("**/nano_banana/**")
    page.choose("NanoBananaGenerate", "num_images", 3)
    expect(price(page)).to_have_text("1K · 3 × $0.08")
    assert not [each for each in page.complaints if "ERR_FAILED" not in each]
