"""A paid request that is answered with a redirect, or with a status that HTTP gives no meaning: is it paid twice, or lost?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dialect_driver import PNG
from engine_play import GEMINI_IMAGE, IMAGE, answering, engine_at, error_of, play
from pack.core.http.redirects import is_same_address
from pack.tests.raw_server import Connection, serving


def away(status: int, location: str) -> dict[str, Any]:
    return {"status": status, "raw": b"", "headers": {"Location": location} if location else {}}


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_elsewhere_is_asked_about_before_it_is_paid_again(status: int, tmp_path: Path) -> None:
    """Many servers redirect after they have done a request. The other origin hears nothing."""
    with serving(Connection.serve) as other, answering(away(status, f"{other.url}/v1/images/generations")) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        error = error_of(play(engine, "nanobanana"))
        assert (error.charged, error.status) == ("maybe", status) and "may have charged" in error.message
        assert error_of(play(engine, "nanobanana")).kind == "doubt"
        assert len(server.posts) == 1 and len(server.asked) == 1 and other.connection_count == 0


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("provider", ["google", "nanobanana"])
def test_the_answer_is_fetched_where_a_redirect_says_that_it_is(status: int, provider: str, tmp_path: Path) -> None:
    """At the provider's own origin, with GET; the paid body leaves once."""
    found = {"poll": True, "status": 200, "body": GEMINI_IMAGE if provider == "google" else IMAGE}
    with answering(away(status, "/results/1?x=2#top"), found) as server:
        run = play(engine_at(tmp_path, provider, server.url), provider)
        assert run.tasks[0].result is not None and run.tasks[0].result.data == PNG
        assert [(each.method, each.path) for each in server.asked][1:] == [("GET", "/results/1?x=2")]
        assert len(server.posts) == 1 and "key-of-mine-1" in server.asked[1].head


def test_a_picture_behind_a_redirect_or_a_location_is_the_result(tmp_path: Path) -> None:
    """As 303 (RFC 9110, 15.4.4) and a 201 without a body (15.3.2) say it."""
    for number, status in enumerate((303, 201)):
        with answering(away(status, "/files/a.png"), files={"a.png": PNG}) as server:
            run = play(engine_at(tmp_path / str(number), "nanobanana", server.url), "nanobanana")
            assert run.tasks[0].result is not None and run.tasks[0].result.data == PNG and len(server.posts) == 1


@pytest.mark.parametrize("status", [307, 308])
def test_a_paid_body_is_not_sent_along_a_redirect_of_the_same_origin(status: int, tmp_path: Path) -> None:
    """Nor asked for with GET: these keep the method."""
    with answering(away(status, "/v2/images/generations")) as server:
        error = error_of(play(engine_at(tmp_path, "nanobanana", server.url), "nanobanana"))
        assert error.charged == "maybe" and len(server.asked) == 1


@pytest.mark.parametrize("found", [404, 500, 302])
def test_what_goes_wrong_behind_a_redirect_says_nothing_about_the_request(found: int, tmp_path: Path) -> None:
    with answering(away(302, "/results/1"), {"poll": True, **away(found, "/results/1")}) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        assert error_of(play(engine, "nanobanana")).charged == "maybe"
        assert error_of(play(engine, "nanobanana")).kind == "doubt" and len(server.posts) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_the_same_address_cost_nothing(status: int, tmp_path: Path) -> None:
    """A web framework's slash: the request was not looked at."""
    with answering(away(status, "/v1/images/generations/")) as server:
        error = error_of(play(engine_at(tmp_path, "nanobanana", server.url), "nanobanana"))
        assert error.charged == "no" and len(server.asked) == 1


@pytest.mark.parametrize(
    ("location", "same"),
    [
        ("https://a.example/v1/x", True),
        ("https://a.example:8443/v1/x/", True),
        ("/v1/x/", True),
        ("http://a.example/v1/x", False),
        ("https://b.example/v1/x", False),
        ("https://a.example/login", False),
        ("/v1/x?done=1", False),
        ("", False),
        ("https://[bad/v1/x", False),
    ],
)
def test_the_same_address_in_another_spelling(location: str, same: bool) -> None:
    assert is_same_address("http://a.example/v1/x", location) is same


@pytest.mark.parametrize("provider", ["google", "nanobanana", "kie"])
@pytest.mark.parametrize("status", [600, 777, 999])
def test_a_status_without_a_meaning_is_asked_about_before_it_is_paid_again(
    status: int, provider: str, tmp_path: Path
) -> None:
    """Also where failures are documented as free: this is no failure that the document knows."""
    with answering({"status": status, "body": {"error": {"message": "x"}}}) as server:
        engine = engine_at(tmp_path, provider, server.url)
        assert error_of(play(engine, provider)).charged == "maybe"
        assert error_of(play(engine, provider)).kind == "doubt" and len(server.posts) == 1


@pytest.mark.parametrize("status", [500, 502, 504, 600, 999])
def test_a_picture_under_the_status_of_a_failure_is_the_result(status: int, tmp_path: Path) -> None:
    """A gateway may fail after the provider behind it has answered."""
    with answering({"status": status, "body": IMAGE}) as server:
        run = play(engine_at(tmp_path, "nanobanana", server.url), "nanobanana")
        assert run.tasks[0].result is not None and run.tasks[0].result.data == PNG and len(server.posts) == 1


def test_a_picture_beside_an_error_is_no_result(tmp_path: Path) -> None:
    with answering({"status": 500, "body": {**IMAGE, "error": {"message": "it failed"}}}) as server:
        assert play(engine_at(tmp_path, "nanobanana", server.url), "nanobanana").tasks[0].result is None
