"""Every provider in the real host: pictures and edits, and what a person reads when one of the newer ones fails.

Pictures and edits at all of them in one prompt each: they arrive in the provider's own dialect, and come back. Of the newer
ones every telling failure in one prompt, whose branches stop one by one; then a second and a third run of those whose answers
were lost. The four providers of the first documents fail at length in `test_failures.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pack.core.providers import BUILT_IN
from pack.tests.host.all_providers import WRONG, all_providers
from pack.tests.host.failure_texts import MONEY, check_words
from pack.tests.host.kit import Bench, Ran, colours, in_turn, node

NAMES = [spec.id for spec in BUILT_IN.values()]
LABELS = {
    "google": "Google Gemini",
    "vertex": "Google Vertex AI",
    "fal": "fal",
    "replicate": "Replicate",
    "openrouter": "OpenRouter",
    "kie": "kie.ai",
    "apiframe_v2": "APIFRAME (v2)",
    "wavespeed": "WaveSpeed",
}
TASKS = ("fal", "replicate", "kie", "apiframe_v2", "wavespeed")
"""These take a task, and give an address for the picture."""
ASKED_THRICE = {"apiframe_v2": {"requests": 3}}
"""It documents an idempotency key: what may have been lost is asked for again with the same one."""


@dataclass(frozen=True)
class Case:
    """A failure and what a person is told of it; `but` has what differs at a provider."""

    words: str
    charged: str
    says: str
    cure: str
    billed: int = 0
    requests: int = 1
    providers: tuple[str, ...] = tuple(LABELS)
    but: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def part(self, name: str, provider: str) -> Any:
        return self.but.get(provider, {}).get(name, getattr(self, name))


QUOTA = {"says": "quota is used up", "cure": "enable billing"}
FREE = {"charged": "no"}
CASES = {
    "wrong-key": Case(
        "", "no", "refused the key", "_WRONG_API_KEY",
        but={"vertex": {"says": "gives no token for the service account", "cure": "still exist", "requests": 0}},
    ),
    "no-credit": Case("status=402", "no", "no credit left", "Top up", but={"google": QUOTA, "vertex": QUOTA}),
    "denied": Case("status=403", "no", "denied access", "Check the key in NANO_BANANA_"),
    "moderated": Case(
        "refuse", "maybe", "declined this prompt", "hange the prompt",
        but=dict.fromkeys(("openrouter", "kie", "apiframe_v2"), FREE),
    ),
    "no-picture": Case(
        "refuse=200", "maybe", "answered without a picture", "ask plainly for a picture",
        but={"kie": FREE, "apiframe_v2": FREE,
             "google": {"says": "content policy"}, "vertex": {"says": "content policy"},
             "fal": {"says": "content policy", "cure": "Change the prompt"},
             "openrouter": {"says": "content policy", "cure": "Change the prompt"}},
    ),
    "server": Case("status=500", "maybe", "fault is on its side", "in a few minutes", but=ASKED_THRICE),
    "server-billed": Case("status=500 paid", "maybe", "fault is on its side", "in a few minutes", 1, but=ASKED_THRICE),
    "login-page": Case("html", "maybe", "not the API's JSON", "address", but=ASKED_THRICE),
    "broken-json": Case("broken_json", "maybe", "not the API's JSON", "", 1, but=ASKED_THRICE),
    "no-answer": Case("drop=headers", "maybe", "no answer came back", "queue again", 1, but=ASKED_THRICE),
    "half-a-picture": Case("short", "yes", "could not be read", "ueue again", 1),
    "task-fails": Case(
        "task=fail", "maybe", "could not finish the task", "Queue again", providers=TASKS,
        but=dict.fromkeys(("fal", "kie", "apiframe_v2"), FREE),
    ),
}  # fmt: skip
LOST, BUSY = "answer-lost-once", "busy-once"
MORE = {LOST: "drop=headers times=1", BUSY: "status=429 retry_after=0.2 times=1"}
"""Those that end well, at once or when they are queued again."""
GIVEN = in_turn(
    {name: case.providers for name, case in CASES.items()},
    # The error panel of each provider is held against the first.
    lambda name, provider: name == "wrong-key" or provider in CASES[name].but,
)


@pytest.fixture(scope="module")
def bench(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with all_providers(doubles, tmp_path_factory.mktemp("elsewhere")) as bench:
        yield bench


def text_of(provider: str, name: str) -> str:
    """The beginning of a prompt, by which the doubles' book is asked."""
    return f"elsewhere {provider} {name}."


def branch(provider: str, name: str, on_failure: str = "stop this branch") -> dict[str, Any]:
    """A node for one failure of one provider, called as in `make`."""
    words = MORE.get(name) or CASES[name].words
    profile = "wrong" if name == "wrong-key" else "default"
    text = text_of(provider, name) + (f" [[sim: {words}]]" if words else "")
    make = f"{provider} {name}"
    return {
        f"config {make}": node("ProviderConfig", provider=provider, profile=profile),
        make: node("NanoBananaGenerate", prompt=text, provider=[f"config {make}", 0], on_failure=on_failure),
        f"show {make}": node("PreviewImage", images=[make, 0]),
    }


def all_of(name: str) -> dict[str, Any]:
    """One prompt with a failure at every provider."""
    return {key: value for provider in LABELS for key, value in branch(provider, name).items()}


def book(bench: Bench, provider: str, name: str) -> tuple[int, int]:
    """(requests, pictures billed) at the doubles."""
    return len(bench.asked(text_of(provider, name))), bench.paid(text_of(provider, name))


def reported(ran: Ran, provider: str, name: str) -> tuple[str, str]:
    """(whether it was charged, the whole message on the node) of a branch that was stopped."""
    info = ran.info(f"{provider} {name}")
    (failed,) = info["failed"]
    assert info["images"] == [] and info["notices"][-1].startswith(failed["reason"])
    return failed["charged"], info["notices"][-1]


@pytest.fixture(scope="module")
def run(bench: Bench, request: pytest.FixtureRequest) -> Ran:
    """All those failures, at once."""
    long = request.config.getoption("--long")
    pairs = [each.values for each in GIVEN if long or not each.marks]
    pairs += [(provider, name) for name in MORE for provider in LABELS]
    prompt: dict[str, Any] = {}
    for provider, name in pairs:
        prompt |= branch(provider, name)
    ran = bench.run(prompt, timeout=600)
    assert ran.status == "success", ran.error or ran.refusal
    return ran


@pytest.mark.parametrize(("provider", "name"), GIVEN)
def test_a_failure_says_what_it_is_and_what_it_cost(bench: Bench, run: Ran, provider: str, name: str) -> None:
    """The node's message has the four parts, its word about money is the doubles', and it was asked for once."""
    case = CASES[name]
    charged, message = reported(run, provider, name)
    check_words(bench, message)
    assert WRONG not in message and "It said: (" not in message and 'It said: "(' not in message
    assert LABELS[provider] in message or name == "half-a-picture", message
    assert case.part("says", provider) in message and case.part("cure", provider) in message, message
    assert charged == case.part("charged", provider), message
    assert [state for state, words in MONEY.items() if words in message] == [charged], message
    assert book(bench, provider, name) == (case.part("requests", provider), case.billed)


@pytest.mark.parametrize("provider", LABELS)
def test_the_error_panel_says_the_same(bench: Bench, run: Ran, provider: str) -> None:
    """Where a failure ends the prompt, the host's panel has the words that a stopped branch has as its notice."""
    ran = bench.run(branch(provider, "wrong-key", "keep what succeeded"))
    assert ran.error_type == "NanoBanana.KeyRefused"
    assert ran.error == reported(run, provider, "wrong-key")[1]


@pytest.mark.parametrize("provider", LABELS)
def test_a_busy_provider_is_asked_again_and_paid_once(bench: Bench, run: Ran, provider: str) -> None:
    """A 429, then the picture: nobody is troubled with it."""
    info = run.info(f"{provider} {BUSY}")
    assert info["failed"] == [] and [image["from"] for image in info["images"]] == ["provider"]
    assert [request["attempts"] for request in info["requests"]] == [2] and book(bench, provider, BUSY) == (2, 1)


def test_a_lost_answer_is_asked_about_before_it_is_paid_again(bench: Bench, run: Ran) -> None:
    """Queued again nothing is sent and the person is asked; queued once more it is paid, and the sum is said.

    Where there is an idempotency key none of that is needed: the picture came in the first run, paid once.
    """
    key = run.info(f"apiframe_v2 {LOST}")
    assert key["failed"] == [] and book(bench, "apiframe_v2", LOST) == (2, 1)
    others = [provider for provider in LABELS if provider != "apiframe_v2"]
    second = bench.run(all_of(LOST))
    for provider in others:
        assert reported(run, provider, LOST)[0] == "maybe"
        charged, message = reported(second, provider, LOST)
        assert charged == "maybe" and "1 request for its picture may have been charged, about $" in message
        assert "This time nothing was sent. Queue again within an hour to pay again" in message
        check_words(bench, message)
        assert book(bench, provider, LOST) == (1, 1)
    third = bench.run(all_of(LOST))
    for provider in others:
        info = third.info(f"{provider} {LOST}")
        assert info["failed"] == [] and len(third.images(f"show {provider} {LOST}")) == 1
        assert any("Sent again, although 1 earlier request may have been charged" in n for n in info["notices"])
        assert book(bench, provider, LOST) == (2, 2)
    assert book(bench, "apiframe_v2", LOST) == (2, 1)


# ---------------------------------------------------------------------------------------------- pictures and edits


def run_each(bench: Bench, tag: str, kind: str, more: dict[str, Any], **inputs: Any) -> list[dict[str, Any]]:
    """Runs eleven nodes of as many providers in one prompt, none of them anybody else's; the paid request of each.

    `more`: further nodes of the prompt. `inputs`: of each node, as `node` takes them.
    """
    prompt = dict(more)
    for name in NAMES:
        prompt[f"config {name}"] = node("ProviderConfig", provider=name)
        prompt[name] = node(kind, prompt=f"{tag} {name}", provider=[f"config {name}", 0], **inputs)
        prompt[f"show {name}"] = node("PreviewImage", images=[name, 0])
    ran = bench.run(prompt, timeout=600)
    assert ran.status == "success", ran.error
    paid = []
    for name in NAMES:
        assert ran.info(name)["provider"] == name and len(ran.images(f"show {name}")) == 1
        if name != "offline":
            (asked,) = bench.asked(f"{tag} {name}", name)
            paid.append(asked)
    return paid


def test_each_makes_a_picture_from_text(bench: Bench, tag: str) -> None:
    for asked in run_each(bench, tag, "NanoBananaGenerate", {}, resolution="1K"):
        assert asked["paid"] == 1


def test_each_edits_a_picture(bench: Bench, tag: str) -> None:
    """With two references in order; uploaded first where the provider wants that."""
    files = [bench.put(f"{tag}-{number}.png", colours(48, 64, number)) for number in (1, 2)]
    loads = {f"load_{n}": node("LoadImage", image=file) for n, file in enumerate(files, 1)}
    pictures = {f"images__image_{n}": [f"load_{n}", 0] for n in (1, 2)}
    for asked in run_each(bench, tag, "NanoBananaEdit", loads, **pictures):
        assert len(asked["references"]) == 2
