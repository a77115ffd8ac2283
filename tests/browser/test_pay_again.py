"""The buttons of a picture that may have been charged, in the results panel: pay again, forget it, the usage page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import (
    BOTH_RENDERERS,
    LOST,
    in_doubt,
    open_panel,
    price,
    prompted,
    row,
    send_json,
    text_to_image,
    toast,
)
from pack.tests.host import kit
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

EDITED = """([prompt]) => {
    const graph = window.app.graph;
    const find = (kind) => graph.nodes.find((node) => node.type === kind);
    const edit = window.LiteGraph.createNode('NanoBananaEdit');
    const show = window.LiteGraph.createNode('PreviewImage');
    graph.add(edit);
    graph.add(show);
    edit.pos = [1400, 100];
    show.pos = [1900, 100];
    const input = (name) => edit.inputs.findIndex((each) => each.name === name);
    edit.widgets.find((widget) => widget.name === 'prompt').value = prompt;
    find('NanoBananaGenerate').connect(0, edit, input('images.image_1'));
    find('ProviderConfig').connect(0, edit, input('provider'));
    edit.connect(0, show, 0);
}"""
"""An edit that goes on from the picture, and has no picture of its own yet."""
WITHOUT_OUTPUTS = """() => {
    const { graph } = window.app;
    for (const node of [...graph.nodes]) if (/^(Save|Preview)/.test(node.type)) graph.remove(node);
}"""
KINDS = "() => window.app.graph.nodes.map((node) => node.type)"
FOCUS_IN_ROW = """(prompt) =>
    document.activeElement.closest('.nb-result')?.querySelector('.nb-prompt').textContent === prompt"""


@BOTH_RENDERERS
def test_paying_again_is_for_that_picture_alone(
    canvas: Callable[..., Any], doubles: Any, host: Host, vue: bool
) -> None:
    """The node that made it runs, in its workflow, and nothing that goes on from it."""
    page = canvas(vue=vue)
    prompt, later = f"A dotterel, {page.look} {LOST}", f"A dotterel at night, {page.look}"
    page.load(prompted(text_to_image("onerouter"), prompt))
    page.page.evaluate(EDITED, [later])
    assert page.queue()["status"]["status_str"] == "error"
    page.load(text_to_image("offline"))
    open_panel(page)
    card = row(page, prompt)
    again = card.get_by_role("button", name=f"Pay again $0.08: {prompt}")
    assert "Runs only the node that makes this picture" in str(again.get_attribute("title"))
    page.shoot("pay-again")
    entry = page.queue(press=again.click)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    kinds = sorted(node["class_type"] for node in entry["prompt"][2].values())
    assert kinds == ["NanoBananaGenerate", "PreviewImage", "ProviderConfig"]
    assert doubles.request_log(prompt=prompt)["paid_images"] >= 1 and not doubles.request_log(prompt=later)["requests"]
    toast = page.page.locator(".p-toast-message").filter(has_text="Asked for again")
    expect(toast).to_contain_text("what feeds it runs")
    assert {"NanoBananaGenerate", "NanoBananaEdit"} < {node["type"] for node in page.workflow()["nodes"]}
    expect(row(page, prompt).locator("img")).to_be_visible()
    lost = page.page.locator('.nb-result[data-tone="bad"]').filter(has_text=prompt)
    expect(lost).to_contain_text("it was asked for again since")
    expect(lost.get_by_role("button", name="Pay again")).to_have_count(0)
    page.shoot("paid-again")
    assert page.complaints == []


def test_all_that_paying_again_pays_is_said_before(canvas: Callable[..., Any], doubles: Any, host: Host) -> None:
    """The node is run as a whole: what else is missing of it is paid as well."""
    page = canvas()
    prompt = f"Three sanderlings, {page.look} {LOST}"
    page.load(prompted(text_to_image("onerouter"), prompt, num_images=3))
    page.queue()
    lost = [each["id"] for each in host.get("/nano_banana/results?query=sanderlings")["results"]]
    assert len(lost) == 3
    send_json(host, "/results/withdraw", {"ids": lost[1:]}, "POST")
    paid = doubles.request_log(prompt=prompt)["paid_images"]
    open_panel(page)
    again = page.page.get_by_role("button", name=f"Pay again $0.08: {prompt}")
    dialog = page.page.get_by_role("alertdialog")
    again.click()
    expect(dialog).to_contain_text("At most 3 pictures, $0.24")
    page.shoot("pay-again-sure")
    page.page.keyboard.press("Escape")
    expect(again).to_be_enabled()
    expect(again).to_be_focused()
    assert doubles.request_log(prompt=prompt)["paid_images"] == paid
    again.click()
    agree = dialog.get_by_role("button", name="Pay again $0.24")
    assert page.queue(press=agree.click)["status"]["status_str"] == "success"
    assert doubles.request_log(prompt=prompt)["paid_images"] == paid + 3
    assert page.complaints == []


def test_the_node_pays_for_what_is_on_the_canvas(canvas: Callable[..., Any], doubles: Any) -> None:
    """The request in doubt is one of another workflow, where the node has another id."""
    page = canvas()
    prompt = f"A curlew, {page.look} {LOST}"
    workflow = prompted(text_to_image("onerouter"), prompt)
    page.load(workflow)
    page.queue()
    for node in workflow["nodes"]:
        node["id"] = 9 if node["id"] == 3 else node["id"]
    for link in workflow["links"]:
        link[1], link[3] = (9 if end == 3 else end for end in (link[1], link[3]))
    page.load(workflow)
    assert page.queue()["status"]["status_str"] == "error", "it is asked about first"
    asked = doubles.request_log(prompt=prompt)["paid_images"]
    again = page.page.locator('.nb-note[data-tone="bad"]').get_by_role("button", name="Pay again $0.08")
    entry = page.queue(press=again.click)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    part = {id: node["class_type"] for id, node in entry["prompt"][2].items()}
    assert part == {"9": "NanoBananaGenerate", "2": "ProviderConfig", "preview": "PreviewImage"}
    assert doubles.request_log(prompt=prompt)["paid_images"] == asked + 1
    expect(page.page.locator('.nb-note[data-tone="bad"]')).to_have_count(0)
    assert page.complaints == []


def refuse_prompts(page: Any, kind: str) -> None:
    """Until `unroute_all` the host takes no prompt: it finds a mistake in each, or can't be reached."""
    refusal = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "refused", "details": ""},
        "node_errors": {},
    }

    def answer(route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
        elif kind == "refused":
            route.fulfill(status=400, json=refusal)
        else:
            route.abort()

    page.page.route("**/api/prompt", answer)
    if kind == "away":
        page.page.route(
            "**/results/pay_again", lambda route: answer(route) if ends_agreement(route.request) else route.continue_()
        )


def ends_agreement(request: Any) -> bool:
    """Whether a request takes an agreement back."""
    return request.post_data_json is not None and request.post_data_json.get("agrees") is False


def is_for_a_run(request: Any) -> bool:
    """Whether a request says which run an agreement is for."""
    return request.url.endswith("/pay_again") and bool((request.post_data_json or {}).get("run"))


def text_prompt(prompt: str) -> dict[str, Any]:
    """The API form of one picture from OneRouter."""
    return {
        "config": kit.node("ProviderConfig", provider="onerouter"),
        "make": kit.node("NanoBananaGenerate", prompt=prompt, provider=["config", 0]),
        "show": kit.node("PreviewImage", images=["make", 0]),
    }


@pytest.mark.parametrize("kind", ["refused", "away"])
def test_an_agreement_is_over_where_no_run_was_accepted(canvas: Callable[..., Any], doubles: Any, kind: str) -> None:
    """A later Run, by itself, asks; where the server was away it is told once it is there."""
    page = canvas()
    prompt = f"A sandgrouse, {kind} {LOST}"
    page.load(prompted(text_to_image("onerouter"), prompt))
    page.queue()
    paid = doubles.request_log(prompt=prompt)["paid_images"]
    again = page.page.locator('.nb-note[data-tone="bad"]').get_by_role("button", name="Pay again $0.08")
    refuse_prompts(page, kind)
    with page.page.expect_event(
        "requestfinished" if kind == "refused" else "requestfailed",
        lambda request: request.url.endswith("/pay_again") and ends_agreement(request),
    ):
        again.click()
    expect(toast(page, "Pay again $0.08")).to_be_visible()
    page.page.unroute_all()
    if kind == "away":
        with page.page.expect_event(
            "requestfinished", lambda request: request.url.endswith("/pay_again") and ends_agreement(request)
        ):
            page.page.evaluate("() => window.app.api.dispatchCustomEvent('reconnected')")
    assert page.queue()["status"]["status_str"] == "error"
    assert doubles.request_log(prompt=prompt)["paid_images"] == paid
    assert page.queue(press=again.click)["status"]["status_str"] == "success"
    assert doubles.request_log(prompt=prompt)["paid_images"] == paid + 1


def test_an_agreement_is_over_where_its_run_is_deleted_from_the_queue(canvas: Callable[..., Any], doubles: Any) -> None:
    """The host had accepted it, and it never ran: a later Run, by itself, asks."""
    page = canvas()
    prompt, slow = f"A courser {LOST}", "A pratincole that takes its time [[sim: hold]]"
    page.load(prompted(text_to_image("onerouter"), prompt))
    page.queue()
    paid = doubles.request_log(prompt=prompt)["paid_images"]
    again = page.page.locator('.nb-note[data-tone="bad"]').get_by_role("button", name="Pay again $0.08")
    expect(again).to_be_visible()
    page.host.queue_prompt(text_prompt(slow))
    kit.until(lambda: bool(doubles.request_log(prompt=slow)["requests"]))
    with page.page.expect_event("requestfinished", is_for_a_run):
        again.click()
    (waiting,) = page.host.get("/queue")["queue_pending"]
    page.host.post("/queue", {"delete": [waiting[1]]})
    doubles.release()
    kit.until(lambda: not page.host.get("/queue")["queue_running"])
    assert page.queue()["status"]["status_str"] == "error"
    assert doubles.request_log(prompt=prompt)["paid_images"] == paid
    assert page.queue(press=again.click)["status"]["status_str"] == "success"
    assert doubles.request_log(prompt=prompt)["paid_images"] == paid + 1


@BOTH_RENDERERS
def test_the_node_pays_for_the_run_that_failed(canvas: Callable[..., Any], doubles: Any, vue: bool) -> None:
    """Whatever it is set to since. Of two failures that look alike the last one counts."""
    page = canvas(vue=vue)
    prompts = [f"A {bird}, {page.look} {LOST}" for bird in ("whimbrel", "snipe")]
    later = f"A corncrake, {page.look}"
    page.load(prompted(text_to_image("onerouter"), prompts[0], seed=5))
    for prompt in prompts:
        page.choose("NanoBananaGenerate", "prompt", prompt)
        assert page.queue()["status"]["status_str"] == "error"
    again = page.page.locator('.nb-note[data-tone="bad"]').get_by_role("button", name="Pay again $0.08")
    expect(again).to_be_visible()
    paid = [doubles.request_log(prompt=prompt)["paid_images"] for prompt in prompts]
    page.choose("NanoBananaGenerate", "prompt", later)
    page.choose("NanoBananaGenerate", "seed", 6)
    entry = page.queue(press=again.click)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    (made,) = (node["inputs"] for node in entry["prompt"][2].values() if node["class_type"] == "NanoBananaGenerate")
    assert (made["prompt"], made["seed"]) == (prompts[1], 5)
    asked = toast(page, "Asked for again")
    expect(asked).to_contain_text("as it was set in the run that failed, not as the node is set now")
    page.shoot("paid-again-as-it-was")
    assert [doubles.request_log(prompt=prompt)["paid_images"] for prompt in prompts] == [paid[0], paid[1] + 1]
    assert not doubles.request_log(prompt=later)["requests"]
    expect(price(page)).to_have_text("1K · $0.08")
    assert page.complaints == []


def test_a_variation_says_what_the_nodes_before_it_lack(canvas: Callable[..., Any], doubles: Any) -> None:
    """Without a node that shows it nothing would run; the price on the node is its own."""
    page = canvas()
    prompt, later = f"A reeve, {page.look}", f"A reeve at night, {page.look}"
    page.load(prompted(text_to_image("onerouter"), prompt))
    page.page.evaluate(EDITED, [later])
    page.page.evaluate(WITHOUT_OUTPUTS)
    page.command("Comfy.Canvas.FitView")
    dialog = page.page.get_by_role("alertdialog")
    button = page.page.get_by_role("button", name="New variation").last
    button.click()
    expect(dialog).to_contain_text("lack 1 picture, which is paid, too: $0.08")
    page.shoot("variation-sources")
    page.page.keyboard.press("Escape")
    expect(button).to_be_enabled()
    assert "PreviewImage" not in page.page.evaluate(KINDS)
    button.click()
    agree = dialog.get_by_role("button", name="New variation")
    assert page.queue(press=agree.click)["status"]["status_str"] == "success"
    assert doubles.request_log(prompt=later)["paid_images"] == 1
    assert page.complaints == []


@pytest.mark.own_page
def test_a_charge_that_was_none_leaves_the_sums(canvas: Callable[..., Any], host: Host) -> None:
    """With the keyboard: the page of the provider, then forget it; the focus goes on from that picture."""
    page = canvas()
    prompt = "A stint, lost [[sim: drop=headers]]"
    before = in_doubt(host)
    page.load(prompted(text_to_image("onerouter"), prompt))
    page.queue()
    assert in_doubt(host) > before
    open_panel(page)
    page.page.locator(".nb-results input[type=search]").fill("stint")
    card = row(page, prompt)
    expect(page.page.locator(".nb-result")).to_have_count(1)
    names = card.get_by_role("button").evaluate_all("(all) => all.map((each) => each.ariaLabel)")
    assert len(names) > 4 and all(name.endswith(f": {prompt}") for name in names)
    page.page.evaluate("() => { window.opened = []; window.open = (...given) => void window.opened.push(given); }")
    card.get_by_role("button", name="Usage page").press("Enter")
    page.page.wait_for_function("() => window.opened.length === 1")
    assert page.page.evaluate("() => window.opened[0]") == [
        "https://app.onerouter.pro/activity",
        "_blank",
        "noopener,noreferrer",
    ]
    forget = card.get_by_role("button", name="I was not charged")
    forget.press("Enter")
    dialog = page.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Look at the provider's usage page first")
    expect(dialog).not_to_contain_text("Read again")  # no answer came
    page.page.keyboard.press("Escape")
    expect(forget).to_be_focused()
    forget.press("Enter")
    dialog.get_by_role("button", name="I was not charged").press("Enter")
    expect(card).to_contain_text("You said that it was not charged")
    expect(card.get_by_role("button", name="Pay again")).to_have_count(0)
    page.page.wait_for_function(FOCUS_IN_ROW, arg=prompt)
    page.shoot("withdrawn")
    assert in_doubt(host) == before
    assert page.complaints == []
