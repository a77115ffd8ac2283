"""What is seen in the real frontend while pictures are on their way, and what stays on the node afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import BOTH_RENDERERS, entered, note, open_panel, prompted, text_to_image, toast
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

PREVIEW = """() => {
    const node = window.app.graph.nodes.find((each) => each.type === 'NanoBananaGenerate');
    const drawn = [...(node.imgs ?? []), ...document.querySelectorAll('.lg-node img')];
    return drawn.some((image) => image.src.startsWith('blob:') && image.naturalWidth > 64);
}"""
CAPTION = """(width) => {
    const node = window.app.graph.nodes.find((each) => each.type === 'NanoBananaGenerate');
    if (window.LiteGraph.vueNodesMode) {
        const frame = document.querySelector('.lg-node:has(.nb-price)');
        return frame.innerText.includes(`${width} x ${width}`);
    }
    return (node.imgs ?? []).some((image) => image.src.startsWith('blob:') && image.naturalWidth === width);
}"""
"""Whether the host names that width below the picture that a node shows while it runs."""
NOBODY_ASKED = """(mode) => { window.app.extensionManager.queueSettings.mode = mode; }"""


def begin(page: Any, prompt: str, provider: str, **widgets: Any) -> None:
    """Loads the graph and presses Run."""
    page.load(prompted(text_to_image(provider), prompt, **widgets))
    page.page.evaluate("() => window.app.queuePrompt(0)")


@BOTH_RENDERERS
def test_a_slow_request_shows_where_it_is_and_the_first_picture(
    canvas: Callable[..., Any], doubles: Any, vue: bool
) -> None:
    """Who is asked, how many are back, for how long, for how much; one picture is shown while the other is out.

    Cancelled then with the frontend's own button: nothing failed, and the pack says what still comes.
    """
    page = canvas(vue=vue)
    prompt = f"Five swifts, {page.look} [[sim: slow=60 times=1]]"
    open_panel(page)
    begin(page, prompt, "runflow", num_images=5)  # in two calls, one of them slow
    text = page.page.locator(".nb-progress:visible")
    expect(text).to_have_text(re.compile("[14] of 5 back"), timeout=120_000)
    seen = re.fullmatch(r"([14]) of 5 back · waiting for the answer · (\d+) s · \$0\.40", text.inner_text())
    assert seen, text.inner_text()
    seen_texts = page.page.get_by_text(" of 5 back").locator("visible=true")
    expect(seen_texts).to_have_count(1)  # the host's own line is hidden
    back, out = int(seen[1]), 5 - int(seen[1])
    page.page.wait_for_function(PREVIEW)
    expect(text).not_to_contain_text(f" {seen[2]} s ")  # the seconds go on
    rows = page.page.locator(".nb-result").filter(has_text=prompt)
    expect(rows.locator("img")).to_have_count(back)
    expect(rows.filter(has_text="on its way")).to_have_count(out)
    page.shoot("on-its-way")

    page.page.get_by_role("button", name="Cancel current run").click()
    were = (
        "is still collected: queue again and it costs" if out == 1 else "are still collected: queue again and they cost"
    )
    expect(toast(page, "Stopped")).to_contain_text(
        f"{back} of 5 pictures were back; {out} had been sent (about ${out * 0.08:.2f}) and {were} nothing more"
    )
    expect(note(page)).to_contain_text("had been sent")
    expect(seen_texts).to_have_count(0)
    expect(page.page.get_by_role("button", name="View details")).to_have_count(0)
    expect(rows.filter(has_text="on its way")).to_have_count(out)
    page.shoot("cancelled")
    assert len(doubles.request_log(prompt=prompt)["requests"]) == 2
    assert page.complaints == []


@pytest.fixture
def google(doubles: Any, host: Host) -> Iterator[str]:
    """The profile of a key for Google: `auto` knows nothing of it, and no other test is asked at Google."""
    with entered(host, "google", doubles.base_url("google"), "drafts"):
        yield "drafts"
        doubles.release()


def show_drafts(page: Any, wanted: bool) -> None:
    """Changes the setting as a person does, and waits until the server has it."""
    with page.page.expect_response("**/nano_banana/drafts") as answer:
        page.page.evaluate(
            "(wanted) => window.app.extensionManager.setting.set('NanoBanana.ShowDrafts', wanted)", wanted
        )
    assert answer.value.json()["show"] == wanted


@BOTH_RENDERERS
@pytest.mark.parametrize("locale", ["en", "zh"])
def test_a_draft_is_seen_before_the_picture(
    canvas: Callable[..., Any], doubles: Any, google: str, vue: bool, locale: str
) -> None:
    """Where the setting says so, also after a reload; nothing is connected to the drafts, and the picture takes their place."""
    page = canvas(vue=vue, light=vue != (locale == "zh"), locale=locale)
    show_drafts(page, True)
    with page.page.expect_response("**/nano_banana/drafts"):
        page.open()
    prompt = f"A dipper, {page.look}"
    workflow = prompted(text_to_image("google"), f"{prompt} [[sim: pause]]")
    for node in workflow["nodes"]:
        if node["type"] == "ProviderConfig":
            node["widgets_values"][2] = google
    page.load(workflow)
    page.page.evaluate("() => window.app.queuePrompt(0)")
    expect(page.page.locator(".nb-progress:visible")).to_have_text(re.compile("a draft is here|草稿"))
    page.page.wait_for_function(PREVIEW)
    assert doubles.request_log(prompt=prompt)["requests"][0]["route_name"] == "stream"
    page.page.wait_for_function(CAPTION, arg=256)  # the width of the draft itself, and not of its preview
    page.shoot("draft")
    doubles.release()
    expect(note(page)).to_contain_text(re.compile("Spent|花费"))
    page.shoot("after-the-draft")
    show_drafts(page, False)
    assert doubles.request_log(prompt=prompt)["paid_images"] == 1
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_failure_stands_on_the_node_with_the_ways_out(canvas: Callable[..., Any], vue: bool) -> None:
    """A refused key leads to another provider, or to the keys; a refused prompt to other providers.

    Then it runs at a provider that takes no seed: the notice of that stays below what was spent.
    """
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("onerouter"), f"A martin, {page.look} [[sim: status=401]]"))
    page.queue()
    expect(note(page)).to_contain_text("refused the key")
    expect(note(page)).to_have_attribute("data-tone", "bad")
    expect(note(page).locator(".nb-pill")).to_have_text("nothing charged")
    expect(note(page).get_by_role("button")).to_have_text(["Use my provider", "Keys and settings"])
    page.shoot("failed")
    page.choose("NanoBananaGenerate", "prompt", f"A martin, {page.look} [[sim: refuse]]")
    page.queue()
    expect(note(page)).to_contain_text("declined this prompt")
    expect(note(page).get_by_role("button")).to_have_text(["Another provider…"])
    page.choose("NanoBananaGenerate", "prompt", f"A martin, {page.look}")
    page.choose("NanoBananaGenerate", "seed", 5)
    page.choose("ProviderConfig", "provider", "apiframe")
    page.queue()
    expect(note(page)).to_have_attribute("data-tone", "warn")
    expect(note(page)).to_contain_text(re.compile(r"^Spent.*\n• The seed was not sent"))
    earlier = page.page.locator(".nb-earlier").locator("visible=true")
    expect(earlier).to_have_count(0)
    page.shoot("notices")
    page.choose("NanoBananaGenerate", "prompt", f"A martin, {page.look} [[sim: refuse]]")
    page.queue()
    expect(note(page)).to_contain_text("declined this prompt")
    expect(earlier).to_have_text("Below: an earlier result, not of this run.")
    page.shoot("earlier-result")
    assert page.complaints == []


def test_a_queue_that_runs_by_itself_is_warned_of_once(canvas: Callable[..., Any]) -> None:
    """Instant and On Change pay with nobody at the button; not said again for every run, nor where we have no node."""
    page = canvas()
    page.page.evaluate("() => window.app.graph.clear()")
    page.page.evaluate(NOBODY_ASKED, "instant-idle")
    page.page.evaluate(NOBODY_ASKED, "disabled")
    page.load(text_to_image("offline"))
    expect(toast(page, "The queue runs by itself")).to_have_count(0)
    page.page.evaluate(NOBODY_ASKED, "instant-idle")
    expect(toast(page, "Instant is on.")).to_have_count(1)
    page.page.evaluate(NOBODY_ASKED, "instant-running")
    page.page.evaluate(NOBODY_ASKED, "instant-idle")
    page.page.evaluate(NOBODY_ASKED, "change")
    expect(toast(page, "On Change is on.")).to_have_count(1)
    expect(toast(page, "The queue runs by itself")).to_have_count(2)
    page.shoot("queue-warning")
    page.page.evaluate(NOBODY_ASKED, "disabled")
    page.page.evaluate("() => window.app.graph.clear()")
    page.page.evaluate(NOBODY_ASKED, "change")
    page.load(text_to_image("offline"))  # a node of ours comes to a queue that runs already
    expect(toast(page, "On Change is on.")).to_have_count(2)
    page.page.evaluate(NOBODY_ASKED, "disabled")
    assert page.complaints == []
