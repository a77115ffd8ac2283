"""What Google's own API can do beyond a picture: words beside it, temperature, top P and the sources of a search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pack.tests.host.all_providers import all_providers
from pack.tests.host.kit import Bench, node


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


def test_the_sources_of_a_search_are_data_too(bench: Bench, tag: str) -> None:
    """Of the paid picture and of the stored one alike; without a search there is nothing of the kind."""
    page = {"title": "Facts", "uri": "https://example.com/facts"}
    searched = [bench.generate(tag, "google", {"timeout": each}, enable_web_search=True) for each in (60, 61)]
    assert [ran.info()["images"][0]["sources"] for ran in searched] == [[page], [page]] and bench.paid(tag) == 1
    assert "sources" not in bench.generate(tag, "google").info()["images"][0]
