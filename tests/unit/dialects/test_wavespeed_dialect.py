"""WaveSpeed with replies by hand: uploads, predictions, and its envelope."""

from __future__ import annotations

from typing import Any

import pytest
from dialect_driver import job, play, reply, request, sent_json
from pack.core.dialects.base.step import ImageRef, Reply
from pack.core.execution.charge import charged_by, disposition_of
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["wavespeed"]
URL = "https://d1q70pf5vjeyhc.example.net/out.png"
POLL = "GET /api/v3/predictions/pr-9/result"


def prediction(status: str, *outputs: str, **more: Any) -> Reply:
    """A reply about a prediction."""
    data = {"id": "pr-9", "status": status, "outputs": list(outputs), "urls": {"get": "https://api.wavespeed.ai/x"}}
    data |= {"input": {"images": ["https://mine.example/in.png"]}, "images": ["https://mine.example/in.png"], **more}
    return reply(value={"code": 200, "message": "success", "data": data})


def uploaded(number: int) -> Reply:
    data = {"type": "image", "download_url": f"https://static.example.net/{number}.webp", "filename": "image_0.webp"}
    return reply(value={"code": 200, "message": "success", "data": data})


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("nano-banana-pro", "/api/v3/google/nano-banana-pro/text-to-image"),
        ("nano-banana-2.1", "/api/v3/google/nano-banana-2.1/text-to-image"),
        ("nano-banana-2", "/api/v3/google/nano-banana-2/text-to-image"),
        ("nano-banana", "/api/v3/google/nano-banana/text-to-image"),
    ],
)
def test_the_model_is_the_path(model: str, path: str) -> None:
    """And not in the body."""
    sent = play(job(SPEC, request(), model)).sends[0]
    assert sent.url.endswith(path) and sent.paid and sent_json(sent) == {"prompt": "a fox in snow"}


def test_a_single_output_is_found() -> None:
    """One under the name that other APIs have for it, beside an empty list."""
    ended = prediction("completed", output=URL)
    assert play(job(SPEC, request()), prediction("created"), ended).done.images == (ImageRef(url=URL),)


def test_a_prediction_is_followed_to_its_outputs() -> None:
    """Resolutions in lower case; what it repeats of the request is no result."""
    asked = request(aspect_ratio="1:8", resolution="4K", output_format="png", web_search=True)
    played = play(job(SPEC, asked), prediction("created"), prediction("processing"), prediction("completed", URL))
    assert sent_json(played.sends[0]) == {
        "prompt": "a fox in snow",
        "aspect_ratio": "1:8",
        "resolution": "4k",
        "output_format": "png",
        "enable_web_search": True,
    }
    assert played.paths[1:] == [POLL, POLL] and [send.paid for send in played.sends] == [True, False, False]
    assert played.done.images == (ImageRef(url=URL),) and played.done.request_id == "pr-9"


def test_references_are_uploaded_and_sent_as_addresses() -> None:
    """One form with one `file` each."""
    work = job(SPEC, request("edit", 2, aspect_ratio="1:1"), "nano-banana-pro")
    played = play(work, uploaded(0), uploaded(1), prediction("created"))
    assert played.paths[:3] == [
        "POST /api/v3/media/upload/binary",
        "POST /api/v3/media/upload/binary",
        "POST /api/v3/google/nano-banana-pro/edit",
    ]
    for send, picture in zip(played.sends, work.references, strict=False):
        assert send.body is not None and not send.paid
        form = b"".join(bytes(piece) for piece in send.body)
        assert picture.data in form and form.count(b"Content-Disposition") == 1 and b'name="file"' in form
    assert sent_json(played.sends[2]) == {
        "prompt": "a fox in snow",
        "aspect_ratio": "1:1",
        "images": ["https://static.example.net/0.webp", "https://static.example.net/1.webp"],
    }


@pytest.mark.parametrize("word", ["succeeded", "completed", "SUCCEEDED"])
def test_an_answer_that_is_finished_at_once_is_taken(word: str) -> None:
    """No poll for what is there."""
    played = play(job(SPEC, request()), prediction(word, URL))
    assert len(played.sends) == 1 and played.done.images == (ImageRef(url=URL),)


@pytest.mark.parametrize("word", ["created", "processing", "pending", "running", "queued", "reticulating", ""])
def test_anything_else_is_still_running(word: str) -> None:
    """Also a word that nobody has heard of."""
    assert play(job(SPEC, request()), prediction(word), prediction("completed", URL)).done.images


def test_an_answer_without_the_envelope_is_read_too() -> None:
    """Its own nodes do so."""
    bare = reply(value={"id": "pr-9", "status": "created"})
    done = play(job(SPEC, request()), bare, reply(value={"id": "pr-9", "status": "completed", "outputs": [URL]})).done
    assert done.images == (ImageRef(url=URL),)


@pytest.mark.parametrize(
    ("error", "kind"), [("content flagged as sensitive", "content"), ("upstream died", "task"), ("", "task")]
)
def test_a_failed_prediction_says_why(error: str, kind: str) -> None:
    """Whether it was billed isn't documented: nobody knows."""
    failed = play(job(SPEC, request()), prediction("created"), prediction("failed", error=error)).failed
    assert (failed.failure.kind, failed.failure.unbilled, failed.task) == (kind, None, "pr-9")
    assert (error or "status failed") in failed.failure.message
    assert charged_by(SPEC, failed.failure, accepted=True) == "maybe"


@pytest.mark.parametrize(
    ("code", "kind", "charged"),
    [(400, "invalid", "no"), (401, "key", "no"), (402, "credit", "no"), (404, "model", "no"), (429, "rate", "no"),
     (500, "server", "maybe")],
)  # fmt: skip
@pytest.mark.parametrize("inside", [True, False])
def test_an_error_is_one_with_and_without_its_status(code: int, kind: str, charged: str, inside: bool) -> None:
    """A `code` inside a 200 counts as the status."""
    value = {"code": code, "message": "it said no"}
    failure = play(job(SPEC, request()), reply(200 if inside else code, value)).failed.failure
    assert (failure.kind, failure.status) == (kind, code) and "it said no" in failure.message
    assert charged_by(SPEC, failure, accepted=False) == charged


@pytest.mark.parametrize("value", [{}, {"code": 200, "data": None}, {"code": 200, "data": {}}, {"data": []}])
def test_a_success_without_a_prediction_is_unreadable(value: dict[str, Any]) -> None:
    """It may have been taken: nobody knows."""
    assert play(job(SPEC, request()), reply(value=value)).failed.failure.kind == "unreadable"


@pytest.mark.parametrize("data", [{}, {"download_url": "x"}, {"download_url": None}, None])
def test_an_upload_without_an_address_ends_before_anything_is_paid(data: object) -> None:
    """Nothing is paid on a guess."""
    played = play(job(SPEC, request("edit")), reply(value={"code": 200, "data": data}))
    assert played.failed.failure.kind == "unreadable" and not any(send.paid for send in played.sends)


def test_a_prediction_that_is_not_known_any_more_is_lost() -> None:
    """With the status, or with the code inside a 200."""
    for gone in (reply(404, {"code": 404, "message": "no"}), reply(value={"code": 404, "message": "no"})):
        lost = play(job(SPEC, request()), prediction("created"), gone).failed
        assert "pr-9" in lost.failure.message and lost.task == "pr-9"
        assert disposition_of(lost.failure, accepted=True) == "unresolved"


def test_a_prediction_is_found_again_after_a_restart() -> None:
    """From the accepted state alone; an odd id stays one segment of the path."""
    accepted = play(job(SPEC, request("edit")), uploaded(0), prediction("created")).sends[-1].accepted
    again = play(job(SPEC, request()), prediction("completed", URL), accepted=accepted)
    assert again.paths == [POLL] and again.done.images == (ImageRef(url=URL),)
    odd = play(job(SPEC, request()), prediction("created", id="../a b?c"))
    assert odd.paths[-1] == "GET /api/v3/predictions/..%2Fa%20b%3Fc/result"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (40, "40%"),
        ("3/10", "3/10%"),
        ("排队中 2", "排队中 2%"),
        ("![x](https://spy.example/a.png) <img src=y>", "x https //spy.example/a.png img src y%"),
        ("a" * 100_000, "a" * 40 + "%"),
        (True, "processing"),
        (" ", "processing"),
    ],
)
def test_a_word_of_progress_is_short_and_no_markup(text: object, shown: str) -> None:
    """It is on the node, where a renderer reads Markdown."""
    played = play(job(SPEC, request()), prediction("created"), prediction("processing", progress=text))
    assert played.waits[-1].progress == shown


def test_what_was_sent_is_never_the_result() -> None:
    """A finished prediction without outputs that repeats its references: those are no pictures that were made."""
    data = {"id": "pr-9", "status": "completed", "images": ["https://mine.example/in.png"]}
    failed = play(job(SPEC, request()), prediction("created"), reply(value={"code": 200, "data": data})).failed
    assert failed.failure.kind == "empty" and charged_by(SPEC, failed.failure, accepted=True) == "maybe"


MISSING = reply(404, raw=b"404 page not found")


def test_a_ticket_is_asked_for_as_its_own_client_does() -> None:
    """Name, size and type; the bytes go to the signed address with the ticket's headers and without the key."""
    work = job(SPEC, request("edit", 1), "nano-banana-2")
    headers = {"Content-Type": "image/x-own", "x-goog-meta": "7", "Authorization": "no", "Host": "no", "X-Bad": "a\nb"}
    ticket = {"download_url": "https://static.example.net/t.webp"}
    put = {"method": "PUT", "url": "https://bucket.example.net/t?sig=1", "headers": headers}
    upload_ticket = reply(value={"code": 200, "message": "success", "data": {**ticket, "upload": put}})
    played = play(work, MISSING, upload_ticket, reply(raw=b""), prediction("created"))
    assert played.paths[1:4] == [
        "POST /api/v3/media/uploads",
        "PUT https://bucket.example.net/t?sig=1",
        "POST /api/v3/google/nano-banana-2/edit",
    ]
    picture, (announced, sent) = work.references[0], played.sends[1:3]
    assert sent_json(announced) == {
        "filename": picture.name,
        "size": len(picture.data),
        "content_type": picture.mime,
    }
    assert sent.body is not None and b"".join(bytes(piece) for piece in sent.body) == picture.data
    assert sent.body.content_type == "image/x-own" and sent.headers == {"x-goog-meta": "7"} and not sent.with_key
    assert sent_json(played.sends[3])["images"] == ["https://static.example.net/t.webp"]
    assert played.sends[4].variants == {"references": "ticket"}


@pytest.mark.parametrize(
    "data",
    [
        {"download_url": "https://a.example/b"},
        {"upload": {"url": "https://a.example/b"}},
        {"download_url": "https://a.example/b", "upload": {"method": "POST", "url": "https://a.example/b"}},
        {"download_url": "https://a.example/b", "upload": []},
    ],
)
def test_a_ticket_that_is_none_is_unreadable(data: dict[str, Any]) -> None:
    """Nothing is paid on a guess."""
    played = play(job(SPEC, request("edit"), "nano-banana-2"), MISSING, reply(value={"code": 200, "data": data}))
    assert played.failed.failure.kind == "unreadable" and not any(send.paid for send in played.sends)


def test_a_404_that_is_not_its_own_leads_to_the_other_address_of_a_result() -> None:
    """One page of its documents has no `/result`. Its own 404 is about the prediction; a second one ends it."""
    done = play(
        job(SPEC, request()), prediction("created"), MISSING, prediction("processing"), prediction("completed", URL)
    )
    assert done.paths[1:] == [POLL, POLL.removesuffix("/result"), POLL.removesuffix("/result")]
    assert done.done.images == (ImageRef(url=URL),) and done.done.variants == {"result": "plain"}
    lost = play(job(SPEC, request()), prediction("created"), MISSING, MISSING).failed
    assert disposition_of(lost.failure, accepted=True) == "unresolved" and lost.task == "pr-9"


def test_a_deleted_prediction_is_lost() -> None:
    """Only its client knows the word. It may have been billed before."""
    gone = play(job(SPEC, request()), prediction("created"), prediction("deleted")).failed
    assert (
        disposition_of(gone.failure, accepted=True) == "unresolved"
        and charged_by(SPEC, gone.failure, accepted=True) == "maybe"
    )
