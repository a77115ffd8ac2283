"""The results panel in the real frontend: what was asked for, newest first, and what can be done with it."""

from __future__ import annotations

import io
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import bytes_of, entered, open_panel, prompted, row, text_to_image
from pack.tests.host.kit import UNREADABLE, Bench, chat_answer, colours
from pack.tests.raw_server import RawServer, json_answers, serving
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

FOCUSED = """() => {
    const now = document.activeElement;
    return [now.closest('.nb-result')?.querySelector('.nb-prompt').textContent ?? '', now.className.split(' ')[0],
        now.textContent];
}"""
TABS = """() => window.app.extensionManager.workflow.openWorkflows.map((each) =>
    (each.activeState ?? each.changeTracker?.activeState)?.nodes?.filter((node) => node.type === 'NanoBananaGenerate')
        .map((node) => node.widgets_values[0]).join() ?? '')"""
ALONE = """() => {
    const graph = window.app.graph;
    const load = graph.nodes.find((node) => node.type === 'LoadImage');
    for (const node of [...graph.nodes]) if (node !== load) graph.remove(node);
    const show = window.LiteGraph.createNode('PreviewImage');
    graph.add(show);
    load.connect(0, show, 0);
}"""
ROOT = Path(__file__).resolve().parents[2]
WORDS = ROOT / "web" / "i18n"
CUT = """(row) => [row, ...row.querySelectorAll('.nb-state, .nb-said, .nb-actions')].filter((each) =>
    each.scrollHeight > each.clientHeight + 1 || each.scrollWidth > each.clientWidth + 1).map((each) => each.className)"""
ROWS = f"""(list) => [...list.querySelectorAll('.nb-result')].map((row) => {{
    const {{ top, bottom }} = row.getBoundingClientRect();
    return [top, bottom, ({CUT})(row).filter((each) => !each.includes('nb-actions')).join(), Number(row.ariaPosInSet)];
}})"""
PLAIN_HTTP = """() => {
    Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined });
    Crypto.prototype.randomUUID = undefined;
}"""


def load(page: Any, prompt: str, provider: str = "onerouter", **widgets: Any) -> None:
    page.load(prompted(text_to_image(provider), prompt, **widgets))


@pytest.fixture
def bench(host: Host, doubles: Any) -> Bench:
    """Pictures made without a browser."""
    return Bench(host, doubles)


@pytest.fixture(scope="module")
def lasting_page(lasting_canvas: Callable[..., Any]) -> Any:
    return lasting_canvas()


@pytest.fixture
def page(lasting_page: Any) -> Iterator[Any]:
    """One page for all tests here. What a failed test left open is not the next test's trouble."""
    yield lasting_page
    lasting_page.page.evaluate("() => document.querySelectorAll('dialog[open]').forEach((each) => each.close())")


@pytest.mark.usefixtures("one_day")
def test_runs_from_the_canvas_are_listed_newest_first(page: Any) -> None:
    """A picture, a refusal that cost nothing, and one that nobody knows of: each says so, while the panel is open."""
    rows = open_panel(page)
    for provider, prompt in (
        ("onerouter", "A heron in the reeds"),
        ("runflow", "A heron, refused [[sim: refuse]]"),
        ("onerouter", "A heron, lost on its way [[sim: drop=headers]]"),
    ):
        load(page, prompt, provider)
        page.queue()
        expect(rows.first).to_contain_text(prompt)
    for index, word in enumerate(("lost on its way", "refused", "in the reeds")):
        expect(rows.nth(index)).to_contain_text(word)
    lost, refused, made = (rows.nth(index) for index in range(3))

    expect(made.get_by_text("OneRouter · nano-banana-2")).to_be_visible()
    expect(made.get_by_text(re.compile(r"^≈ \$0\.08 · \d\d:\d\d"))).to_be_visible()
    picture = made.locator("img")
    expect(picture).to_have_js_property("complete", True)
    assert 0 < picture.evaluate("(image) => image.naturalWidth") <= 256
    kind = picture.evaluate("async (image) => (await fetch(image.src)).headers.get('content-type')")
    assert kind == "image/webp"

    expect(refused).to_contain_text("no cost")
    expect(refused).to_contain_text("Runflow declined this prompt")
    expect(refused).to_have_attribute("data-tone", "plain")
    assert refused.locator("img").count() == 0

    expect(lost).to_contain_text("≈ $0.08")
    expect(lost).to_contain_text("May have been charged. Look into the provider's usage page")
    colours = [each.evaluate("(one) => getComputedStyle(one).backgroundColor") for each in (lost, refused)]
    assert colours[0] != colours[1]
    for theme in ("light", "dark"):
        page.page.evaluate(f"() => window.app.extensionManager.setting.set('Comfy.ColorPalette', '{theme}')")
        page.look = f"classic-{theme}"
        page.shoot("results")
    assert page.complaints == []


def test_a_search_narrows_the_list(page: Any, bench: Bench) -> None:
    """By prompt, by provider; and back to everything."""
    for provider, prompt in (("onerouter", "A kingfisher over 100% water"), ("apiframe", "A wagtail")):
        assert bench.generate(prompt, provider).status == "success"
    rows = open_panel(page)
    expect(rows.first).to_contain_text("A wagtail")
    search = page.page.get_by_label("Search prompts, providers, models")
    search.fill("100% WATER")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("kingfisher")
    search.fill("apiframe")
    expect(row(page, "A wagtail")).to_be_visible()
    expect(row(page, "kingfisher")).to_have_count(0)
    search.fill("no such words")
    expect(rows).to_have_count(0)
    expect(page.page.get_by_text("Nothing found.")).to_be_visible()
    page.shoot("nothing-found")
    search.fill("")
    expect(row(page, "kingfisher")).to_be_visible()
    assert page.complaints == []


def test_pictures_in_a_bucket_that_is_away_say_so(page: Any, bench: Bench) -> None:
    """The list is there, with what this machine has, and the rest is said to be elsewhere and not gone."""
    for prompt in ("A stilt in the bucket", "A stilt on this machine"):
        assert bench.generate(prompt).status == "success"

    def away(route: Any) -> None:
        answer = route.fetch()
        listed = answer.json()
        for each in listed["results"]:
            if each["prompt"] == "A stilt in the bucket":
                each.update(picture=False, away=True)
        route.fulfill(response=answer, json=listed)

    told = page.page.get_by_text("The results bucket doesn't answer now")
    page.page.route("**/nano_banana/results?*", away)
    try:
        open_panel(page)
        expect(told).to_be_visible()
        expect(row(page, "A stilt in the bucket")).to_contain_text("In the results bucket, which doesn't answer now")
        expect(row(page, "A stilt on this machine").locator("img")).to_be_visible()
        page.shoot("bucket-away")
    finally:
        page.page.unroute("**/nano_banana/results?*")
    open_panel(page)
    expect(row(page, "A stilt in the bucket").locator("img")).to_be_visible()
    expect(told).to_be_hidden()
    assert page.complaints == []


def test_a_picture_is_inserted_as_a_node_that_runs(page: Any, bench: Bench) -> None:
    """The node on the canvas gives the provider's picture, pixel for pixel."""
    assert bench.generate("A dipper in a brook").status == "success"
    load(page, "Something else")
    open_panel(page)
    card = row(page, "A dipper in a brook")
    uid = str(card.get_attribute("data-id"))
    card.get_by_role("button", name="To canvas").click()
    page.page.wait_for_function("() => window.app.graph.nodes.some((node) => node.type === 'LoadImage')")
    assert len(page.workflow()["nodes"]) == 6
    page.page.evaluate(ALONE)
    entry = page.queue()
    assert entry["status"]["status_str"] == "success", entry["status"]
    (image,) = next(iter(entry["outputs"].values()))["images"]
    shown = np.asarray(Image.open(page.host.file(image)).convert("RGB"))
    assert (shown == np.asarray(Image.open(io.BytesIO(bytes_of(page.host, uid))).convert("RGB"))).all()
    assert page.complaints == []


def test_the_graph_opens_beside_the_one_on_the_canvas(page: Any, bench: Bench) -> None:
    """Made on a canvas, it comes back as it was drawn; made by a script, as nodes; what was open stays open."""
    assert bench.generate("A bittern, by script", seed=11).status == "success"
    load(page, "A bittern, drawn", seed=7)
    page.queue()
    drawn = page.workflow()
    load(page, "Still at work on this")
    open_panel(page)
    row(page, "A bittern, drawn").get_by_role("button", name="Open workflow").click()
    page.page.wait_for_function(f"() => ({TABS})().at(-1) === 'A bittern, drawn'")
    found = page.workflow()
    assert [node["pos"] for node in found["nodes"]] == [node["pos"] for node in drawn["nodes"]]
    assert page.prompt()["3"]["inputs"]["seed"] == 7
    row(page, "A bittern, by script").get_by_role("button", name="Open workflow").click()
    page.page.wait_for_function(f"() => ({TABS})().at(-1) === 'A bittern, by script'")
    tabs = page.page.evaluate(TABS)
    assert tabs[-3:] == ["Still at work on this", "A bittern, drawn", "A bittern, by script"]
    page.shoot("graph")
    assert page.complaints == []


def test_forgetting_asks_first_and_then_leaves_nothing(page: Any, bench: Bench) -> None:
    """With the keyboard alone: Escape changes nothing, a yes removes the row and its bytes, its neighbour stays."""
    for prompt in ("A snipe, kept", "A snipe, forgotten"):
        assert bench.generate(prompt).status == "success"
    open_panel(page)
    card = row(page, "A snipe, forgotten")
    uid = str(card.get_attribute("data-id"))
    (file,) = _files_of(page.host, "A snipe, forgotten")
    button = card.get_by_role("button", name="Delete")
    button.focus()
    page.page.keyboard.press("Enter")
    dialog = page.page.get_by_role("alertdialog", name="Are you sure?")
    expect(dialog).to_contain_text("Asking for it again is paid again")
    page.shoot("forget")
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    page.page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Delete").press("Enter")
    expect(card).to_have_count(0)
    expect(row(page, "A snipe, kept")).to_be_visible()
    assert not file.exists() and not _files_of(page.host, "A snipe, forgotten")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        bytes_of(page.host, uid)
    # Who goes by keyboard goes on in the list.
    page.page.keyboard.press("Tab")
    assert page.page.evaluate(FOCUSED)[0] != ""
    assert page.complaints == []


def _files_of(host: Host, prompt: str) -> list[Any]:
    """The pictures in the store that a prompt has made."""
    assert host.home
    sidecars = [file for file in host.home.glob("results/*/*.json") if prompt in file.read_text("utf-8")]
    digests = [(side.parent, side.name.partition(".")[0]) for side in sidecars]
    return [file for folder, digest in digests for file in folder.glob(f"{digest}.*") if file.suffix != ".json"]


def test_the_keyboard_reaches_every_button_and_nothing_of_the_canvas(page: Any, bench: Bench) -> None:
    """Tab goes as the eye goes; what is typed into the search is no shortcut of the canvas."""
    assert bench.generate("A ruff, older").status == "success"
    rows = open_panel(page)
    expect(rows.first).to_contain_text("A ruff, older")
    load(page, "A ruff, newer")
    page.queue()  # while the panel is open: its row is made last and comes first
    expect(rows.first).to_contain_text("A ruff, newer")
    expect(rows.first.locator("img")).to_be_visible()
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/prompt") else None)
    page.page.evaluate("() => window.app.canvas.selectItems(window.app.graph.nodes)")
    search = page.page.get_by_label("Search prompts, providers, models")
    search.press_sequentially("ruff r.q")
    for key in (
        "Delete",
        "Backspace",
        "Backspace",
        "Backspace",
        "Backspace",
        "Control+Enter",
        "Control+b",
        "Control+m",
    ):
        search.press(key)
    expect(search).to_have_value("ruff")
    expect(rows).to_have_count(2)
    after = page.workflow()["nodes"]
    assert len(after) == 5 and {node["mode"] for node in after} == {0} and not asked

    seen = []
    for _ in range(20):
        page.page.keyboard.press("Tab")
        seen.append(tuple(page.page.evaluate(FOCUSED)))
    buttons = ["", "Open workflow", "To canvas", "Copy prompt", "Delete"]
    order = [(prompt, text) for prompt, _, text in seen if prompt]
    assert order[:10] == [(f"A ruff, {age}", text) for age in ("newer", "older") for text in buttons], seen
    assert page.complaints == []


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_the_buttons_of_a_row_say_what_they_do_and_are_whole(
    canvas: Callable[..., Any], bench: Bench, locale: str
) -> None:
    """The panel is as wide as it opens."""
    page = canvas(locale=locale)
    assert bench.generate(f"A linnet, {locale}").status == "success"
    words = json.loads((WORDS / f"{locale}.json").read_text("utf-8"))
    open_panel(page, words["results.tooltip"])
    buttons = row(page, f"A linnet, {locale}").locator(".nb-actions")
    texts = (
        ["Open workflow", "To canvas", "Copy prompt", "Delete"]
        if locale == "en"
        else ["打开工作流", "放到画布", "复制提示词", "删除"]
    )
    expect(buttons.get_by_role("button")).to_have_text(texts)
    assert buttons.evaluate("(each) => each.scrollWidth - each.clientWidth") <= 0
    page.shoot("row-buttons")
    assert page.complaints == []


@pytest.mark.long
@pytest.mark.own_page
def test_a_prompt_is_copied_on_every_connection(canvas: Callable[..., Any], bench: Bench) -> None:
    """The browser gives no clipboard to a page that came over plain HTTP from another machine."""
    page = canvas()  # of its own: it stays without one
    for prompt in ("A stork\non a chimney", "A crane, <b>bold</b>"):
        assert bench.generate(prompt).status == "success"
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_panel(page)
    row(page, "A stork").get_by_role("button", name="Copy prompt").click()
    page.page.wait_for_function(
        "async () => (await navigator.clipboard.readText()).replace('\\r', '') === 'A stork\\non a chimney'"
    )
    page.page.evaluate(PLAIN_HTTP)
    row(page, "A crane").get_by_role("button", name="Copy prompt").click()
    search = page.page.get_by_label("Search prompts, providers, models")
    search.press("ControlOrMeta+v")
    expect(search).to_have_value("A crane, <b>bold</b>")
    expect(row(page, "A crane")).to_have_count(1)
    row(page, "A crane").get_by_role("button", name="Delete").click()
    expect(page.page.get_by_role("alertdialog", name="Are you sure?")).to_be_visible()
    assert page.complaints == []


# ---------------------------------------------------------------------------------------------------------- read again


@pytest.fixture
def unreadable_provider(host: Host) -> Iterator[RawServer]:
    """OpenRouter answers in a way that no version of the pack knows."""
    with serving() as server:
        server.handle(json_answers(UNREADABLE))
        with entered(host, "openrouter", server.url):
            yield server


@pytest.mark.usefixtures("unreadable_provider")
@pytest.mark.parametrize(
    ("vue", "light", "locale"), [(False, False, "en"), (True, True, "zh")], ids=["classic-dark-en", "nodes2-light-zh"]
)
def test_an_answer_without_a_picture_is_read_again(
    canvas: Callable[..., Any], host: Host, vue: bool, light: bool, locale: str
) -> None:
    """From the panel in vain, which is said; from the node once its shape is known, and an extra picture comes with it."""
    texts = json.loads((WORDS / f"{locale}.json").read_text("utf-8"))
    messages = json.loads((ROOT / "locales" / locale / "messages.json").read_text("utf-8"))
    status = messages["error.status"].replace("{status}", "200")
    empty = messages["opening.empty"].replace("{label}", "OpenRouter").replace("{status}", status)
    page = canvas(vue=vue, light=light, locale=locale)
    open_panel(page, texts["results.tooltip"])
    prompt = f"A shrike on a thorn, {page.look}"
    load(page, prompt, "openrouter")
    page.queue()
    card = row(page, prompt)
    expect(card).to_have_count(1)
    note = page.page.locator(".nb-note").filter(has_text=re.compile(r"unreadable/\w+\.answer"))
    expect(note).to_be_visible()
    listed = host.get(f"/nano_banana/results?query={quote(prompt)}")["results"]
    sentence = texts["state.unread"].replace("{provider}", "OpenRouter").replace("{file}", listed[0]["answer"])
    expect(card.locator(".nb-state")).to_have_text(sentence)
    expect(card.locator(".nb-said")).to_contain_text(empty)
    assert card.evaluate(CUT) == []
    page.shoot("unread")
    again = card.get_by_role("button", name=texts["results.read"])
    expect(again).to_have_attribute("title", texts["results.read_title"])
    again.click()
    toast = page.page.locator(".p-toast-message").filter(has_text=texts["results.still_unread"])
    expect(toast).to_contain_text(empty)
    expect(again).to_be_visible()
    page.shoot("unread-again")

    assert host.home
    file = host.home / "results" / "unreadable" / listed[0]["answer"]
    head = file.read_bytes().partition(b"\n")[0]
    pictures = colours(48, 64, seed=1), colours(48, 64, seed=2)
    file.write_bytes(head + b"\n" + json.dumps(chat_answer(*pictures)).encode())
    note.get_by_role("button", name=texts["results.read"]).click()
    done = texts.get("results.was_read.one", texts["results.was_read"]).replace("{n}", "1")
    expect(page.page.locator(".nb-note").filter(has_text=done)).to_contain_text(texts["run.queue_again"])
    expect(card).to_have_count(2)
    expect(card.locator("img")).to_have_count(2)
    extra = card.filter(has_text=texts["results.extra"])
    expect(extra).to_have_count(1)
    expect(extra).not_to_contain_text("$")
    expect(card.filter(has_text="≈ $")).to_have_count(1)
    page.shoot("read")
    assert page.complaints == []


def test_rows_that_are_as_high_as_their_text_stand_one_below_the_other(
    page: Any, bench: Bench, unreadable_provider: RawServer
) -> None:
    """At every width of the panel and however far it is scrolled; what is read stays where it is when the width changes."""
    refusal = {"error": {"message": "A long word of the provider. " * 8}, "choices": []}
    picture = chat_answer(colours(24, 24, seed=3))
    unreadable_provider.handle(json_answers(*(refusal, UNREADABLE, picture, UNREADABLE) * 4))
    # One request at a time: the answers, and with them the heights, have the order of the rows.
    bench.generate("A dunnock, a few", "openrouter", {"max_parallel": 1}, num_images=14)
    open_panel(page)
    page.page.get_by_label("Search prompts, providers, models").fill("dunnock")
    panel, scroller = page.page.locator(".nb-results-frame"), page.page.locator(".nb-list")
    expect(page.page.locator(".nb-result").first).to_contain_text("dunnock")
    # The newest rows hold the word before the list is filtered, too: only its end tells that it is.
    page.page.wait_for_function(
        """(list) => {
            list.scrollTop = list.scrollHeight;
            return [...list.querySelectorAll('.nb-result')].at(-1)?.ariaPosInSet === '14';
        }""",
        arg=scroller.element_handle(),
    )
    for width in ("", "230px", "520px"):
        panel.evaluate("(frame, width) => { frame.style.width = width }", width)
        heights: set[int] = set()
        for part in (0, 0.3, 0.6, 1):
            scroller.evaluate("(list, part) => { list.scrollTop = part * list.scrollHeight }", part)
            page.settle()
            page.settle()
            rows = scroller.evaluate(ROWS)
            heights.update(round(bottom - top) for top, bottom, _, _ in rows)
            for (_, bottom, _, _), (top, _, _, _) in pairwise(rows):
                assert abs(top - bottom) < 1, (width, part, rows)
            assert not [cut for _, _, cut, _ in rows if cut], (width, part, rows)
        assert rows[-1][3] == 14, "the last one is reached"
        assert len(heights) > 1, f"no rows of more than one height, {width or 'as wide as it opens'}"
    panel.evaluate("(frame) => { frame.style.width = '' }")
    assert page.complaints == []


@pytest.fixture
def google(host: Host, doubles: Any) -> Iterator[Any]:
    """Google has a key, and orders wait until they are cancelled."""
    with entered(host, "google", doubles.base_url("google")):
        doubles.fault("task=hang", provider="google", match="nano-banana-")
        yield doubles
        doubles.clear_faults()
        doubles.finish_batches()


@pytest.mark.usefixtures("google")
def test_an_order_whose_answers_can_not_be_read_says_so(canvas: Callable[..., Any], host: Host) -> None:
    """It may never arrive by itself: the row says what is known, and can still cancel it."""
    page, prompt = canvas(), "A wren that nobody can read about"
    load(page, prompt, "google")
    page.choose("NanoBananaGenerate", "delivery", "batch")
    page.queue()
    (listed,) = host.get(f"/nano_banana/results?query={quote(prompt)}")["results"]
    assert listed["order"] and listed["order_unread"] is False

    def unread(route: Any) -> None:
        answer = route.fetch()
        found = answer.json()
        for each in found["results"]:
            each["order_unread"] = bool(each["order"])
        route.fulfill(response=answer, json=found)

    page.page.route("**/nano_banana/results?*", unread)
    open_panel(page)
    card = row(page, prompt)
    expect(card).to_contain_text("Google Gemini answers in a way that can't be read")
    expect(card).to_have_attribute("data-tone", "warn")
    expect(card.get_by_role("button", name="Cancel order")).to_be_visible()
    page.shoot("order-unread")
    page.page.unroute("**/nano_banana/results?*")
    assert page.complaints == []


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize(
    ("vue", "light", "locale"), [(False, False, "en"), (True, True, "zh")], ids=["classic-dark-en", "nodes2-light-zh"]
)
def test_an_order_is_priced_shown_and_cancelled(
    canvas: Callable[..., Any], host: Host, vue: bool, light: bool, locale: str
) -> None:
    """Half the price beside the whole one, with a click; on the node that it is out, in the panel a row that cancels it."""
    words = json.loads((WORDS / f"{locale}.json").read_text("utf-8"))
    page, prompt = canvas(vue, light, locale), f"A wren to come, {locale}"
    load(page, prompt, "google")
    other = page.page.locator(".nb-delivery").locator("visible=true")
    expect(other).to_have_text(words["delivery.batch"].replace("{price}", "$0.0168"))
    page.shoot("order-offered")
    other.click()
    expect(other).to_have_text(words["delivery.now"].replace("{price}", "$0.0336"))
    assert page.widget("NanoBananaGenerate", "delivery")["value"] == "batch"
    price = page.page.locator(".nb-price").first
    expect(price).to_contain_text(words["price.batch"])
    expect(price).to_contain_text("$0.0168")
    page.queue()
    expect(page.page.locator(".nb-notes", has_text=words["run.ordered.one"])).to_be_visible()
    open_panel(page, words["results.tooltip"])
    card = row(page, prompt)
    expect(card).to_contain_text(words["state.ordered"])
    page.shoot("order")
    card.get_by_role("button", name=words["results.cancel_order"]).click()
    dialog = page.page.get_by_role("alertdialog")
    dialog.get_by_role("button", name=words["results.cancel_order"]).click()
    expect(card.get_by_role("button", name=words["results.cancel_order"])).to_have_count(0)
    # Beside others that failed for nothing its row is folded with them.
    listed = host.get(f"/nano_banana/results?query={quote(prompt)}")["results"]
    assert [(each["state"], each["usd"], each["order"]) for each in listed] == [("refused", 0, "")]
    page.shoot("order-cancelled")
    assert page.complaints == []
