"""Requests overlap up to the limits and no further, judged by what the doubles saw and not by the clock.

It holds its answers until as many requests are there as should be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pack.tests.host.kit import Bench, Ran, node
from PIL import Image


def together(requests: list[dict[str, Any]]) -> int:
    """The most requests that were open at one moment."""
    moments = sorted([(r["at"], 1) for r in requests] + [(r["answered_at"], -1) for r in requests])
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


def eight(tag: str, provider: str = "onerouter", **config: Any) -> dict[str, Any]:
    """Eight nodes side by side behind one ProviderConfig."""
    prompt = {"config": node("ProviderConfig", provider=provider, **config)}
    for number in range(8):
        prompt[f"make{number}"] = node("NanoBananaGenerate", prompt=f"{tag} {number}", provider=["config", 0])
        prompt[f"show{number}"] = node("PreviewImage", images=[f"make{number}", 0])
    return prompt


def held(bench: Bench, prompt: dict[str, Any], tag: str, count: int) -> Ran:
    """Runs a prompt whose requests are answered only once `count` of them are there; no others may be by then."""
    bench.doubles.fault("hold", match=tag)
    prompt_id = bench.host.queue_prompt(prompt)
    assert bench.doubles.wait(prompt=tag, count=count), f"{len(bench.asked(tag))} requests at a time"
    running = bench.host.get("/queue")["queue_running"]
    assert [entry[1] for entry in running] == [prompt_id], "requests on their way hold the host"
    assert not bench.doubles.wait(prompt=tag, count=count + 1, timeout=0.5), "more than the limit"
    bench.doubles.clear_faults()
    return Ran(bench.host, bench.host.wait_prompt(prompt_id))


def one(tag: str, num_images: int, provider: str = "onerouter", **config: Any) -> dict[str, Any]:
    """One node for many pictures."""
    return {
        "config": node("ProviderConfig", provider=provider, **config),
        "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0], num_images=num_images),
        "show": node("PreviewImage", images=["make", 0]),
    }


def test_eight_nodes_are_asked_for_at_once(bench: Bench, tag: str) -> None:
    """The eighth request has arrived before the first is answered; the host's queue answers meanwhile."""
    ran = held(bench, eight(tag), tag, 8)
    assert ran.status == "success", ran.error
    assert len(bench.asked(tag)) == 8


def test_a_graph_may_lower_the_limit(bench: Bench, tag: str) -> None:
    """max_parallel counts over all nodes of the provider, not per node."""
    ran = held(bench, eight(tag, max_parallel=3), tag, 3)
    assert ran.status == "success", ran.error
    assert len(bench.asked(tag)) == 8 and together(bench.asked(tag)) == 3


def test_a_graph_can_not_raise_the_limit(bench: Bench, tag: str) -> None:
    """Sixteen single calls at a provider that takes eight at a time."""
    ran = held(bench, one(tag, 16, "nanobanana", max_parallel=64), tag, 8)
    assert ran.status == "success", ran.error
    assert len(ran.images()) == 16 and [image["slot"] for image in ran.info()["images"]] == list(range(16))
    assert len(bench.asked(tag)) == 16 and together(bench.asked(tag)) == 8


def test_several_pictures_per_call_need_fewer_calls(bench: Bench, tag: str) -> None:
    """Sixteen pictures where a call gives four: four calls at once."""
    ran = held(bench, one(tag, 16), tag, 4)
    assert ran.status == "success", ran.error
    asked = bench.asked(tag)
    assert len(ran.images()) == 16 and [request["fields"]["n"] for request in asked] == [4, 4, 4, 4]
    assert bench.paid(tag) == 16


def test_one_provider_does_not_wait_for_another(bench: Bench, tag: str) -> None:
    """Each provider has its own line."""
    prompt = eight(f"{tag} first", max_parallel=1)
    second = eight(f"{tag} second", "apiframe")
    prompt |= {f"second_{name}": _renamed(value) for name, value in second.items()}
    bench.doubles.fault("hold", provider="onerouter", match=f"{tag} first")
    prompt_id = bench.host.queue_prompt(prompt)
    assert bench.doubles.wait(prompt=f"{tag} second", state="answered", count=8)
    assert len(bench.asked(f"{tag} first")) <= 1
    bench.doubles.clear_faults()
    ran = Ran(bench.host, bench.host.wait_prompt(prompt_id))
    assert ran.status == "success", ran.error
    assert together(bench.asked(f"{tag} first")) == 1


def _renamed(value: dict[str, Any]) -> dict[str, Any]:
    inputs = {k: [f"second_{v[0]}", v[1]] if isinstance(v, list) else v for k, v in value["inputs"].items()}
    return {**value, "inputs": inputs}


def test_a_list_of_twenty_maps_side_by_side(bench: Bench, tag: str) -> None:
    """The host runs a node once per element; those runs overlap like nodes do, and keep their order."""
    frames = [Image.fromarray(np.full((48, 48, 3), 10 * number, np.uint8)) for number in range(20)]
    path = bench.host.base / "input" / "twenty.png"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    prompt = {
        "load": node("LoadImage", image=path.name),
        "list": node("RebatchImages", images=["load", 0], batch_size=1),
        "config": node("ProviderConfig", provider="onerouter"),
        "make": node(
            "NanoBananaEdit", prompt=tag, images__image_1=["list", 0], provider=["config", 0],
            output_size="match first image",
        ),
        "show": node("PreviewImage", images=["make", 0]),
        "before": node("PreviewImage", images=["make", 4]),
    }  # fmt: skip
    ran = held(bench, prompt, tag, 8)
    assert ran.status == "success", ran.error
    asked = bench.asked(tag)
    assert len(asked) == 20 and together(asked) == 8
    assert len(ran.images()) == 20
    assert [int(frame[0, 0, 0]) for frame in ran.images("before")] == [10 * number for number in range(20)]
