"""Conversations in the real host: chains, branches, frames, the store, a kill in the middle, and what must not get out.

The double of Google refuses a turn whose signature is missing, altered or another part's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import TEST_ARGUMENTS, Host
from pack.tests.host.kit import ODD_NODE, Bench, Ran, colours, node, provider_variables

KEY = "sim-q7Zt4Rw9Lx2Vb6Nc"


def variables(doubles: Any, home: Path) -> dict[str, str]:
    return provider_variables(doubles, KEY) | {
        "NANO_BANANA_HOME": str(home),
        "NANO_BANANA_GOOGLE_BASE_URL": doubles.base_url("google"),
        "NANO_BANANA_GOOGLE_API_KEY": KEY,
    }


def begin(doubles: Any, base: Path, home: Path) -> Bench:
    (base / "custom_nodes").mkdir(parents=True, exist_ok=True)
    (base / "custom_nodes" / "odd_values.py").write_text(ODD_NODE)
    return Bench(Host.start(base, variables(doubles, home), TEST_ARGUMENTS), doubles)


def google(model: str = "nano-banana-pro") -> dict[str, Any]:
    return node("ProviderConfig", provider="google", model=model)


def first(prompt: str, **inputs: Any) -> dict[str, Any]:
    return node("NanoBananaGenerate", prompt=prompt, provider=["config", 0], **inputs)


def after(prompt: str, before: str, output: int, **inputs: Any) -> dict[str, Any]:
    """A Generate that goes on from another node. `output`: where that node has its conversation."""
    return first(prompt, conversation=[before, output], **inputs)


CONVERSATION = {"NanoBananaGenerate": 5, "NanoBananaEdit": 6}
"""The number of the output `conversation`."""
G, E = CONVERSATION["NanoBananaGenerate"], CONVERSATION["NanoBananaEdit"]


def shown(*names: str) -> dict[str, Any]:
    return {f"show-{name}": node("PreviewImage", images=[name, 0]) for name in names}


def roles(bench: Bench, prompt: str) -> list[list[str]]:
    """The turns of each request whose prompt has `prompt` in it."""
    return [[turn["role"][0] for turn in entry["fields"]["contents"]] for entry in bench.asked(prompt)]


def chain(tag: str, bench: Bench, second: str = "two") -> dict[str, Any]:
    """Generate, an Edit of its picture with a further reference, a Generate."""
    edit = {
        "images__image_1": ["one", 0], "images__image_2": ["load", 0], "conversation": ["one", G],
        "provider": ["config", 0],
    }  # fmt: skip
    return {
        "config": google(),
        "load": node("LoadImage", image=bench.put(f"{tag}.png", colours(24, 32))),
        "one": first(f"{tag} one"),
        "two": node("NanoBananaEdit", prompt=f"{tag} {second}", **edit),
        "three": after(f"{tag} three", "two", E),
        **shown("one", "two", "three"),
    }


def size_of(ran: Ran, name: str) -> tuple[int, int]:
    """(width, height) of the picture of a node."""
    (picture,) = ran.info(name)["images"]
    return picture["width"], picture["height"]


def succeeded(ran: Ran) -> Ran:
    assert ran.status == "success", ran.error or ran.refusal
    return ran


def interrupted_chain() -> dict[str, Any]:
    """Three turns, of which the second is not answered the first time."""
    return {
        "config": google(),
        "one": first("killed one"),
        "two": after("killed two [[sim: slow=600 times=1]]", "one", G),
        "three": after("killed three", "two", G),
        **shown("three"),
    }


@pytest.fixture(scope="module")
def restarted(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Path]]:
    """A host with a key for Google, on the data folder of one that was killed in the middle of that chain."""
    base = tmp_path_factory.mktemp("talk")
    home = base / "home"
    one = begin(doubles, base / "one", home)
    one.host.queue_prompt(interrupted_chain())
    assert doubles.wait(prompt="killed two", state="received")
    one.host.kill()
    bench = begin(doubles, base / "two", home)
    yield bench, home
    bench.host.stop()


@pytest.fixture
def talk(restarted: tuple[Bench, Path]) -> Bench:
    return restarted[0]


def test_a_chain_of_nodes_is_one_conversation(talk: Bench, tag: str) -> None:
    """The picture that came is not sent again beside its turn; an earlier prompt changed asks only from there on."""
    ran = succeeded(talk.run(chain(tag, talk)))
    assert roles(talk, f"{tag} two") == [["u", "m", "u"]] and roles(talk, f"{tag} three") == [["u", "m", "u", "m", "u"]]
    (entry,) = talk.asked(f"{tag} two")
    assert [(one["width"], one["height"]) for one in entry["references"]] == [size_of(ran, "one"), (32, 24)]
    assert not ran.info("three")["notices"] and talk.paid(tag) == 3
    succeeded(talk.run(chain(tag, talk, "two, but blue")))
    assert talk.paid(tag) == 5


def test_slots_and_frames_have_a_branch_each(talk: Bench, tag: str) -> None:
    """One picture is forked by two slots, each goes on by itself; and frame by frame in an edit."""
    each = {
        "images__image_1": ["fork", 0], "conversation": ["fork", G], "batch_mode": "each", "provider": ["config", 0],
    }  # fmt: skip
    graph = {
        "config": google(),
        "one": first(f"{tag} stem"),
        "fork": after(f"{tag} fork", "one", G, num_images=2, seed=3),
        "on": after(f"{tag} on", "fork", G, num_images=2),
        "each": node("NanoBananaEdit", prompt=f"{tag} each", **each),
        **shown("on", "each"),
    }
    ran = succeeded(talk.run(graph))
    assert len(ran.images("show-on")) == len(ran.images("show-each")) == 2
    stems = {json.dumps(entry["fields"]["contents"][1]) for entry in talk.asked(f"{tag} fork")}
    assert len(stems) == 1
    for name in ("on", "each"):
        entries = talk.asked(f"{tag} {name}")
        assert len({json.dumps(entry["references"][1]["sha256_pixels"]) for entry in entries}) == 2, name
        assert all(len(entry["references"]) == 2 for entry in entries), name
    wrong = {**graph, "on": after(f"{tag} wrong", "fork", G, num_images=3)}
    ran = talk.run({name: value for name, value in wrong.items() if "each" not in name})
    assert "2 branches" in ran.error and "num_images is 3" in ran.error and not talk.asked(f"{tag} wrong")


def test_a_picture_of_the_results_folder_goes_on(talk: Bench, tag: str) -> None:
    """Its node gives the whole conversation; a picture that isn't here is refused by name."""
    succeeded(talk.run(chain(tag, talk)))
    found = talk.host.get(f"/nano_banana/results?query={tag}")["results"]
    (last,) = [one for one in found if one["prompt"] == f"{tag} three"]
    content = last["content"]
    graph = {
        "config": google(),
        "said": node("NanoBananaConversation", picture=content),
        "make": first(f"{tag} and now", conversation=["said", 0]),
        **shown("make"),
    }
    succeeded(talk.run(graph))
    assert roles(talk, f"{tag} and now") == [["u", "m"] * 3 + ["u"]]
    for odd, words in (("0" * 64, "No picture 000000000000"), ("../secret", "no content id"), ("", "no content id")):
        ran = talk.run({**graph, "said": node("NanoBananaConversation", picture=odd)})
        assert words in ran.error and "Continue this conversation" in ran.error, ran.error


def test_other_providers_get_the_last_picture(talk: Bench, tag: str) -> None:
    graph = {
        "config": google(),
        "other": node("ProviderConfig", provider="onerouter"),
        "one": first(f"{tag} one"),
        "make": node("NanoBananaGenerate", prompt=f"{tag} two", provider=["other", 0], conversation=["one", G]),
        **shown("make"),
    }
    ran = succeeded(talk.run(graph))
    assert any("was not sent as such" in notice for notice in ran.info()["notices"])
    (entry,) = talk.asked(f"{tag} two")
    assert [(one["width"], one["height"]) for one in entry["references"]] == [size_of(ran, "one")]


def test_nothing_of_it_gets_out(talk: Bench, tag: str) -> None:
    """No key, no signature and no words of it in the history, the workflow, or a failing node's inputs."""
    graph = chain(tag, talk) | {
        "bad": after(f"{tag} four [[sim: status=400]]", "three", G),
        **shown("bad"),
    }
    ran = talk.run(graph)
    assert ran.error
    (entry,) = talk.asked(f"{tag} three")
    signature = entry["fields"]["contents"][1]["parts"][-1]["thoughtSignature"]
    history = json.dumps(ran.entry)
    assert len(signature) > 20 and signature not in history and KEY not in history
    inputs = ran._message("execution_error").get("current_inputs", {})
    assert "Conversation(1 branches; turns: 3)" in json.dumps(inputs) or not inputs.get("conversation")


def test_a_kill_in_the_middle_pays_each_turn_once(restarted: tuple[Bench, Path]) -> None:
    """Killed while the second turn is answered: the first comes from the store with its signatures, the second is asked
    about and then sent as it was."""
    two, home = restarted
    graph = interrupted_chain()
    asked = two.run(graph)
    assert "may have been charged" in asked.error and two.paid("killed one") == 1
    succeeded(two.run(graph))
    assert roles(two, "killed two") == [["u", "m", "u"]] * 2
    assert roles(two, "killed three") == [["u", "m", "u", "m", "u"]]
    assert [two.paid(f"killed {turn}") for turn in ("one", "two", "three")] == [1, 2, 1]
    sent = [json.dumps(entry["fields"]["contents"]) for entry in two.asked("killed two")]
    assert sent[0] == sent[1]
    for file in home.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file
