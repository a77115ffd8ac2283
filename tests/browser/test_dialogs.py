"""The pack's dialogs in the real frontend: over its own Settings, by keyboard alone, and as a screen reader names them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import CANARY, send_json
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

HOST_SETTINGS = "[role='dialog']:has(.nb-settings)"
SMALL = "dialog.nb-narrow"


@pytest.fixture
def section(canvas: Callable[..., Any], bare_host: Host) -> Any:
    """The pack's section in the frontend's own Settings, with a stored key."""
    send_json(bare_host, "/keys/runflow/default", {"key": CANARY})
    page = canvas(on=bare_host)
    page.command("Comfy.ShowSettingsDialog")
    page.page.get_by_role("dialog").get_by_text("Nano Banana", exact=True).first.click()
    expect(card(page).get_by_role("button", name="Delete key")).to_be_visible()
    yield page
    if card(page).get_by_role("button", name="Delete key").count():
        send_json(bare_host, "/keys/runflow/default", None, "DELETE")


def card(page: Any) -> Any:
    return page.page.locator(f'{HOST_SETTINGS} [data-provider="runflow"]')


def test_a_click_in_a_dialog_leaves_the_frontend_s_settings_open(section: Any) -> None:
    """A click on its text, in its field and on its backdrop; the last one closes the small dialog alone."""
    page = section.page
    for name in ("Add a model…", "Delete key"):
        card(section).get_by_role("button", name=name).click()
        dialog = page.locator(SMALL)
        dialog.locator("p").first.click()
        if name == "Add a model…":
            dialog.get_by_label("Name").click()
        section.shoot(f"dialog-{name.split()[0].lower()}")
        expect(dialog).to_be_visible()
        page.mouse.click(5, 5)
        expect(dialog).to_have_count(0)
        expect(page.locator(HOST_SETTINGS)).to_be_visible()
    # A selection that ends outside of the dialog is no press on the backdrop.
    card(section).get_by_role("button", name="Add a model…").click()
    box = page.locator(SMALL).get_by_label("Name").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(5, 5)
    page.mouse.up()
    expect(page.locator(SMALL)).to_be_visible()
    assert section.complaints == []


def test_a_dialog_is_used_with_the_keyboard_alone(section: Any, bare_host: Host) -> None:
    """Enter saves, Escape closes the small dialog only, Tab stays inside, and the focus goes back to what opened it."""
    page = section.page
    opener = card(section).get_by_role("button", name="Add a model…")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add a model to Runflow")
    name = dialog.get_by_label("Name")
    expect(name).to_be_focused()
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 24:  # more often than there are controls
        page.keyboard.press(key)
        assert dialog.evaluate("(root) => root.contains(document.activeElement)")
    name.press("Enter")
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator(HOST_SETTINGS)).to_be_visible()
    expect(opener).to_be_focused()
    opener.press("Enter")
    name.fill("banana-by-keyboard")
    dialog.get_by_label("Model id", exact=True).fill("google/other-banana")
    dialog.get_by_label("Is like").press("Enter")
    expect(dialog).to_have_count(0)
    expect(card(section).get_by_text("banana-by-keyboard", exact=True)).to_be_visible()
    expect(opener).to_be_focused()
    send_json(bare_host, "/providers/runflow", {"models": {"banana-by-keyboard": None}})
    assert section.complaints == []


def test_enter_answers_a_question_and_a_key_that_is_held_down_does_not(section: Any) -> None:
    page = section.page
    opener = card(section).get_by_role("button", name="Delete key")
    opener.focus()
    page.keyboard.down("Enter")
    dialog = page.get_by_role("alertdialog", name="Are you sure?")
    agree = dialog.get_by_role("button", name="Delete key")
    expect(agree).to_be_focused()
    page.keyboard.down("Enter")  # again without a release: the key repeats
    page.keyboard.up("Enter")
    expect(dialog).to_have_accessible_description(re.compile("Delete the stored key of Runflow"))
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(card(section).get_by_text("no key")).to_be_visible()
    expect(page.locator(HOST_SETTINGS)).to_be_visible()
    assert section.complaints == []


def test_enter_in_the_name_of_a_profile_saves_its_key(section: Any, bare_host: Host) -> None:
    page = section.page
    card(section).get_by_role("button", name="Another key…").click()
    dialog = page.locator(SMALL)
    dialog.get_by_label("Key for Runflow").fill("sim-second-key")
    dialog.get_by_label("Name").fill("studio")
    dialog.get_by_label("Name").press("Enter")
    expect(dialog).to_have_count(0)
    expect(card(section).get_by_text("studio", exact=True)).to_be_visible()
    send_json(bare_host, "/keys/runflow/studio", None, "DELETE")
