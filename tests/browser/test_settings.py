"""Keys and settings in the real frontend: from the message on a node to a picture, and nothing of a key left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import BOTH_RENDERERS, CANARY, provider_card, send_json, text_to_image
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

LEFT_BEHIND = """async () => {
    const requests = performance.getEntriesByType('resource').map((entry) => entry.name).join(' ');
    const settings = await (await fetch('/settings')).text();
    const undo = JSON.stringify(window.app.extensionManager.workflow?.activeWorkflow?.changeTracker?.undoQueue ?? []);
    const fields = [...document.querySelectorAll('input, textarea')].map((each) => each.value).join(' ');
    const kept = JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage });
    return [requests, settings, undo, fields, kept, document.documentElement.outerHTML,
        JSON.stringify(window.app.graph.serialize()), JSON.stringify((await window.app.graphToPrompt()).output)].join(' ');
}"""


@pytest.fixture
def settings(canvas: Callable[..., Any], bare_host: Host) -> Any:
    """The settings dialog of a machine without keys."""
    page = canvas(on=bare_host)
    page.command("NanoBanana.Settings")
    provider_card(page, "onerouter").wait_for()
    return page


@BOTH_RENDERERS
def test_a_first_time_user_gets_from_the_node_to_a_picture(
    canvas: Callable[..., Any], bare_host: Host, doubles: Any, vue: bool
) -> None:
    """The node says what is missing, one click leads to the field, and the key is used and nowhere to be found."""
    page = canvas(vue=vue, on=bare_host)
    page.load(text_to_image("onerouter"))
    page.choose("NanoBananaGenerate", "prompt", f"The first picture, {page.look}")
    expect(page.page.get_by_text("There is no key for OneRouter on this machine.", exact=True)).to_be_visible()
    page.shoot("no-key")
    page.choose("ProviderConfig", "provider", "offline")
    offline = page.page.locator(".nb-note", has_text="A free simulation on this machine")
    expect(offline.get_by_role("button")).to_have_text(["Add a key", "Where do I get a key?"])
    page.choose("ProviderConfig", "provider", "onerouter")
    expect(offline).to_have_count(0)
    page.page.get_by_role("button", name="Add a key").first.click()
    field = page.page.get_by_label("Key for OneRouter")
    expect(field).to_be_focused()
    another = provider_card(page, "onerouter").get_by_role("button", name="Another key…")
    expect(another).to_have_count(0)
    field.fill(f"  Bearer {CANARY} ")
    field.press("Enter")
    card = provider_card(page, "onerouter")
    expect(card.get_by_text("key stored")).to_be_visible()
    expect(card.get_by_text("did not refuse the key")).to_be_visible()
    expect(another).to_be_visible()
    page.shoot("key-stored")
    page.page.keyboard.press("Escape")
    expect(page.page.locator(".nb-dialog")).to_have_count(0)
    expect(page.page.get_by_text("Key stored on this machine (default)")).to_be_visible()
    entry = page.queue()
    assert entry["status"]["status_str"] == "success", entry["status"]
    expect(page.page.get_by_text("Spent $0.08 (price list)")).to_be_visible()
    assert CANARY not in page.page.evaluate(LEFT_BEHIND)
    assert CANARY not in json.dumps(bare_host.get("/history")) + json.dumps(bare_host.get("/nano_banana/providers"))
    assert page.complaints == []
    send_json(bare_host, "/keys/onerouter/default", None, "DELETE")
    send_json(bare_host, "/results?all=yes", None, "DELETE")


def test_a_wrong_key_is_told_at_once(settings: Any, bare_host: Host) -> None:
    card = provider_card(settings, "runflow")
    card.get_by_role("button", name="Add key").click()
    settings.page.get_by_label("Key for Runflow").fill("wrong-key-1234567")
    settings.page.keyboard.press("Enter")
    expect(card.get_by_text("Runflow refuses the key (HTTP 401)")).to_be_visible()
    expect(card.get_by_text("key refused")).to_be_visible()
    said, rare = (each.bounding_box() for each in (card.get_by_role("status"), card.get_by_role("link")))
    assert rare["y"] >= said["y"] + said["height"] - 1, "what is rarely needed is pushed aside by what is said"
    settings.shoot("key-refused")
    card.get_by_role("button", name="Delete key").click()
    settings.page.locator(".nb-narrow").get_by_role("button", name="Delete key").click()
    expect(card.get_by_text("no key")).to_be_visible()


@pytest.mark.own_page
def test_providers_with_a_key_come_first_and_the_balance_is_shown(
    canvas: Callable[..., Any], bare_host: Host, doubles: Any
) -> None:
    """The others are folded and nothing is red; the balance is asked for by a click, and comes with the providers after it."""
    for name in ("runflow", "nanobanana"):
        send_json(bare_host, f"/keys/{name}/default", {"key": CANARY})
    page = canvas(on=bare_host)
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    page.command("NanoBanana.Settings")
    card = provider_card(page, "runflow")
    expect(card).to_be_visible()
    folded = page.page.locator(".nb-more-providers")
    expect(folded.locator("summary")).to_have_text(re.compile(r"^More providers \(\d+\)$"))
    expect(provider_card(page, "fal")).to_be_hidden()
    expect(page.page.locator('.nb-dialog .nb-chip[data-tone="bad"], .nb-dialog .nb-bad:not(:empty)')).to_have_count(0)
    expect(card.locator(".nb-main")).to_have_text(["Test"])
    page.shoot("providers-folded")
    card.get_by_role("button", name="Balance").click()
    expect(card.get_by_text("Balance $100.00")).to_be_visible()
    expect(card.locator(".nb-main")).to_have_count(0)
    assert sum("by=day" in url for url in asked) == 1, (
        "a year of spending is asked for once, however often it is drawn again"
    )
    found = {each["id"]: each for each in bare_host.get("/nano_banana/providers")["providers"]}
    assert found["runflow"]["balance"]["amount"] == 100 and found["runflow"]["balance"]["unit"] == "USD"
    assert found["nanobanana"]["balance"] is None and not found["nanobanana"]["names_balance"]
    folded.locator("summary").click()
    expect(provider_card(page, "fal")).to_be_visible()
    expect(provider_card(page, "fal").locator(".nb-main")).to_have_text(["Add key"])
    page.shoot("providers-unfolded")
    for name in ("runflow", "nanobanana"):
        send_json(bare_host, f"/keys/{name}/default", None, "DELETE")
    assert page.complaints == []


def test_replacing_a_key_can_be_thought_over(settings: Any, bare_host: Host) -> None:
    """From a node: it says that a key is stored. Cancel leaves that as it is, and the focus where one was."""
    send_json(bare_host, "/keys/runflow/default", {"key": CANARY})
    settings.open()
    settings.load(text_to_image("runflow"))
    settings.page.get_by_role("button", name="Keys and settings").click()
    card = provider_card(settings, "runflow")
    expect(card.get_by_role("button", name="Replace key")).to_be_focused()
    expect(card.get_by_text("key stored")).to_be_visible()
    settings.shoot("key-is-stored")
    card.get_by_role("button", name="Replace key").click()
    settings.page.get_by_label("Key for Runflow").fill("half a ke")
    card.get_by_role("button", name="Cancel").click()
    expect(card.get_by_role("button", name="Replace key")).to_be_focused()
    expect(card.get_by_text("key stored")).to_be_visible()
    send_json(bare_host, "/keys/runflow/default", None, "DELETE")


def test_a_new_address_disables_the_key(settings: Any, bare_host: Host, doubles: Any) -> None:
    """And says so, where the key is."""
    send_json(bare_host, "/providers/reseller", reseller(doubles))
    send_json(bare_host, "/keys/reseller/default", {"key": CANARY})
    send_json(bare_host, "/providers/reseller", reseller(doubles) | {"base_url": "https://elsewhere.example.com"})
    settings.page.keyboard.press("Escape")
    expect(settings.page.locator(".nb-dialog")).to_have_count(0)
    settings.command("NanoBanana.Settings")
    card = provider_card(settings, "reseller")
    expect(card.get_by_text("was entered for another address")).to_be_visible()
    settings.shoot("key-disabled")
    send_json(bare_host, "/providers/reseller", None, "DELETE")


def reseller(doubles: Any) -> dict[str, Any]:
    address = doubles.base_url("nanobanana")
    return {"label": "My reseller", "dialect": "openai_images", "auth": "bearer", "base_url": address}


def test_a_provider_of_ones_own_is_added_and_used(settings: Any, bare_host: Host, doubles: Any) -> None:
    """Pasted with the endpoint and spaces; it can be chosen on the canvas at once and makes a picture."""
    page = settings.page
    page.get_by_role("button", name="Add a provider…").click()
    form = page.locator(".nb-dialog.nb-narrow")
    for field, text in (
        ("Name", "My reseller"),
        ("Address", f"  {doubles.base_url('nanobanana')}/v1/images/generations "),
    ):
        form.get_by_role("button", name="Save and test").click()
        expect(form.get_by_role("status")).to_have_text(f"Fill in: {field}.")
        expect(form.get_by_label(field)).to_be_focused()
        form.get_by_label(field).fill(text)
    form.get_by_label("Speaks").select_option("openai_images")
    form.get_by_label("Key", exact=True).fill("sim-own-key-1")
    settings.shoot("own-provider-form")
    form.get_by_role("button", name="Save and test").click()
    expect(provider_card(settings, "my_reseller").get_by_text("key stored")).to_be_visible()
    page.keyboard.press("Escape")
    settings.load(text_to_image("my_reseller"))
    expect(page.get_by_text("Key stored on this machine (default)")).to_be_visible()
    assert "my_reseller" in settings.widget("ProviderConfig", "provider")["values"]
    entry = settings.queue()
    assert entry["status"]["status_str"] == "success", entry["status"]
    send_json(bare_host, "/providers/my_reseller", None, "DELETE")


def test_editing_a_provider_keeps_what_is_not_touched(settings: Any, bare_host: Host, doubles: Any) -> None:
    """Its model's id above all: without it another model would be asked for."""
    send_json(bare_host, "/providers/reseller", reseller(doubles) | {"model": "nano-banana-2"})
    settings.page.keyboard.press("Escape")
    expect(settings.page.locator(".nb-dialog")).to_have_count(0)
    settings.command("NanoBanana.Settings")
    provider_card(settings, "reseller").get_by_role("button", name="Edit").click()
    form = settings.page.locator(".nb-dialog.nb-narrow")
    form.get_by_label("Name").fill("Renamed")
    form.get_by_role("button", name="Save and test").click()
    expect(provider_card(settings, "reseller").get_by_text("Renamed")).to_be_visible()
    (found,) = [each for each in bare_host.get("/nano_banana/providers")["providers"] if each["id"] == "reseller"]
    assert (found["model"], found["dialect"], found["auth"]) == ("nano-banana-2", "openai_images", "bearer")
    send_json(bare_host, "/providers/reseller", None, "DELETE")


def test_the_order_of_auto_is_moved_and_dragged(settings: Any, bare_host: Host) -> None:
    page = settings.page

    def order() -> list[str]:
        return [
            str(name)
            for name in page.locator(".nb-dialog .nb-provider").evaluate_all("all => all.map(e => e.dataset.provider)")
        ]

    before = order()
    page.get_by_role("button", name="Move Runflow up").click()
    expected = [*before]
    index = expected.index("runflow")
    expected[index - 1], expected[index] = expected[index], expected[index - 1]
    page.wait_for_function(
        "(e) => [...document.querySelectorAll('.nb-dialog .nb-provider')].map(p => p.dataset.provider).join() === e",
        arg=",".join(expected),
    )
    # Both in sight: a list that scrolls under a drag is the browser's own doing.
    provider_card(settings, expected[2]).drag_to(provider_card(settings, expected[0]))
    dragged = [expected[2], *expected[:2], *expected[3:]]
    page.wait_for_function(
        "(e) => [...document.querySelectorAll('.nb-dialog .nb-provider')].map(p => p.dataset.provider).join() === e",
        arg=",".join(dragged),
    )
    assert bare_host.get("/nano_banana/settings")["settings"]["order"]["value"] == dragged
    page.get_by_role("button", name="Cheapest first").click()
    page.wait_for_function(
        "(e) => [...document.querySelectorAll('.nb-dialog .nb-provider')].map(p => p.dataset.provider).join() !== e",
        arg=",".join(dragged),
    )
    send_json(bare_host, "/settings", {"order": None})


def test_the_order_is_changed_with_the_keyboard_alone(settings: Any, bare_host: Host) -> None:
    """The focus stays on the arrow that moves, so that a provider goes up several places with as many presses."""
    page = settings.page
    cards = page.locator(".nb-dialog .nb-provider")
    before = [card.get_attribute("data-provider") for card in cards.all()]
    index = before.index("fal")
    arrow = page.get_by_role("button", name="Move fal up")
    arrow.focus()
    for step in (1, 2):
        page.keyboard.press("Enter")
        expect(cards.nth(index - step)).to_have_attribute("data-provider", "fal")
        expect(arrow).to_be_focused()
    send_json(bare_host, "/settings", {"order": None})


def test_a_change_that_fails_says_so_beside_its_button(settings: Any) -> None:
    page = settings.page
    page.route("**/nano_banana/settings", lambda route: route.fulfill(status=500, body="<h1>no</h1>"))
    page.get_by_role("button", name="Cheapest first").click()
    expect(page.locator(".nb-settings [role=alert]").get_by_text("ComfyUI answered 500.")).to_be_visible()


def test_a_new_provider_never_takes_the_place_of_another(settings: Any, bare_host: Host, doubles: Any) -> None:
    """Names that make no id, or that of a built-in provider: each becomes a provider of its own."""
    page = settings.page
    names = ("我的中转商", "另一家", "Google mirror", "auto")
    for name in names:
        page.get_by_role("button", name="Add a provider…").click()
        form = page.locator(".nb-dialog.nb-narrow")
        form.get_by_label("Name").fill(name)
        form.get_by_label("Address").fill(doubles.base_url("nanobanana"))
        form.get_by_role("button", name="Save and test").click()
        expect(page.locator(".nb-dialog .nb-provider").get_by_text(name, exact=True)).to_be_visible()
    own = [each for each in bare_host.get("/nano_banana/providers")["providers"] if each["own"]]
    assert sorted(each["label"] for each in own) == sorted(names)
    for each in own:
        send_json(bare_host, f"/providers/{each['id']}", None, "DELETE")


def test_a_cap_that_is_in_the_way_leads_to_the_caps(canvas: Callable[..., Any], bare_host: Host) -> None:
    """Not to a key: nothing is wrong with it."""
    send_json(bare_host, "/keys/onerouter/default", {"key": CANARY})
    send_json(bare_host, "/settings", {"cap_run": "0.01"})
    page = canvas(on=bare_host)
    page.load(text_to_image("onerouter"))
    page.queue()
    note = page.page.locator(".nb-note").filter(has_text="your cap per run is $0.01")
    expect(note.get_by_role("button")).to_have_text(["Keys and settings", "Try it offline, free"])
    note.get_by_role("button", name="Keys and settings").click()
    expect(page.page.get_by_label("At most per run")).to_be_focused()
    send_json(bare_host, "/settings", {"cap_run": None})
    send_json(bare_host, "/keys/onerouter/default", None, "DELETE")


def test_caps_are_saved_and_nonsense_is_not(settings: Any, bare_host: Host) -> None:
    page = settings.page
    run = page.get_by_label("At most per run")
    run.fill("2.5")
    run.press("Tab")
    page.wait_for_function(
        "async () => (await (await fetch('/nano_banana/settings')).json()).settings.cap_run.value === '2.5'"
    )
    day = page.get_by_label("At most per day")
    day.fill("much")
    day.press("Tab")
    expect(page.get_by_text("The setting NANO_BANANA_CAP_DAY makes no sense")).to_be_visible()
    assert bare_host.get("/nano_banana/settings")["settings"]["cap_day"]["source"] == "default"
    page.get_by_label("When a workflow names a provider").select_option("substitute")
    page.wait_for_function(
        "async () => (await (await fetch('/nano_banana/settings')).json()).settings.missing_provider.value === 'substitute'"
    )
    send_json(bare_host, "/settings", {"cap_run": None, "missing_provider": None})


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_the_section_stands_in_the_frontend_s_own_settings(canvas: Callable[..., Any], light: bool) -> None:
    page = canvas(light=light)
    page.command("Comfy.ShowSettingsDialog")
    page.page.get_by_role("dialog").get_by_text("Nano Banana", exact=True).first.click()
    card = page.page.locator('.nb-settings [data-provider="onerouter"]')
    expect(card.get_by_text("OneRouter", exact=True)).to_be_visible()
    expect(page.page.get_by_text("Show drafts while a picture is awaited")).to_be_visible()
    page.shoot("settings-section")
    assert page.complaints == []


def test_a_variable_of_the_environment_is_shown_as_the_last_word(canvas: Callable[..., Any]) -> None:
    """It can't be changed here, and says where it can."""
    page = canvas()
    page.command("NanoBanana.Settings")
    expect(page.page.get_by_label("At most per day")).to_be_disabled()
    expect(page.page.get_by_text("NANO_BANANA_CAP_DAY; change it there")).to_be_visible()
    card = provider_card(page, "onerouter")
    expect(card.get_by_text("from NANO_BANANA_ONEROUTER_API_KEY")).to_be_visible()
    assert card.get_by_role("button", name="Delete key").count() == 0


@BOTH_RENDERERS
def test_a_model_is_added_to_a_built_in_provider_and_can_be_chosen(
    canvas: Callable[..., Any], bare_host: Host, doubles: Any, vue: bool
) -> None:
    """From the form to the picker, to the price on the node, to a picture that is asked for by its id; then away again."""
    send_json(bare_host, "/keys/onerouter/default", {"key": CANARY})
    page = canvas(vue=vue, on=bare_host)
    page.load(text_to_image("onerouter"))
    page.command("NanoBanana.Settings")
    card = provider_card(page, "onerouter")
    card.get_by_role("button", name="Add a model…").click()
    form = page.page.locator(".nb-dialog.nb-narrow")
    form.get_by_label("Name").fill("banana-next")
    form.get_by_label("Model id", exact=True).fill("google/nano-banana-pro-text-to-image")
    form.get_by_label("Model id for edits").fill("google/nano-banana-pro-image-to-image")
    form.get_by_label("Is like").select_option("nano-banana-pro")
    expect(form.get_by_label("Price per picture 4K")).to_be_visible()
    form.get_by_label("Price per picture 1K").fill("0,011")
    page.shoot("model-form")
    form.get_by_label("Price per picture 2K").fill("cheap")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("cheap is no price")).to_be_visible()
    form.get_by_label("Price per picture 2K").fill("")
    form.get_by_role("button", name="Save").click()
    expect(card.get_by_text("banana-next", exact=True)).to_be_visible()
    expect(card.get_by_text("1K $0.011")).to_be_visible()
    card.scroll_into_view_if_needed()
    page.shoot("model-added")
    page.page.keyboard.press("Escape")
    page.page.wait_for_function(
        "() => window.app.graph.nodes.find((n) => n.type === 'ProviderConfig').widgets"
        ".find((w) => w.name === 'model').options.values.includes('banana-next')"
    )
    page.choose("ProviderConfig", "model", "banana-next")
    page.choose("NanoBananaGenerate", "prompt", f"an added model, {page.look}")
    expect(page.page.get_by_text("$0.011").first).to_be_visible()
    entry = page.queue()
    assert entry["status"]["status_str"] == "success", entry["status"]
    (asked,) = doubles.request_log(f"an added model, {page.look}")["requests"]
    assert asked["fields"]["model"] == "google/nano-banana-pro-text-to-image"
    send_json(bare_host, "/providers/onerouter", {"models": {"banana-next": {"wire": "x", "like": "nano-banana-pro"}}})
    page.command("NanoBanana.Settings")
    expect(card.get_by_text("price not known, counts as $0.30")).to_be_visible()
    card.get_by_role("button", name="Edit the model banana-next").click()
    expect(form.get_by_label("Model id", exact=True)).to_have_value("x")
    expect(form.get_by_label("Is like")).to_have_value("nano-banana-pro")
    page.page.keyboard.press("Escape")
    card.get_by_role("button", name="Remove the model banana-next").click()
    page.page.locator(".nb-narrow").get_by_role("button", name="Remove", exact=True).click()
    expect(card.get_by_text("banana-next", exact=True)).to_have_count(0)
    # A workflow that names it still loads, and says what there is.
    page.page.keyboard.press("Escape")
    saved = page.workflow()
    page.load(saved)
    assert page.widget("ProviderConfig", "model")["value"] == "banana-next"
    assert page.complaints == []
    send_json(bare_host, "/keys/onerouter/default", None, "DELETE")
    send_json(bare_host, "/results?all=yes", None, "DELETE")
