"""What the user is asked before something may happen on this machine: a name of the server, a model that nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.conftest import STRANGER
from pack.tests.browser.page_parts import BOTH_RENDERERS, send_json, text_to_image
from pack.tests.host.kit import Bench
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

VIDEO = "fal-ai/veo3"


def code_of(host: Host) -> str:
    """The newest code in the host's console."""
    lines = [line for line in host.log.read_text("utf-8", "replace").splitlines() if f"as {STRANGER}," in line]
    return lines[-1].partition("enter the code ")[2].split()[0]


@BOTH_RENDERERS
@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.own_page
def test_a_page_under_an_unknown_name_asks_for_the_code(
    canvas: Callable[..., Any], host: Host, vue: bool, locale: str
) -> None:
    """It shows the step, takes the code from the console, and is this machine's page from then on."""
    page = canvas(vue=vue, locale=locale, name=STRANGER)
    page.load(text_to_image("onerouter"))
    dialog = page.page.locator(".nb-unknown-name")
    dialog.wait_for()
    assert STRANGER in dialog.inner_text() and f"NANO_BANANA_HOSTS={STRANGER}" in dialog.inner_text()
    page.shoot("unknown-name")
    dialog.locator("input").fill("AAAAA-AAAAA")
    dialog.locator(".nb-main").click()
    expect(dialog.locator(".nb-bad")).to_be_visible()
    dialog.locator("input").fill(code_of(host).lower())
    dialog.locator(".nb-main").click()
    expect(dialog).to_have_count(0)
    expect(page.page.locator(".nb-price").first).to_contain_text("$")
    page.shoot("known-name")
    send_json(host, f"/hosts/{STRANGER}", None, "DELETE")
    assert all("403" in each or STRANGER in each for each in page.complaints), page.complaints


@pytest.mark.long
@pytest.mark.own_page
def test_a_closed_dialog_comes_back_from_settings(canvas: Callable[..., Any]) -> None:
    """Closed once, it leaves the page alone."""
    page = canvas(name=STRANGER)
    page.page.locator(".nb-unknown-name .nb-close").click()
    page.open(STRANGER)
    page.command("NanoBanana.Settings")
    page.page.locator(".nb-settings-dialog .nb-main").click()
    expect(page.page.locator(".nb-unknown-name input")).to_be_visible()


@BOTH_RENDERERS
@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_a_stranger_s_model_is_asked_about_on_the_node(
    canvas: Callable[..., Any], host: Host, doubles: Any, vue: bool, light: bool
) -> None:
    """Provider, id, unknown price; Run is refused; allowed, it counts as was said; Settings takes it back."""
    page = canvas(vue=vue, light=light)
    workflow = text_to_image("fal")
    page.load(workflow)
    page.choose("ProviderConfig", "model_override", VIDEO)
    note = page.page.locator(".nb-note", has_text=VIDEO).first
    expect(note).to_have_attribute("data-tone", "warn")
    text = note.inner_text()
    assert "fal" in text and "price unknown" in text and "Allow on this machine" in text
    page.shoot("unknown-model")
    entry = page.queue()
    assert entry["status"]["status_str"] == "error"
    expect(note).to_have_attribute("data-tone", "bad")
    assert not Bench(host, doubles).doubles.request_log(provider="fal")["requests"]
    note.locator("input").fill("0.75")
    note.get_by_text("Allow on this machine", exact=True).click()
    price = page.page.locator(".nb-price").first
    expect(price).not_to_have_attribute("data-tone", "bad")
    expect(price).to_have_attribute("title", "The price is not known: this run counts as $0.75 against your caps. "
                                    "Click to choose another provider or model.")  # fmt: skip
    page.command("NanoBanana.Settings")
    row = page.page.locator(f'.nb-dialog [data-allowed="{VIDEO}"]')
    row.scroll_into_view_if_needed()
    page.shoot("allowed-model")
    row.locator(".nb-danger").click()
    expect(row).to_have_count(0)
    page.page.locator(".nb-settings-dialog > header .nb-close").click()
    page.page.locator(".nb-note", has_text=VIDEO).first.wait_for()
    assert page.complaints == []


def test_the_node_s_other_way_out_is_a_known_model(canvas: Callable[..., Any]) -> None:
    """One click empties model_override."""
    page = canvas()
    page.load(text_to_image("fal"))
    page.choose("ProviderConfig", "model_override", VIDEO)
    page.page.locator(".nb-note", has_text=VIDEO).locator("button", has_text="Use ").click()
    expect(page.page.locator(".nb-note", has_text=VIDEO)).to_have_count(0)
    assert page.widget("ProviderConfig", "model_override")["value"] == ""


def test_damaged_settings_are_set_aside_in_settings(canvas: Callable[..., Any], host: Host) -> None:
    """The page says what is wrong and starts over when it is told to."""
    assert host.home is not None
    send_json(host, "/settings", {"parallel": 3})
    (host.home / "settings.json").write_text('{"cap_run": "1",}')
    page = canvas()
    page.command("NanoBanana.Settings")
    warning = page.page.locator('.nb-settings section[role="alert"]')
    warning.wait_for()
    assert "settings.json" in warning.inner_text()
    page.shoot("damaged-settings")
    warning.locator("button").click()
    expect(warning).to_have_count(0)
    assert (host.home / "settings.json.damaged").read_text() == '{"cap_run": "1",}'
