"""Orders at half price in a real host: what the node gives meanwhile, how they arrive, are cancelled, survive SIGKILL."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.host.kit import Bench, Ran, node, provider_variables
from pack.tests.host.page import Page

HALF = 0.0168
"""Google's recommended model at 1K in an order, in US dollars."""
NAME = "nano-banana-"
"""What the display name of every order begins with."""


OLDER_VERSION = """
import sys
genuine = []
class Older:
    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "set", "x", True
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"is_older": ("BOOLEAN", {})}}
    def set(self, is_older):
        (module,) = [found for name, found in sys.modules.items() if name.endswith(".core.dialects.batch.gemini")]
        genuine[:] = genuine or [module.answer_of]
        module.answer_of = self.unreadable if is_older else genuine[0]
        return {}
    @staticmethod
    def unreadable(job, value, reply):
        found = genuine[0](job, value, reply)
        return type(found)(found.key, type(found.step)(())) if found.key == "1" else found
NODE_CLASS_MAPPINGS = {"TestOlderVersion": Older}
"""
"""A pack for tests: a node that has ours find no picture in the second answer of an order, as a version before its time."""


def variables(doubles: Any) -> dict[str, str]:
    google = {"NANO_BANANA_GOOGLE_BASE_URL": doubles.base_url("google"), "NANO_BANANA_GOOGLE_API_KEY": "sim-test"}
    return provider_variables(doubles) | google


LOST = {state: [f"lost {state} {number}" for number in ("one", "two")] for state in ("accepted", "sent")}
"""The pictures of two orders, by the state of the order in which SIGKILL finds it."""


@pytest.fixture(scope="module")
def google(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A host on the data folder of one that was killed with those orders out, which are done by now."""
    base = tmp_path_factory.mktemp("orders")
    data = variables(doubles) | {"NANO_BANANA_HOME": str(base / "home")}
    killed = Bench(Host.start(base / "one", data), doubles)
    doubles.fault("task=hang", provider="google", match=NAME)
    assert killed.run(graph(LOST["accepted"])).status == "success"
    doubles.clear_faults()
    doubles.fault("hold", provider="google", match=NAME)
    killed.host.queue_prompt(graph(LOST["sent"]))
    until(lambda: orders_of(doubles, LOST["sent"][0]))
    killed.host.kill()
    doubles.clear_faults()
    doubles.finish_batches()
    (base / "two" / "custom_nodes").mkdir(parents=True)
    (base / "two" / "custom_nodes" / "older_version.py").write_text(OLDER_VERSION)
    with Host.start(base / "two", data) as host:
        host.home = base / "home"
        yield Bench(host, doubles)


@pytest.fixture(autouse=True)
def no_faults(doubles: Any) -> Iterator[None]:
    yield
    doubles.clear_faults()
    doubles.finish_batches()


def until(true: Callable[[], Any], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def graph(prompts: list[str], **inputs: Any) -> dict[str, Any]:
    """One node over a list of prompts; "show" is behind its pictures, "said" behind its info."""
    made: dict[str, Any] = {f"p{n}": node("PrimitiveString", value=prompt) for n, prompt in enumerate(prompts)}
    made["list"] = {
        "class_type": "CreateList",
        "inputs": {f"inputs.input{n}": [f"p{n}", 0] for n in range(len(prompts))},
    }
    link = ["list", 0] if len(prompts) > 1 else ["p0", 0]
    made["make"] = node("NanoBananaGenerate", prompt=link, **({"delivery": "batch"} | inputs))
    made["show"] = node("PreviewImage", images=["make", 0])
    made["said"] = node("PreviewAny", source=["make", 3])
    return made


def orders_of(doubles: Any, prompt: str) -> list[Any]:
    """The orders at the double that have `prompt` in one of their requests."""
    return [batch for batch in list(doubles._router.batches.batches.values()) if prompt in str(batch.items)]


def infos(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(text) for text in ran.outputs["make"]["nano_banana"]]


def arrived(page: Page, tag: str, count: int) -> bool:
    """Whether so many pictures of a test have arrived."""
    return len([each for each in page.pictures(tag) if each["state"] == "stored"]) == count


@pytest.mark.parametrize("state", LOST)
def test_a_killed_host_collects_its_order_by_itself(google: Bench, doubles: Any, state: str) -> None:
    """Nobody asks after the restart, and nothing is paid twice."""
    until(lambda: arrived(Page(google), f"lost {state}", 2))
    assert len(google.run(graph(LOST[state])).images()) == 2
    assert google.paid(f"lost {state}") == 2 and len(orders_of(doubles, f"lost {state}")) == 1


def test_a_list_is_one_order_that_arrives(google: Bench, tag: str) -> None:
    google.doubles.fault("task=hang", provider="google", match=NAME)
    page, prompts = Page(google), [f"{tag} {name}" for name in ("one", "two", "three")]
    for run in (1, 2):  # asked again while it is out: the same order, for nothing
        ran = google.run(graph(prompts))
        assert ran.status == "success", ran.error
        assert "show" not in ran.outputs and len(ran.outputs["said"]["text"]) == 3
        found = infos(ran)
        assert [info["pending"][0] | {"order": ""} for info in found] == [{"slot": 0, "frame": 0, "order": ""}] * 3
        assert not any(info["failed"] or info["images"] for info in found)
        assert sum(info["cost_usd"] for info in found) == pytest.approx(3 * HALF if run == 1 else 0)
    (open_order,) = [each for each in page.good("GET", "/orders")["orders"] if each["pictures"] == 3]
    assert {info["pending"][0]["order"] for info in found} == {open_order["id"]}
    one = graph(prompts[:1])
    facts = page.good("POST", "/estimate", {"prompt": one})["nodes"]["make"]
    assert (facts["usd"], facts["stored"], facts["ordered"]) == (0, 1, 1)
    assert open_order["accepted"] and open_order["usd"] == pytest.approx(3 * HALF)
    now = google.run(graph(prompts, delivery="now"))
    assert now.status == "error" and "Cancel the order first" in now.error
    assert google.paid(tag) == 0
    google.doubles.finish_batches()
    until(lambda: arrived(page, tag, 3))
    back = google.run(graph(prompts))
    assert back.status == "success" and len(back.images()) == 3
    assert all(info["images"][0]["from"] == "store" and "pending" not in info for info in infos(back))
    assert google.paid(tag) == 3
    assert page.good("GET", "/results/collected")["pictures"] == 3


def test_an_order_is_cancelled_and_its_picture_made_now(google: Bench, tag: str) -> None:
    google.doubles.fault("task=hang", provider="google", match=NAME)
    page = Page(google)
    assert google.run(graph([tag])).status == "success"
    (row,) = page.pictures(tag)
    assert row["order"] and row["state"] == "accepted"
    found = page.good("POST", f"/orders/{row['order']}/cancel", {})
    assert found["cancelled"] and found["ended"] and "1 picture" in found["text"]
    assert [each["state"] for each in page.pictures(tag)] == ["refused"]
    assert page.ask("POST", f"/orders/{row['order']}/cancel", {}).status == 404
    assert google.run(graph([tag], delivery="now")).status == "success"
    assert google.paid(tag) == 1


def test_what_fails_in_an_order_is_named(google: Bench, tag: str) -> None:
    page = Page(google)
    google.run(graph([f"{tag} good", f"{tag} bad [[sim: status=400]]"]))
    until(lambda: not any(each["order"] for each in page.pictures(tag)))
    assert {each["prompt"][-4:]: each["state"] for each in page.pictures(tag)} == {"good": "stored", "00]]": "refused"}
    told = page.good("GET", "/results/collected")
    assert (told["pictures"], told["failed"]) == (1, 1) and "did not make this picture" in told["text"]


def test_a_kept_answer_of_an_order_is_read_again(google: Bench, tag: str) -> None:
    """By the version that it needs; until then its picture stays in doubt. Nothing is sent for it."""
    page, prompts = Page(google), [f"{tag} good", f"{tag} odd"]
    for is_older in (True, False):
        assert google.run({"set": node("TestOlderVersion", is_older=is_older)}).status == "success"
        if is_older:
            assert google.run(graph(prompts)).status == "success"
            until(lambda: not any(each["open"] for each in page.pictures(tag)))
            (odd,) = page.pictures(f"{tag} odd")
            assert odd["state"] == "unknown" and odd["answer"] and odd["in_doubt"]
        before = len(google.doubles.request_log()["free"])
        found = page.good("POST", f"/results/{odd['id']}/read", {})
        assert (found["pictures"], bool(found["reason"])) == ((0, True) if is_older else (1, False))
        assert found["result"]["state"] == ("unknown" if is_older else "stored")
        assert len(google.doubles.request_log()["free"]) == before
    ran = google.run(graph(prompts))
    assert len(ran.images()) == 2 and google.paid(tag) == 2


def test_a_conversation_goes_on_from_a_picture_of_an_order(google: Bench, tag: str) -> None:
    """From its node, once it has arrived, from the results panel, and by another order. The double refuses a turn that is not
    as the model gave it."""
    page = Page(google)

    def turns(prompt: str) -> list[list[str]]:
        return [[turn["role"][0] for turn in entry["fields"]["contents"]] for entry in google.asked(prompt)]

    chain: dict[str, Any] = {
        "one": node("NanoBananaGenerate", prompt=f"{tag} one", delivery="batch"),
        "two": node("NanoBananaGenerate", prompt=f"{tag} two", delivery="batch", conversation=["one", 5]),
        "three": node("NanoBananaGenerate", prompt=f"{tag} three", conversation=["two", 5]),
        "show": node("PreviewImage", images=["three", 0]),
    }
    for name in ("one", "two"):  # what goes on from an order waits for it
        ran = google.run(chain)
        assert ran.status == "success" and "show" not in ran.outputs
        until(partial(arrived, page, f"{tag} {name}", 1))
    ran = google.run(chain)
    assert len(ran.images()) == 1 and not ran.info("three")["notices"]
    assert turns(f"{tag} three") == [["u", "m", "u", "m", "u"]]
    (entry,) = google.asked(f"{tag} two")
    assert len(entry["references"]) == 1, "the picture of the order before it, in its turn"
    (two,) = page.pictures(f"{tag} two")
    said = {
        "said": node("NanoBananaConversation", picture=two["content"]),
        "four": node("NanoBananaGenerate", prompt=f"{tag} four", conversation=["said", 0]),
        "show": node("PreviewImage", images=["four", 0]),
    }
    assert len(google.run(said).images()) == 1 and turns(f"{tag} four") == [["u", "m", "u", "m", "u"]]
    assert google.paid(tag) == 4
    assert not list((page.home / "results" / "ordered").iterdir())


def test_the_price_of_an_order_stands_before_it(google: Bench, tag: str) -> None:
    page, prompt = Page(google), graph([tag], num_images=2)
    facts = page.good("POST", "/estimate", {"prompt": prompt, "detail": True})["nodes"]["make"]
    assert facts["usd"] == pytest.approx(2 * HALF) and facts["usd_counted"] == pytest.approx(2 * HALF)
    assert (facts["delivery"], facts["usd_now_each"]) == ("batch", pytest.approx(2 * HALF))
    assert facts["sends"][0]["url"].endswith(":batchGenerateContent")
    prompt["config"] = node("ProviderConfig", provider="onerouter")
    prompt["make"]["inputs"]["provider"] = ["config", 0]
    refused = page.good("POST", "/estimate", {"prompt": prompt})["nodes"]["make"]
    assert "half price" in refused["problem"]["what"]
    assert "Google's own" in google.run(prompt).error and google.paid(tag) == 0
