"""The routes of the results panel: filters, pages, favourites, what a picture was made from."""

from __future__ import annotations

import os
import time
from typing import Any
from urllib.parse import quote

import pytest
from pack.tests.host.kit import Bench, node
from pack.tests.host.page import Page
from PIL import Image


@pytest.fixture
def page(bench: Bench) -> Page:
    return Page(bench)


def prompts(page: Page, query: str) -> list[str]:
    return [each["prompt"] for each in page.good("GET", f"/results?{query}")["results"]]


def test_filters_hold_together_and_page_by_page(page: Page, tag: str) -> None:
    """Provider, model, state and time; the first page has the number of pictures, each page the rest of the same list."""
    for number, provider in enumerate(("onerouter", "apiframe", "onerouter")):
        assert page.bench.generate(f"{tag} {number}", provider).status == "success"
    assert page.bench.generate(f"{tag} refused [[sim: refuse]]", "runflow").status == "error"
    every = page.pictures(tag)
    assert len(every) == 4
    mine = f"query={quote(tag)}"
    assert prompts(page, f"{mine}&provider=onerouter") == [f"{tag} 2", f"{tag} 0"]
    assert prompts(page, f"{mine}&provider=onerouter&until={every[1]['created']}") == [f"{tag} 0"]
    assert prompts(page, f"{mine}&state=stored&since={every[2]['created']}") == [f"{tag} 2", f"{tag} 1"]
    assert prompts(page, f"{mine}&state=refused") == [f"{tag} refused [[sim: refuse]]"]
    model = quote(every[1]["model"], safe="")
    assert prompts(page, f"{mine}&model={model}&state=stored,unknown&provider=onerouter") == [f"{tag} 2", f"{tag} 0"]
    assert prompts(page, f"{mine}&model={model}&provider=apiframe") == []
    first = page.good("GET", f"/results?{mine}&state=stored&limit=2")
    assert first["pictures"] == 3 and [each["prompt"] for each in first["results"]] == [f"{tag} 2", f"{tag} 1"]
    second = page.good("GET", f"/results?{mine}&state=stored&limit=2&cursor={first['next']}")
    assert [each["prompt"] for each in second["results"]] == [f"{tag} 0"] and second["next"] is None
    assert "pictures" not in second
    choices = {each["id"]: each for each in page.good("GET", "/results/choices")["providers"]}
    assert choices["onerouter"]["label"] == "OneRouter" and every[1]["model"] in choices["onerouter"]["models"]


HOSTILE = (
    *(quote("'; DROP TABLE picture; --"), "%", "_", "a" * 3000, "%00", "%ff%fe", "..%2F..%2Fkeys.json", "%F0%9F%8D%8C"),
    *("nan", "inf", "-inf", "1e999", "9" * 400, "0x10", "true", "[]", "{}"),
)


@pytest.mark.parametrize(
    "name", ["query", "state", "provider", "model", "since", "until", "favourite", "cursor", "limit"]
)
def test_hostile_values_are_refused_or_find_nothing(page: Page, name: str) -> None:
    """Never an error of the server's own, never another kind of answer."""
    for value in HOSTILE:
        answer = page.ask("GET", f"/results?{name}={value}&{name}={value}")
        assert answer.status in (200, 400), (value, answer.data[:300])
        if answer.status == 200:
            assert set(answer.json) <= {"results", "next", "pictures"}
        else:
            assert name in answer.error, answer.error
    for name_of_time in ("since", "until"):
        assert page.ask("GET", f"/results?{name_of_time}=nan").status == 400
        assert page.ask("GET", f"/results?{name_of_time}=inf").status == 400
    assert page.ask("GET", "/results?favourite=no").status == 400


def test_a_favourite_is_marked_and_kept_when_others_are_forgotten(page: Page, tag: str) -> None:
    for number in range(3):
        assert page.bench.generate(f"{tag} {number}").status == "success"
    newest, *_ = page.pictures(tag)
    path = f"/results/{newest['id']}/favourite"
    assert newest["favourite"] is False
    assert page.good("PUT", path, {"favourite": True}) == {"favourite": True}
    assert [each["id"] for each in page.pictures(tag, favourite="yes")] == [newest["id"]]
    for body in ({}, {"favourite": "yes"}, {"favourite": None}, {"favourite": 1}):
        assert page.ask("PUT", path, body).status == 400
    assert page.ask("PUT", "/results/nobody/favourite", {"favourite": True}).status == 404
    assert page.ask("PUT", path, {"favourite": False}, Sec_Fetch_Site="cross-site").status == 403
    assert page.good("DELETE", f"/results?before={newest['created'] + 1}&keep=favourites")["forgotten"] >= 2
    assert [each["favourite"] for each in page.pictures(tag)] == [True]
    assert page.good("PUT", path, {"favourite": False}) == {"favourite": False}
    assert page.pictures(tag, favourite="yes") == []


def test_what_a_picture_was_made_from(page: Page, tag: str) -> None:
    """Files with their state, pictures of the same run with their ids; nothing for a picture that isn't known."""

    def made(node_id: str) -> dict[str, Any]:
        (found,) = [each for each in page.pictures(tag) if each["prompt"] == f"{tag} {node_id}"]
        return found

    file = page.host.base / "input" / f"{tag}.png"
    file.parent.mkdir(exist_ok=True)
    Image.new("RGB", (64, 48), (9, 90, 200)).save(file)
    ran = page.bench.run(
        {
            "load": node("LoadImage", image=file.name),
            "config": node("ProviderConfig", provider="onerouter"),
            "make": node("NanoBananaGenerate", prompt=f"{tag} make", provider=["config", 0], num_images=2),
            "edit": node(
                "NanoBananaEdit",
                prompt=f"{tag} edit",
                provider=["config", 0],
                seed=5,
                images__image_1=["load", 0],
                images__image_2=["make", 0],
            ),
            "show": node("PreviewImage", images=["edit", 0]),
        }
    )
    assert ran.status == "success", ran.error
    origin = page.good("GET", f"/results/{made('edit')['id']}/origin")
    assert origin["options"] == {"seed": 5}
    first, second = origin["references"]
    assert first == {"input": "image_1", "sources": [{"file": file.name, "state": "here"}], "through": []}
    (source,) = second["sources"]
    both = {each["id"] for each in page.pictures(f"{tag} make")}
    assert source["prompt"] == f"{tag} make" and set(source["pictures"]) == both and len(both) == 2
    after = time.time() + 5
    os.utime(file, (after, after))
    (changed, _) = page.good("GET", f"/results/{made('edit')['id']}/origin")["references"]
    assert changed["sources"][0]["state"] == "changed"
    file.unlink()
    (gone, _) = page.good("GET", f"/results/{made('edit')['id']}/origin")["references"]
    assert gone["sources"][0]["state"] == "gone"
    assert page.ask("GET", "/results/nobody/origin").status == 404
