"""What Google's own API can do beyond a picture: words beside it, temperature, top P, the sources of a search and drafts."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pack.tests.host.all_providers import all_providers
from pack.tests.host.graph_parts import frames, infos, list_of
from pack.tests.host.kit import Bench, Ran, node
from pack.tests.host.page import Page
from pack.tests.host.ws_client import WsClient, ws_client
from PIL import Image

Graph = dict[str, Any]
GREYS = [0x77, 0x87]
"""The shades in which the double draws the drafts of a picture."""


@pytest.fixture(scope="module")
def bench(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with all_providers(doubles, tmp_path_factory.mktemp("options")) as bench:
        yield bench


def test_words_and_temperature_go_where_a_provider_has_them(bench: Bench, tag: str) -> None:
    """A widget's steps end in 0.7000000000000001, which is 0.7 for the provider and for the store."""
    asked_for: dict[str, Any] = {"with_text": True, "temperature": 0.7000000000000001, "top_p": 1, "resolution": "2K"}
    ran = bench.run(
        {
            "config": node("ProviderConfig", provider="google"),
            "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0], **asked_for),
            "words": node("PreviewAny", source=["make", 2]),
        }
    )
    assert ran.status == "success", (ran.error, ran.refusal)
    (asked,) = bench.asked(tag)
    sent = asked["fields"]["generationConfig"]
    assert (sent["responseModalities"], sent["temperature"], sent["topP"]) == (["TEXT", "IMAGE"], 0.7, 1.0)
    assert ran.text("words")[0] and any("another size" in notice for notice in ran.info()["notices"])
    bench.generate(tag, "google", with_text=True, temperature=0.7, top_p=1.0, resolution="2K")
    assert bench.paid(tag) == 1
    bench.generate(tag, "google", temperature=-0.5)
    assert "temperature" not in bench.asked(tag)[-1]["fields"]["generationConfig"]
    for timeout, zero in ((61, -0.0), (62, 0.0)):
        bench.generate(tag, "google", {"timeout": timeout}, temperature=zero)
    assert bench.paid(tag) == 3, "a zero below zero was taken for another number"


def test_the_sources_of_a_search_are_data_too(bench: Bench, tag: str) -> None:
    """Of the paid picture and of the stored one alike; without a search there are none. `text` names them, too."""
    page = {"title": "Facts", "uri": "https://example.com/facts"}
    words = {"words": node("PreviewAny", source=["make", 2])}
    searched = [
        with_drafts(
            bench, tag, words, linked=False, config={"provider": "google", "timeout": each}, enable_web_search=True
        )
        for each in (60, 61)
    ]
    assert [ran.info()["images"][0]["sources"] for ran in searched] == [[page], [page]] and bench.paid(tag) == 1
    for ran in searched:
        assert ran.text("words")[0].endswith("Sources:\n- Facts: https://example.com/facts")
    assert "sources" not in bench.generate(tag, "google").info()["images"][0]


# ------------------------------------------------------------------------------------------------------- thoughts


def with_drafts(bench: Bench, prompt: Any, more: Graph | None = None, *, linked: bool = True, **inputs: Any) -> Ran:
    """A Generate node "make" with "show" on its pictures and, `linked`, "drafts" on its drafts."""
    config = inputs.pop("config", {"provider": "google"})
    graph: Graph = {
        "config": node("ProviderConfig", **config),
        "make": node("NanoBananaGenerate", prompt=prompt, provider=["config", 0], **inputs),
        "show": node("PreviewImage", images=["make", 0]),
        **(more or {}),
    }
    if linked:
        graph["drafts"] = node("PreviewImage", images=["make", 4])
    return bench.run(graph)


def shades(ran: Ran) -> list[int]:
    return [int(draft[0, 0, 0]) for draft in ran.images("drafts")]


def thinking_config(bench: Bench, prompt: str) -> Any:
    return bench.asked(prompt)[-1]["fields"]["generationConfig"].get("thinkingConfig")


def test_drafts_are_one_batch_in_slot_order_and_the_same_from_the_store(bench: Bench, tag: str) -> None:
    """What is stored when nothing is connected comes out once something is, and nothing is paid for it."""
    prompt = f"{tag} [[sim: small drafts=2]]"
    unwatched = with_drafts(bench, prompt, linked=False, num_images=2)
    assert unwatched.status == "success" and thinking_config(bench, tag) is None
    ran = with_drafts(bench, prompt, num_images=2, config={"provider": "google", "max_parallel": 3})
    assert ran.status == "success", ran.error
    assert [image["from"] for image in ran.info()["images"]] == ["store", "store"] and bench.paid(tag) == 2
    assert ran.info()["thoughts"] == [{"slot": slot, "frame": 0} for slot in (0, 0, 1, 1)]
    assert shades(ran) == GREYS * 2 and len(ran.images()) == 2


def test_drafts_are_asked_for_once_something_is_connected(bench: Bench, tag: str) -> None:
    """Edit: behind `originals`. Each frame's drafts are its own."""
    graph: Graph = {}
    batch, _ = frames(bench, tag, graph, "photo", 2)
    graph["drafts"] = node("PreviewImage", images=["make", 5])
    graph["originals"] = node("PreviewImage", images=["make", 4])
    ran = bench.edit(f"{tag} [[sim: small]]", {"image_1": batch}, "google", more=graph, batch_mode="each")
    assert ran.status == "success", ran.error
    assert thinking_config(bench, tag) == {"includeThoughts": True}
    assert ran.info()["thoughts"] == [{"slot": 0, "frame": 0}, {"slot": 0, "frame": 1}]
    assert shades(ran) == GREYS[:1] * 2 and len(ran.images("originals")) == 2


@pytest.mark.parametrize("provider", ["google", "onerouter"])
def test_without_drafts_nothing_runs_behind_them_and_the_rest_goes_on(bench: Bench, tag: str, provider: str) -> None:
    """No error and no placeholder; a notice says why."""
    ran = with_drafts(bench, f"{tag} [[sim: drafts=0]]", config={"provider": provider})
    assert ran.status == "success", ran.error
    assert len(ran.images()) == 1 and ran.images("drafts") == [] and ran.info()["thoughts"] == []
    assert [notice for notice in ran.info()["notices"] if notice.startswith("the output thoughts is empty")]


def test_a_picture_that_failed_has_no_drafts_and_blocks_none(bench: Bench, tag: str) -> None:
    """Elements of a list: those that have drafts give them, in their order."""
    graph: Graph = {}
    prompts = [f"{tag} {word}" for word in ("a [[sim: small]]", "b [[sim: refuse]]", "c [[sim: small drafts=0]]")]
    prompts.append(f"{tag} d [[sim: small drafts=2]]")
    ran = with_drafts(bench, list_of(graph, "prompts", prompts), graph)
    assert ran.status == "success", ran.error
    assert shades(ran) == [*GREYS[:1], *GREYS] and len(ran.images()) == 3
    assert [len(info["thoughts"]) for info in infos(ran)] == [1, 0, 0, 2]


def test_offline_has_drafts_to_try_them_with(bench: Bench, tag: str) -> None:
    """Free, grey and half as large."""
    ran = with_drafts(bench, tag, config={"provider": "offline"}, thinking="high")
    assert ran.status == "success", ran.error
    (picture,), drafts = ran.images(), ran.images("drafts")
    assert len(drafts) == 2 and {draft.shape[0] * 2 for draft in drafts} == {picture.shape[0]}
    assert all(np.array_equal(draft[..., 0], draft[..., 1]) for draft in drafts)


# ---------------------------------------------------------------------------------------------- while it is drawn


@pytest.fixture
def listener(bench: Bench) -> Iterator[WsClient]:
    with ws_client(bench.host) as listening:
        yield listening


def watched(tag: str, *, linked: bool) -> Graph:
    """A picture that the double holds back, behind a draft."""
    graph = {
        "config": node("ProviderConfig", provider="google"),
        "make": node("NanoBananaGenerate", prompt=f"{tag} [[sim: pause]]", provider=["config", 0]),
        "show": node("PreviewImage", images=["make", 0]),
    }
    return {**graph, "drafts": node("PreviewImage", images=["make", 4])} if linked else graph


def test_a_draft_is_small_on_the_node_before_the_picture_is_there(bench: Bench, listener: WsClient, tag: str) -> None:
    """The picture comes only after the draft was seen."""
    prompt_id = bench.host.queue_prompt(watched(tag, linked=True), listener.client)
    draft = Image.open(io.BytesIO(listener.wait(lambda frame: frame.kind == "preview").data))
    assert draft.convert("RGB").getpixel((1, 1)) == (GREYS[0],) * 3 and max(draft.size) <= 192
    listener.wait_text("a draft is here")
    assert listener.of("execution_success") == []
    bench.doubles.release()
    assert listener.wait_end(prompt_id).kind == "execution_success"
    last = Image.open(io.BytesIO(listener.of("preview")[-1].data))
    assert max(last.size) > 192, "the picture takes the draft's place"


def test_a_page_that_shows_drafts_gets_them_with_nothing_connected(bench: Bench, listener: WsClient, tag: str) -> None:
    """As long as it wants to. The picture is the same one at the same price, and nobody misses drafts that don't come."""
    page = Page(bench)
    for show, route in ((True, "stream"), (False, "generate")):
        assert page.good("POST", "/drafts", {"client": listener.client, "show": show}) == {"show": show}
        graph = watched(f"{tag} {show}", linked=False)
        estimate = page.good("POST", "/estimate", {"prompt": graph, "detail": True, "shows_drafts": show})
        prompt_id = bench.host.queue_prompt(graph, listener.client)
        assert bench.doubles.wait(prompt=f"{tag} {show}", state="received")
        if show:
            listener.wait_text("a draft is here")
        bench.doubles.release()
        assert listener.wait_end(prompt_id).kind == "execution_success"
        (asked,) = bench.asked(f"{tag} {show}")
        (shown,) = estimate["nodes"]["make"]["sends"]
        assert asked["route_name"] == route and ("streamGenerateContent" in shown["url"]) == show
        info = json.loads(bench.host.wait_prompt(prompt_id)["outputs"]["make"]["nano_banana"][0])
        assert info["cost_usd"] == estimate["nodes"]["make"]["usd"] == pytest.approx(asked["cost_usd"])
        assert not [notice for notice in info["notices"] if "thoughts" in notice]
        graph["config"]["inputs"]["timeout"] = 61  # else the host has the outputs of before
        again = bench.run(graph)
        assert again.info()["images"][0]["from"] == "store" and bench.paid(f"{tag} {show}") == 1


def test_only_a_page_that_is_open_asks_for_drafts(bench: Bench, listener: WsClient, tag: str) -> None:
    """Others have other wishes; one that is closed looks at nothing; an order is looked at by nobody."""
    page = Page(bench)
    with ws_client(bench.host) as other:
        assert page.good("POST", "/drafts", {"client": other.client, "show": True}) == {"show": True}
        prompt_id = bench.host.queue_prompt(plain(tag, "another page"), listener.client)
        assert listener.wait_end(prompt_id).kind == "execution_success"
        ordered = plain(tag, "an order", delivery="batch")
        estimate = page.good("POST", "/estimate", {"prompt": ordered, "detail": True, "shows_drafts": True})
        assert "includeThoughts" not in estimate["nodes"]["make"]["sends"][0]["body"]
        prompt_id = bench.host.queue_prompt(plain(tag, "this page"), other.client)
        assert other.wait_end(prompt_id).kind == "execution_success"
    prompt_id = bench.host.queue_prompt(plain(tag, "a closed page"), other.client)
    bench.host.wait_prompt(prompt_id)
    assert {
        what: [asked["route_name"] for asked in bench.asked(f"{tag} {what}")]
        for what in ("another page", "this page", "a closed page")
    } == {"another page": ["generate"], "this page": ["stream"], "a closed page": ["generate"]}
    assert page.good("POST", "/drafts", {"client": other.client, "show": True}) == {"show": False}
    for wrong in ({}, {"client": 5, "show": True}, {"client": listener.client, "show": "yes"}):
        assert page.ask("POST", "/drafts", wrong).status == 400


def plain(tag: str, what: str, **inputs: Any) -> Graph:
    """A picture, without anything on its drafts."""
    return {
        "config": node("ProviderConfig", provider="google"),
        "make": node("NanoBananaGenerate", prompt=f"{tag} {what}", provider=["config", 0], **inputs),
        "show": node("PreviewImage", images=["make", 0]),
    }


@pytest.mark.parametrize(("whole_events", "status"), [(0, "error"), (2, "error"), (3, "success")])
def test_a_broken_stream_is_paid_once(bench: Bench, tag: str, whole_events: int, status: str) -> None:
    """A lost answer is asked about before it is paid again; a picture that had come whole is the result."""
    prompt = f"{tag} [[sim: small cut={whole_events}]]"
    ran = with_drafts(bench, prompt)
    assert ran.status == status and bench.paid(tag) == 1
    if status == "success":
        assert shades(ran) == GREYS[:1] and len(ran.images()) == 1
        assert [notice for notice in ran.info()["notices"] if "broke off" in notice]
        return
    assert "provider may have charged for it" in ran.error
    page = Page(bench)
    kept = [each for each in page.pictures(tag) if each["role"] == "extra"]
    assert len(kept) == whole_events // 2 and ("results panel" in ran.error) == bool(kept)
    for each in kept:
        draft = Image.open(io.BytesIO(page.ask("GET", f"/results/{each['id']}/image").data))
        assert draft.convert("RGB").getpixel((1, 1)) == (GREYS[0],) * 3
    again = with_drafts(bench, prompt)
    assert again.status == "error" and bench.paid(tag) == 1, again.error


def test_cancel_in_the_middle_of_a_stream_loses_nothing(bench: Bench, listener: WsClient, tag: str) -> None:
    """The host is interrupted at once; the picture lands in the store, and the next run takes it from there."""
    graph = watched(tag, linked=True)
    prompt_id = bench.host.queue_prompt(graph, listener.client)
    listener.wait_text("a draft is here")
    bench.host.post("/interrupt", {})
    assert listener.wait_end(prompt_id).kind == "execution_interrupted"
    bench.doubles.release()
    ran = bench.run(graph)
    assert ran.status == "success", ran.error
    assert bench.paid(tag) == 1 and shades(ran) == GREYS[:1]
