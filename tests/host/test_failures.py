"""What a person reads when a provider fails, that it is true, and that no picture is asked for twice.

Every message has four parts: what happened, whose fault it is, whether it cost money, what to do. The third is held
against the doubles' own bill.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pack.tests.host.failure_texts import MONEY, check_words
from pack.tests.host.kit import KEYED, SILENT, Bench, Ran, colours, in_turn, node
from pack.tests.raw_server import RawServer, serving

LABELS = {
    "onerouter": "OneRouter",
    "apiframe": "APIFRAME",
    "nanobanana": "Nano-Banana API",
    "runflow": "Runflow",
}


def check_money(bench: Bench, tag: str, message: str, charged: str) -> None:
    """The one sentence about money is the expected one, and true."""
    found = [state for state, sentence in MONEY.items() if sentence in message]
    assert found == [charged], message
    billed = bench.paid(tag)
    assert charged != "no" or billed == 0, f"billed {billed}, but: {message}"
    assert charged != "yes" or billed > 0, f"nothing was billed, but: {message}"


@dataclass(frozen=True)
class Case:
    """A failure and what a person is told. `charged` and `kind` may differ per provider."""

    words: str
    kind: str
    charged: str
    says: str
    """A piece of the sentence on what happened."""
    cure: str
    """A piece of the advice."""
    requests: int = 1
    """Paid requests that may arrive; more than one only where the earlier ones were surely refused: then at most so many."""
    timeout: int = 600
    but: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Providers for which parts differ."""
    providers: tuple[str, ...] = KEYED

    def part(self, name: str, provider: str) -> Any:
        return dict(self.but).get(provider, {}).get(name, getattr(self, name))


GENERIC_CREDIT = {"kind": "NoCredit", "says": "no credit", "cure": "Top up"}

CASES = {
    "bad-request": Case("status=400", "Impossible", "no", "did not accept", "change that input"),
    "bad-key": Case("status=401", "KeyRefused", "no", "refused the key", "Check the key in NANO_BANANA_"),
    "no-credit": Case("status=402", "NoCredit", "no", "no credit", "Top up"),
    "denied": Case(
        "status=403", "KeyRefused", "no", "denied access", "Check the key in", but=(("nanobanana", GENERIC_CREDIT),)
    ),
    "moderated": Case("refuse=403", "Refused", "no", "content", "Change the prompt"),
    "declined": Case("refuse", "Refused", "no", "content", "Change the prompt"),
    "unknown-model": Case(
        "status=404", "Impossible", "no", "model", "Choose another model", but=(("runflow", {"requests": 2}),)
    ),
    "too-large": Case("status=413", "Impossible", "no", "too large", ""),
    "rate": Case("status=429", "RateLimited", "no", "limits how many", "lower max_parallel", requests=5, timeout=10),
    "rate-long": Case("status=429 retry_after=3600", "RateLimited", "no", "limits how many", "3600 seconds"),
    "rate-date": Case("status=429 retry_after=date+900", "RateLimited", "no", "limits how many", "It asks to wait"),
    "region": Case("status=451", "NetworkError", "no", "not served where this machine is", "another provider"),
    "busy": Case(
        "status=503",
        "ProviderFault",
        "no",
        "fault is on its side",
        "in a few minutes",
        requests=5,
        timeout=10,
        but=(("nanobanana", {"kind": "Impossible", "says": "model", "cure": "Choose another model", "requests": 1}),),
    ),
    "server": Case(
        "status=500",
        "ProviderFault",
        "maybe",
        "fault is on its side",
        "in a few minutes",
        but=(("nanobanana", {"charged": "no"}),),
    ),
    "server-billed": Case(
        "status=500 paid",
        "ProviderFault",
        "maybe",
        "fault is on its side",
        "in a few minutes",
        providers=("onerouter", "apiframe", "runflow"),
    ),
    "gateway": Case("status=502 html", "ProviderFault", "maybe", "502 Bad Gateway", "in a few minutes"),
    "gateway-billed": Case("status=502 html paid", "ProviderFault", "maybe", "502", "in a few minutes"),
    "gateway-slow": Case("status=504 html paid", "ProviderFault", "maybe", "504", "in a few minutes"),
    "conflict": Case("status=409", "ProviderFault", "maybe", "409", ""),
    "declined-200": Case(
        "refuse=200", "Refused", "maybe", "", "Change the prompt", but=(("nanobanana", {"charged": "no"}),)
    ),
    "empty": Case("empty", "Refused", "maybe", "without a picture", "Change the prompt"),
    "login-page": Case("html", "ProviderFault", "maybe", "not the API's JSON", "address"),
    "broken-json": Case("broken_json", "ProviderFault", "maybe", "not the API's JSON", ""),
    "dropped-unanswered": Case("drop=headers", "NetworkError", "maybe", "no answer came back", "queue again"),
    "dropped-mid-answer": Case("drop=body", "NetworkError", "maybe", "no answer came back", "queue again"),
    "reset-unanswered": Case("reset=headers", "NetworkError", "maybe", "no answer came back", "queue again"),
    "reset-mid-answer": Case("reset=body", "NetworkError", "maybe", "no answer came back", "queue again"),
    "task-fails": Case(
        "task=fail",
        "ProviderFault",
        "maybe",
        "could not finish",
        "Queue again",
        but=(("nanobanana", {"charged": "no"}),),
    ),
    "half-a-file": Case("short", "ProviderFault|NetworkError", "yes", "could not be read", "ueue again"),
    "not-an-image": Case("notimage", "ProviderFault|NetworkError", "yes", "could not be read", "ueue again"),
    "no-end": Case("huge=4294967296", "ProviderFault|NetworkError", "yes", "could not be read", "ueue again"),
    "file-forbidden": Case("file_status=403", "ProviderFault|NetworkError", "yes", "could not be read", "ueue again"),
}


@pytest.mark.parametrize(
    ("provider", "name"),
    in_turn({name: case.providers for name, case in CASES.items()}, lambda name, who: who in dict(CASES[name].but)),
)
def test_a_failure_says_what_it_is_and_what_it_cost(bench: Bench, tag: str, provider: str, name: str) -> None:
    """The error panel has the four parts, the money is true, and the picture was asked for once."""
    case = CASES[name]
    ran = bench.generate(f"{tag} [[sim: {case.words}]]", provider, {"timeout": case.timeout})
    assert ran.status == "error"
    assert ran.error_type.removeprefix("NanoBanana.") in case.part("kind", provider).split("|"), ran.error
    assert ran.error_type.startswith("NanoBanana.")
    check_words(bench, ran.error)
    assert LABELS[provider] in ran.error or "provider" in ran.error.lower()
    assert case.part("says", provider).lower() in ran.error.lower(), ran.error
    assert case.part("cure", provider) in ran.error, ran.error
    check_money(bench, tag, ran.error, case.part("charged", provider))
    asked, expected = len(bench.asked(tag)), case.part("requests", provider)
    assert asked == expected or (case.timeout < 600 and 1 <= asked < expected)
    assert bench.doubles.request_log(prompt=tag)["paid_calls"] <= 1


GOOD = (
    "trailing",
    "bom",
    "gzip",
    "type=text/html",
    "b64",
    "b64twice",
    "datauri",
    "as=webp",
    "as=jpeg",
    "shape=data",
    "shape=images",
    "shape=image_urls",
    "shape=outputs",
    "shape=triple",
    "keepalive_close",
    "file_drop",
    "file_drop norange",
    "file_status=404 times=1",
    "file_status=500 times=1",
    "file_status=503 times=2",
    "truncate times=1",
    "slow_body=0.5",
    "task",
    "task=unknown",
    "task poll_status=503 poll_times=2",
)
WITH_TASKS = ("task=unknown", "task poll_status=503 poll_times=2")
"""Of these the two whose tasks are asked for at an address of their own."""


@pytest.mark.parametrize(
    ("provider", "words"),
    in_turn({words: KEYED[:2] if words in WITH_TASKS else KEYED for words in GOOD}),
)
def test_a_picture_is_taken_however_it_is_wrapped(bench: Bench, tag: str, provider: str, words: str) -> None:
    """Slips of a provider that can be understood, or mended for free, cost neither the picture nor a second payment."""
    ran = bench.generate(f"{tag} [[sim: {words}]]", provider)
    assert ran.status == "success", ran.error
    assert len(ran.images()) == 1 and ran.info()["failed"] == []
    assert ran.images()[0].std() > 1, "that is a blank picture"
    assert (len(bench.asked(tag)), bench.paid(tag)) == (1, 1)


@pytest.mark.parametrize("words", ["rgba", "gray"])
def test_every_picture_becomes_rgb(bench: Bench, tag: str, words: str) -> None:
    """Transparency goes into the mask, and gray gets its three channels."""
    ran = bench.generate(f"{tag} [[sim: {words}]]")
    assert ran.status == "success", ran.error
    picture = ran.images()[0]
    assert picture.ndim == 3 and picture.shape[2] == 3


@pytest.mark.parametrize(
    ("provider", "words"),
    in_turn(
        {
            "status=429 times=1": KEYED,
            "status=429 retry_after=0.2 times=2": KEYED,
            # At the fourth a 503 means that nobody serves the model.
            "status=503 times=1": [name for name in KEYED if name != "nanobanana"],
        }
    ),
)
def test_a_sure_refusal_is_tried_again_and_paid_once(bench: Bench, tag: str, provider: str, words: str) -> None:
    """What was surely not begun may be asked for again: the user sees a picture and one bill."""
    ran = bench.generate(f"{tag} [[sim: {words}]]", provider)
    assert ran.status == "success", ran.error
    assert (len(bench.asked(tag)), bench.paid(tag)) == (1 + int(words[-1]), 1)


def test_fewer_pictures_than_asked_are_kept_and_counted(bench: Bench, tag: str) -> None:
    """One of two came: it is in the output, and `info` says what happened to the other."""
    ran = bench.generate(f"{tag} [[sim: fewer times=1]]", num_images=2)
    assert ran.status == "success", ran.error
    info = ran.info()
    assert len(ran.images()) == 1 and [image["slot"] for image in info["images"]] == [0]
    assert [(entry["slot"], entry["charged"]) for entry in info["failed"]] == [(1, "maybe")]
    assert any("may have been charged" in notice for notice in info["notices"])
    again = bench.generate(f"{tag} [[sim: fewer times=1]]", num_images=2)
    assert len(again.images()) == 2 and bench.paid(tag) == 2, "only the missing one is paid for"
    assert [image["from"] for image in again.info()["images"]] == ["store", "provider"]


def test_more_pictures_than_asked_are_shown_with_a_notice(bench: Bench, tag: str) -> None:
    """They were paid for: they are kept for the results panel, are in no output, and the user is told."""
    ran = bench.generate(f"{tag} [[sim: more]]", num_images=2)
    assert len(ran.images()) == 2
    assert [image["slot"] for image in ran.info()["images"]] == [0, 1]
    assert any("1 picture more than were asked for" in notice for notice in ran.info()["notices"])


def _nodes(tag: str, words: str, providers: tuple[str, ...], **config: Any) -> dict[str, Any]:
    """Nodes of a prompt, `make_PROVIDER_WORDS` for each provider; a failing one blocks its own branch only."""
    prompt: dict[str, Any] = {}
    for provider in providers:
        name = f"{provider}_{words}"
        prompt[f"config_{name}"] = node("ProviderConfig", provider=provider, **config)
        prompt[f"make_{name}"] = node(
            "NanoBananaGenerate",
            prompt=f"{tag} {provider} [[sim: {words}]]",
            provider=[f"config_{name}", 0],
            on_failure="stop this branch",
        )
        prompt[f"show_{name}"] = node("PreviewImage", images=[f"make_{name}", 0])
    return prompt


def _blocked(ran: Ran, provider: str, words: str) -> tuple[str, str, str]:
    """(what happened, whether it was charged, the whole message) of a node whose branch stopped."""
    info = ran.info(f"make_{provider}_{words}")
    assert info["images"] == [] and len(info["failed"]) == 1
    return info["failed"][0]["reason"], info["failed"][0]["charged"], info["notices"][-1]


def _check_timeouts(bench: Bench, tag: str, words: str) -> None:
    ran = bench.run(_nodes(tag, words, KEYED, timeout=10), timeout=60)
    assert ran.status == "success", ran.error
    for provider in KEYED:
        reason, charged, message = _blocked(ran, provider, words)
        assert LABELS[provider] in reason and "within 10 s" in reason
        assert charged == "maybe" and MONEY["maybe"] in message and "Raise the timeout" in message
        check_words(bench, message)
        assert len(bench.asked(f"{tag} {provider}")) == 1


def test_a_timeout_says_so_and_the_late_picture_is_not_lost(bench: Bench, tag: str) -> None:
    """After `timeout` seconds the node gives up, the call doesn't: what comes later is taken without paying."""
    _check_timeouts(bench, tag, "slow=12")
    again = bench.run(_nodes(tag, "slow=12", KEYED, timeout=60), timeout=600)
    for provider in KEYED:
        assert [image["from"] for image in again.info(f"make_{provider}_slow=12")["images"]] == ["store"]
        assert bench.paid(f"{tag} {provider}") == 1


def test_a_call_that_is_only_collected_holds_nobody_up(bench: Bench, tag: str) -> None:
    """Tasks that never end are given up like any other, and the provider is free for the next request at once."""
    try:
        _check_timeouts(bench, tag, "task=hang")
        for provider in KEYED:
            assert (
                bench.generate(
                    f"{tag} next",
                    provider,
                    {"max_parallel": 1},
                ).status
                == "success"
            )
    finally:
        # The doubles forget the tasks, so that nobody goes on asking for them.
        bench.host.post("/interrupt", {})
        bench.doubles.reset()


def test_a_file_that_never_comes_is_paid_and_said_so(bench: Bench, tag: str) -> None:
    """The download is tried for a while; then the user hears that the money is gone and where the picture was."""
    prompts = {words: f"{tag} {words.partition('=')[0]}" for words in ("truncate", "file_status=404")}
    # All in one prompt: the while of one passes with that of the other.
    nodes = [_nodes(prompt, words, KEYED) for words, prompt in prompts.items()]
    ran = bench.run(nodes[0] | nodes[1], timeout=600)
    for words, prompt in prompts.items():
        for provider in KEYED:
            reason, charged, message = _blocked(ran, provider, words)
            assert "could not be read" in reason and charged == "yes"
            assert MONEY["yes"] in message and "ueue again" in message
            check_words(bench, message)
            assert (len(bench.asked(f"{prompt} {provider}")), bench.paid(f"{prompt} {provider}")) == (1, 1)


@pytest.fixture(scope="module")
def stranger() -> Iterator[RawServer]:
    """A server that nobody should talk to."""
    with serving() as server:
        yield server


@pytest.mark.parametrize("provider", KEYED)
def test_the_key_never_follows_a_redirect(bench: Bench, tag: str, provider: str, stranger: RawServer) -> None:
    """A redirected API call ends there; not even a request without the key is made. Whether it was done is not known."""
    stranger.forget()
    ran = bench.generate(f"{tag} [[sim: redirect={stranger.url}/v1]]", provider)
    assert ran.error_type == "NanoBanana.ConfigError"
    assert "a key is never sent along" in ran.error and "base URL" in ran.error
    check_words(bench, ran.error)
    check_money(bench, tag, ran.error, "maybe")
    assert stranger.requests == [] and len(bench.asked(tag)) == 1


INSIDE = {
    "other-port": "{stranger}/picture.png",
    "localhost": "http://localhost:{port}/picture.png",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "six": "http://[::1]:{port}/picture.png",
    "mapped": "http://[::ffff:127.0.0.1]:{port}/picture.png",
    "lan": "http://192.168.0.1/picture.png",
    "ten": "http://10.0.0.1/picture.png",
    "number": "http://2130706433:{port}/picture.png",
    "zero": "http://0.0.0.0:{port}/picture.png",
    "printer": "http://printer.local/picture.png",
}


@pytest.mark.parametrize(("way", "name"), in_turn(dict.fromkeys(INSIDE, ("url", "redirect_file"))))
def test_a_result_inside_the_users_network_is_not_fetched(
    bench: Bench, tag: str, stranger: RawServer, way: str, name: str
) -> None:
    """Neither as the result's address nor behind a redirect of it; the user hears that it was paid."""
    stranger.forget()
    address = INSIDE[name].replace("{stranger}", stranger.url).replace("{port}", str(stranger.port))
    ran = bench.generate(f"{tag} [[sim: {way}={address}]]")
    assert ran.status == "error" and "inside itself" in ran.error and "private network" in ran.error, ran.error
    check_words(bench, ran.error)
    check_money(bench, tag, ran.error, "yes")
    assert stranger.requests == [] and len(bench.asked(tag)) == 1


@pytest.mark.parametrize("provider", KEYED)
def test_a_server_that_hangs_up_at_once(bench: Bench, tag: str, provider: str) -> None:
    """The connection ends before the request is read: one try, because nobody can tell how far it came."""
    before = len(bench.doubles.request_log(provider=provider)["requests"])
    bench.doubles.fault("drop=connect", provider=provider)
    try:
        ran = bench.generate(tag, provider)
    finally:
        bench.doubles.clear_faults()
    assert ran.error_type == "NanoBanana.NetworkError"
    check_words(bench, ran.error)
    assert LABELS[provider] in ran.error and "queue again" in ran.error
    check_money(bench, tag, ran.error, "maybe")
    assert len(bench.doubles.request_log(provider=provider)["requests"]) == before + 1


def test_a_provider_that_nobody_answers_for(bench: Bench, tag: str) -> None:
    """No connection at all: surely unpaid, and the advice is about this machine's network."""
    ran = bench.generate(tag, SILENT, {"profile": "silent"})
    assert ran.error_type == "NanoBanana.NetworkError"
    assert (
        "WaveSpeed could not be reached: the connection was refused" in ran.error and "proxy and firewall" in ran.error
    )
    check_words(bench, ran.error)
    check_money(bench, tag, ran.error, "no")


def test_a_broken_upload_is_sent_again(bench: Bench, tag: str) -> None:
    """Half of a body can't have been worked on: the second try is the first one that is paid."""
    picture = bench.put("upload.png", colours(1400, 1400, seed=3))
    ran = bench.edit(f"{tag} [[sim: drop=upload times=1]]", {"image_1": picture})
    assert ran.status == "success", ran.error
    assert (len(bench.asked(tag)), bench.paid(tag)) == (2, 1)


# Until a 503 is believed twelve seconds pass; that it is tried again is tested below.
@pytest.mark.parametrize("status", [401, 413, pytest.param(503, marks=pytest.mark.long)])
def test_a_reference_that_can_not_be_uploaded_costs_nothing(bench: Bench, tag: str, status: int) -> None:
    """Uploads come before the paid request, which then is never made."""
    picture = bench.put(f"reference-{status}.png", colours(64, 64, seed=status))
    bench.doubles.fault(f"upload_status={status}", provider="runflow")
    try:
        ran = bench.edit(tag, {"image_1": picture}, "runflow")
    finally:
        bench.doubles.clear_faults()
    assert ran.status == "error" and "Runflow" in ran.error
    check_words(bench, ran.error)
    check_money(bench, tag, ran.error, "no")
    assert bench.asked(tag) == []


def test_an_upload_that_hiccups_is_tried_again(bench: Bench, tag: str) -> None:
    """A free step is simply done again."""
    picture = bench.put("hiccup.png", colours(64, 64, seed=77))
    bench.doubles.fault("upload_status=503 times=2", provider="runflow")
    try:
        ran = bench.edit(tag, {"image_1": picture}, "runflow")
    finally:
        bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    assert (len(bench.asked(tag)), bench.paid(tag)) == (1, 1)


def test_after_a_refused_key_the_rest_is_not_sent(bench: Bench, tag: str) -> None:
    """Sixteen pictures and a bad key: the line is emptied, and the message has the numbers."""
    ran = bench.generate(f"{tag} [[sim: status=401]]", "nanobanana", {"max_parallel": 1}, num_images=16)
    assert ran.error_type == "NanoBanana.KeyRefused"
    assert "16 of 16 pictures" in ran.error and "Nothing was charged." in ran.error
    assert len(bench.asked(tag)) == 1


def test_three_free_failures_in_a_row_end_it(bench: Bench, tag: str) -> None:
    """What failed three times for free will fail sixteen times."""
    ran = bench.generate(f"{tag} [[sim: refuse]]", "nanobanana", {"max_parallel": 1}, num_images=16)
    assert ran.error_type == "NanoBanana.Refused" and "16 of 16 pictures" in ran.error
    assert len(bench.asked(tag)) == 3


def test_what_succeeded_is_kept_and_the_message_counts(bench: Bench, tag: str) -> None:
    """With on_failure `fail` the pictures that came are not lost: the next run pays for the missing ones only."""
    prompt = f"{tag} [[sim: status=500 times=1]]"
    ran = bench.generate(prompt, "apiframe", {"max_parallel": 1}, num_images=3, on_failure="fail")
    assert ran.status == "error" and "1 of 3 pictures could not be made" in ran.error
    assert "2 of 3 pictures are there and are kept" in ran.error and "1 may have been charged" in ran.error
    check_words(bench, ran.error)
    again = bench.generate(prompt, "apiframe", {"max_parallel": 1}, num_images=3)
    assert len(again.images()) == 3 and bench.paid(tag) == 3
    assert sorted(image["from"] for image in again.info()["images"]) == ["provider", "store", "store"]


def test_a_fallback_is_asked_only_for_what_surely_cost_nothing(bench: Bench, tag: str) -> None:
    """A refused request goes on to the fallback; one that may have been billed doesn't."""

    def run(words: str) -> Ran:
        return bench.run(
            {
                "second": node("ProviderConfig", provider="apiframe"),
                "first": node("ProviderConfig", provider="onerouter", fallback=["second", 0]),
                "make": node("NanoBananaGenerate", prompt=f"{tag} {words}", provider=["first", 0]),
                "show": node("PreviewImage", images=["make", 0]),
            }
        )

    for provider, words in (("onerouter", "status=402"), ("onerouter", "status=502")):
        bench.doubles.fault(words, provider=provider, match=f"{tag} {words}")
    free, dear = run("status=402"), run("status=502")
    assert free.status == "success" and free.info()["provider"] == "apiframe"
    assert [tried["provider"] for tried in free.info()["tried"]] == ["onerouter", "apiframe"]
    assert dear.status == "error" and bench.asked(f"{tag} status=502", "apiframe") == []
