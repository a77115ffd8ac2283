"""What a person sees on a node while it runs, and that nobody else sees it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator

import pytest
from pack.tests.host.kit import Bench, node
from pack.tests.host.ws_client import WsClient, ws_client
from PIL import Image


@pytest.fixture
def listener(bench: Bench) -> Iterator[WsClient]:
    with ws_client(bench.host) as listening:
        yield listening


def _prompt(text: str, provider: str = "onerouter", **inputs: object) -> dict[str, object]:
    return {
        "config": node("ProviderConfig", provider=provider),
        "make": node("NanoBananaGenerate", prompt=text, provider=["config", 0], **inputs),
        "show": node("PreviewImage", images=["make", 0]),
    }


def test_the_text_names_provider_model_numbers_and_seconds(bench: Bench, listener: WsClient, tag: str) -> None:
    """Everything a person asks while waiting: where, what, how many, how long."""
    prompt_id = bench.host.queue_prompt(_prompt(f"{tag} [[sim: slow=1.2]]", num_images=3), listener.client)
    assert listener.wait_end(prompt_id).kind == "execution_success"
    texts = [frame.data for frame in listener.of("text")]
    assert texts and {node_id for node_id, _ in texts} == {"make"}
    waiting = [text for _, text in texts if "waiting for the answer" in text]
    assert waiting, texts
    for text in waiting:
        assert "OneRouter" in text and "nano-banana-2" in text and "0 of 3" in text and re.search(r"\b\d+ s\b", text)
    seconds = [int(found[1]) for text in waiting if (found := re.search(r"\b(\d+) s\b", text))]
    assert seconds == sorted(seconds) and seconds[-1] >= 1, "the seconds stand still"


def test_the_page_is_told_the_same_with_what_it_needs_to_say_it(bench: Bench, listener: WsClient, tag: str) -> None:
    """The text without the provider, the messages that it is made of, and the sizes of the pictures that are back."""
    prompt_id = bench.host.queue_prompt(
        _prompt(f"{tag} [[sim: slow=0.6]]", num_images=2, resolution="1K"), listener.client
    )
    assert listener.wait_end(prompt_id).kind == "execution_success"
    texts = [text for _, text in (frame.data for frame in listener.of("text"))]
    told = [frame.data for frame in listener.of("nano_banana.progress")]
    assert [f"{each['who']}  \n{each['text']}" for each in told] == texts
    assert all(each["node"] == "make" and each["messages"][each["text"]]["id"] == "run_progress.state" for each in told)
    assert "run_progress.phase.waiting_for_the_answer" in json.dumps([each["messages"] for each in told])
    info = json.loads(bench.host.wait_prompt(prompt_id)["outputs"]["make"]["nano_banana"][0])
    sizes = {(each["width"], each["height"]) for each in info["images"]}
    assert told[0]["sizes"] == []
    assert {(each["width"], each["height"]) for each in told[-1]["sizes"]} == sizes


def test_what_the_node_shows_afterwards_is_the_outputs(bench: Bench, tag: str) -> None:
    """A small file for each output picture, with the size of the picture, in the host's folder for temporary files."""
    ran = bench.run(_prompt(f"{tag} [[sim: sizes longest=0]]", num_images=3, resolution="2K"))
    output = ran.outputs["make"]
    images = json.loads(output["nano_banana"][0])["images"]
    previews = [json.loads(each) for each in output["nano_banana_previews"]]
    assert [(each["width"], each["height"]) for each in previews] == [
        (each["width"], each["height"]) for each in images
    ]
    for each in previews:
        file = bench.host.base / "temp" / each["subfolder"] / each["filename"]
        with Image.open(file) as shown:
            assert max(shown.size) <= 1024
            assert abs(shown.width / shown.height / (each["width"] / each["height"]) - 1) < 0.02
    assert "images" not in output, "other programs would take the previews for results"


def test_the_numbers_rise_as_pictures_come(bench: Bench, listener: WsClient, tag: str) -> None:
    """Four calls of different length: the person sees each picture come back."""
    prompt = _prompt(f"{tag} [[sim: slow=0.6]]", "nanobanana", num_images=3)
    prompt["config"]["inputs"]["max_parallel"] = 1  # type: ignore[index]
    prompt_id = bench.host.queue_prompt(prompt, listener.client)
    assert listener.wait_end(prompt_id).kind == "execution_success"
    back = [
        int(found[1]) for _, text in (h.data for h in listener.of("text")) if (found := re.search(r"(\d) of 3", text))
    ]
    assert back == sorted(back) and set(back) >= {0, 1, 2}


@pytest.mark.parametrize("words", ["rgba", "gray", "as=webp", "slow=0"])
def test_every_picture_is_previewed_in_rgb(bench: Bench, listener: WsClient, tag: str, words: str) -> None:
    """A preview per picture, small, whatever kind of picture it is."""
    prompt_id = bench.host.queue_prompt(_prompt(f"{tag} [[sim: {words} longest=0]]", num_images=2), listener.client)
    assert listener.wait_end(prompt_id).kind == "execution_success"
    previews = [Image.open(io.BytesIO(frame.data)) for frame in listener.of("preview")]
    assert len(previews) == 2
    for preview in previews:
        assert preview.mode == "RGB" and max(preview.size) <= 512
        assert preview.convert("L").getextrema()[0] != preview.convert("L").getextrema()[1], "a blank preview"


def test_a_wait_for_the_rate_limit_is_shown_with_its_seconds(bench: Bench, listener: WsClient, tag: str) -> None:
    """They run down; the picture comes by itself, paid once."""
    prompt = _prompt(f"{tag} [[sim: status=429 retry_after=4 times=1]]", "runflow")
    prompt_id = bench.host.queue_prompt(prompt, listener.client)
    assert listener.wait_end(prompt_id).kind == "execution_success"
    texts = [text for _, text in (frame.data for frame in listener.of("text"))]
    seconds = [int(found[1]) for text in texts if (found := re.search(r"waiting for the rate limit, (\d+) s · ", text))]
    assert seconds and 1 <= seconds[-1] <= seconds[0] <= 4 and seconds == sorted(seconds, reverse=True), texts
    assert bench.paid(tag) == 1


def test_cancel_while_it_waits_for_the_rate_limit(bench: Bench, listener: WsClient, tag: str) -> None:
    """No hint, refused for ever: interrupted, not failed, and nothing is sent afterwards."""
    prompt = _prompt(f"{tag} [[sim: status=429]]", "apiframe")
    prompt_id = bench.host.queue_prompt(prompt, listener.client)
    listener.wait(lambda frame: frame.kind == "text" and bool(re.search(r"limit, \d+ s", frame.data[1])))
    bench.host.post("/interrupt", {})
    assert listener.wait_end(prompt_id).kind == "execution_interrupted"
    asked = len(bench.asked(tag))
    assert not bench.doubles.wait(prompt=tag, count=asked + 1, timeout=3) and bench.paid(tag) == 0


def test_the_preview_of_the_first_does_not_wait_for_the_last(bench: Bench, listener: WsClient, tag: str) -> None:
    """One picture is there, the other one isn't: the first is shown already."""
    prompt = _prompt(tag, "nanobanana", num_images=2)
    prompt["config"]["inputs"]["max_parallel"] = 1  # type: ignore[index]
    bench.doubles.fault("hold", provider="nanobanana", match=tag)
    prompt_id = bench.host.queue_prompt(prompt, listener.client)
    assert bench.doubles.wait(prompt=tag)
    bench.doubles.release()
    listener.wait(lambda frame: frame.kind == "preview")
    assert not bench.doubles.wait(prompt=tag, state="answered", count=2, timeout=0)
    bench.doubles.clear_faults()
    assert listener.wait_end(prompt_id).kind == "execution_success"


def test_only_the_browser_that_asked_hears_of_it(bench: Bench, listener: WsClient, tag: str) -> None:
    """Another open browser gets neither texts nor pictures nor the pack's own events."""
    with ws_client(bench.host) as other:
        prompt_id = bench.host.queue_prompt(_prompt(f"{tag} [[sim: slow=0.5]]"), listener.client)
        assert listener.wait_end(prompt_id).kind == "execution_success"
        assert listener.of("text") and listener.of("preview")
        # What the host itself tells everybody is heard by both: so the other one was listening.
        other.wait(lambda frame: frame.kind == "status")
        assert not other.of("text") and not other.of("preview") and not other.of("binary")
        assert tag not in "".join(frame.raw for frame in other.frames)
