"""Runflow with replies by hand: uploads, both forms of asking, runs."""

from __future__ import annotations

import pytest
from dialect_driver import job, play, reply, request, sent_json
from pack.core.dialects.base.step import ImageRef, Reply
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["runflow"]
URL = "https://cdn.runflow.io/out/1.png"
PICTURES = {"images": [{"url": URL, "content_type": "image/png"}]}
RUN = {"id": "run_5", "status_code": "queued"}


def upload(number: int) -> list[Reply]:
    """The replies to announce, put and confirm."""
    return [
        reply(201, {"asset_id": f"as{number}", "upload_url": f"https://bucket.example.com/{number}?sig=s"}),
        reply(raw=b""),
        reply(value={"id": f"as{number}", "url": f"https://assets.example.com/{number}.webp"}),
    ]


def test_text_alone_goes_as_a_flat_body() -> None:
    """The documented page's form, with its field names; the sample answer read."""
    work = job(
        SPEC, request(seed=4, resolution="2K", output_format="webp", limit_generations="on"), "nano-banana-pro", count=3
    )
    played = play(work, reply(value=PICTURES))
    assert played.paths == ["POST /v1/run/google/nano-banana-pro"]
    assert sent_json(played.sends[0]) == {
        "prompt": "a fox in snow",
        "resolution": "2K",
        "output_format": "webp",
        "limit_generations": True,
        "seed": 4,
        "num_images": 3,
    }
    assert played.done.images == (ImageRef(url=URL),) and played.done.api_variant == "run"


def test_references_are_uploaded_in_three_free_steps_each() -> None:
    """Announce with the true size, put without the key and with the announced type, confirm; then one paid request."""
    work = job(SPEC, request("edit", 2), "nano-banana-pro")
    played = play(work, *upload(0), *upload(1), reply(value=PICTURES))
    assert played.paths == [
        "POST /v1/asset-uploads",
        "PUT https://bucket.example.com/0?sig=s",
        "POST /v1/asset-uploads/as0/confirmations",
        "POST /v1/asset-uploads",
        "PUT https://bucket.example.com/1?sig=s",
        "POST /v1/asset-uploads/as1/confirmations",
        "POST /v1/run/google/nano-banana-pro/edit",
    ]
    assert [send.paid for send in played.sends] == [False] * 6 + [True]
    assert [send.with_key for send in played.sends] == [True, False, True, True, False, True, True]
    for index, picture in enumerate(work.references):
        announced = sent_json(played.sends[3 * index])
        assert (announced["mime_type"], announced["size_bytes"]) == (picture.mime, len(picture.data))
        assert set(announced) == {"filename", "mime_type", "size_bytes"}
        put = played.sends[3 * index + 1].body
        assert put is not None and put.content_type == picture.mime
        assert b"".join(bytes(piece) for piece in put) == picture.data
        assert sent_json(played.sends[3 * index + 2]) == {"folder_id": None}
    assert sent_json(played.sends[-1])["image_urls"] == [
        "https://assets.example.com/0.webp",
        "https://assets.example.com/1.webp",
    ]
    assert [send.uploaded for send in played.sends if send.uploaded] == [
        (0, "https://assets.example.com/0.webp"),
        (1, "https://assets.example.com/1.webp"),
    ]


def test_what_is_uploaded_already_is_not_uploaded_again() -> None:
    """Only the missing one goes, and the order stays."""
    work = job(
        SPEC, request("edit", 3), uploaded={0: "https://assets.example.com/a", 2: "https://assets.example.com/c"}
    )
    played = play(work, *upload(1), reply(value=PICTURES))
    assert len(played.sends) == 4
    assert sent_json(played.sends[-1])["image_urls"] == [
        "https://assets.example.com/a",
        "https://assets.example.com/1.webp",
        "https://assets.example.com/c",
    ]


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize(("status", "kind"), [(401, "key"), (413, "too_large"), (500, "server")])
def test_a_failed_upload_ends_before_anything_is_paid(step: int, status: int, kind: str) -> None:
    """Whichever of the three steps it is."""
    played = play(job(SPEC, request("edit")), *upload(0)[:step], reply(status, {"message": "no"}))
    assert played.failed.failure.kind == kind and not any(send.paid for send in played.sends)


@pytest.mark.parametrize(
    ("step", "value"),
    [
        (0, {"asset_id": "a"}),
        (0, {"upload_url": 3, "asset_id": "a"}),
        (0, []),
        (2, {"id": "a"}),
        (2, {"url": "gs://x"}),
    ],
)
def test_an_upload_answered_with_something_else_is_unreadable(step: int, value: object) -> None:
    """Nothing is paid on a guess."""
    played = play(job(SPEC, request("edit")), *upload(0)[:step], reply(value=value))
    assert played.failed.failure.kind == "unreadable" and not any(send.paid for send in played.sends)


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(
    ("form", "paths"),
    [
        ("run", ["POST /v1/run/google/nano-banana-2", "POST /v1/models/google/nano-banana-2/runs"]),
        ("runs", ["POST /v1/models/google/nano-banana-2/runs", "POST /v1/run/google/nano-banana-2"]),
    ],
)
def test_a_missing_variant_leads_to_the_other_once(status: int, form: str, paths: list[str]) -> None:
    """Either way round; the body is wrapped in `input` in the one and flat in the other."""
    missing = reply(status, {"code": "NOT_FOUND", "message": "Not found", "errors": None})
    played = play(job(SPEC, request(seed=1), api_variant=form), missing, missing)
    assert played.paths == paths and played.failed.failure.status == status
    bodies = {send.url.rpartition("/")[2] == "runs": sent_json(send) for send in played.sends}
    assert bodies[True] == {"input": bodies[False]}


def test_the_variant_that_worked_is_named() -> None:
    """Learned from pictures at once, and from an accepted run."""
    missing = reply(404, {"message": "Not found"})
    assert play(job(SPEC, request()), missing, reply(value=PICTURES)).done.api_variant == "runs"
    assert play(job(SPEC, request()), missing, reply(201, RUN)).sends[-1].api_variant == "runs"
    assert play(job(SPEC, request()), reply(201, RUN)).sends[-1].api_variant == "run"


def test_uploads_are_kept_when_the_variant_is_changed() -> None:
    """A 404 after the uploads doesn't upload anything again."""
    played = play(job(SPEC, request("edit")), *upload(0), reply(404, {}), reply(value=PICTURES))
    assert played.paths[3:] == [
        "POST /v1/run/google/nano-banana-2/edit",
        "POST /v1/models/google/nano-banana-2/edit/runs",
    ]
    assert sent_json(played.sends[-1])["input"]["image_urls"] == ["https://assets.example.com/0.webp"]


def test_a_run_is_followed_to_its_outputs_and_its_cost() -> None:
    """queued, running, succeeded; the cost is a string of dollars."""
    played = play(
        job(SPEC, request(), api_variant="runs"),
        reply(201, RUN),
        reply(value={**RUN, "status_code": "running"}),
        reply(
            value={
                **RUN,
                "status_code": "succeeded",
                "input": {"image_urls": ["https://mine.example.com/in.png"]},
                "output": {"outputs": [{"url": URL}]},
                "cost": "0.1500",
                "duration_ms": 900,
            }
        ),
    )
    assert played.paths[1:] == ["GET /v1/runs/run_5"] * 2
    assert played.done.images == (ImageRef(url=URL),), "an echoed input is no result"
    assert played.done.usd == pytest.approx(0.15)


def test_a_failed_run_that_cost_nothing_says_so() -> None:
    """`cost` "0" is the provider's word that nothing was charged; without it nobody knows."""
    failed = {**RUN, "status_code": "failed", "failure_code": "MODERATION", "failure_message": "Output was blocked"}
    free = play(job(SPEC, request()), reply(201, RUN), reply(value={**failed, "cost": "0"})).failed
    assert (free.failure.kind, free.failure.unbilled, free.task) == ("content", True, "run_5")
    unknown = play(job(SPEC, request()), reply(201, RUN), reply(value=failed)).failed
    assert unknown.failure.unbilled is None
    billed = play(job(SPEC, request()), reply(201, RUN), reply(value={**failed, "cost": "0.15"})).failed
    assert billed.failure.unbilled is False


@pytest.mark.parametrize("cost", ["", None, "free", "nan", "-1", "inf", [], "1e9"])
def test_a_cost_that_makes_no_sense_is_no_cost(cost: object) -> None:
    """It would end up in the user's sum."""
    assert play(job(SPEC, request()), reply(value={**PICTURES, "cost": cost})).done.usd is None


def test_a_run_is_found_again_after_a_restart() -> None:
    """From the accepted state, without references and without uploads."""
    accepted = play(job(SPEC, request("edit")), *upload(0), reply(201, RUN)).sends[-1].accepted
    again = play(
        job(SPEC, request()),
        reply(value={**RUN, "status_code": "succeeded", "output": {"outputs": [{"url": URL}]}}),
        accepted=accepted,
    )
    assert again.paths == ["GET /v1/runs/run_5"] and again.done.images == (ImageRef(url=URL),)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, {"code": "UNAUTHORIZED", "message": "Bad key", "errors": None}, "key", "Bad key"),
        (402, {"code": "INSUFFICIENT_CREDIT", "message": "No credit"}, "credit", "No credit"),
        (403, {"code": "PERMISSION_DENIED", "message": "No"}, "key", "No"),
        (503, {"code": "MODEL_UNAVAILABLE", "message": "Overloaded", "errors": None}, "busy", "Overloaded"),
        (422, {"code": "VALIDATION", "message": "Bad", "errors": [{"msg": "too long"}]}, "invalid", "too long"),
        (422, {"detail": [{"loc": ["body", "resolution"], "msg": "bad value"}]}, "invalid", "body.resolution"),
    ],
)
def test_errors_at_the_top_level(status: int, body: object, kind: str, words: str) -> None:
    """`{"code", "message", "errors"}`, with the words of each field."""
    failure = play(job(SPEC, request()), reply(status, body)).failed.failure
    assert failure.kind == kind and words in failure.message


def test_references_that_are_uploaded_already_stay_addresses() -> None:
    """Where the second upload finds no address, the first keeps its own; the order stays."""
    work = job(SPEC, request("edit", 2))
    played = play(work, *upload(0), reply(404, {}), reply(value=PICTURES))
    first, second = sent_json(played.sends[-1])["image_urls"]
    assert first == "https://assets.example.com/0.webp" and second.startswith("data:image/")
    assert played.done.variants == {"references": "inside"} and played.done.api_variant == "run"


def test_both_variants_may_be_tried_without_uploads() -> None:
    """Two facts about one base: no uploads, and the other form. Each is led on once."""
    missing = reply(404, {"message": "Not found"})
    played = play(job(SPEC, request("edit")), missing, missing, reply(value=PICTURES))
    assert played.paths[1:] == [
        "POST /v1/run/google/nano-banana-2/edit",
        "POST /v1/models/google/nano-banana-2/edit/runs",
    ]
    assert sent_json(played.sends[-1])["input"]["image_urls"][0].startswith("data:image/")
    assert (played.done.api_variant, played.done.variants) == ("runs", {"references": "inside"})
    assert len(play(job(SPEC, request("edit")), missing, missing, missing).sends) == 3
