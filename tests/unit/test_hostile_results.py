"""Addresses and words of a hostile provider, through the whole engine: what it says of a finished picture."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

import pytest
from dialect_driver import PNG, reply
from engine_play import assert_unsaid, engine_at, error_of, play
from linear_time import assert_linear
from pack.core.dialects.parsing.error_parsing import failure_of
from pack.core.http.url_policy import is_public, is_public_host_name
from pack.tests.raw_server import Connection, serving

KEY = "key-of-mine-1"


@pytest.mark.parametrize("url", ["http://[::1", "https://[x]/a.png", "http://a]b/c.png", "//[", "http://[::1]x/"])
def test_an_address_that_is_none_is_no_bug_of_the_pack(url: str, tmp_path: Path) -> None:
    """The picture is paid, and its address leads nowhere."""

    def script(connection: Connection) -> None:
        connection.serve(json.dumps({"data": [{"url": url}]}).encode(), "200 OK", "Connection: close")

    with serving(script) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        error = error_of(play(engine, "nanobanana"))
        engine.ledger.close()
    assert error.charged in ("yes", "maybe")
    assert_unsaid("pack itself", error.what)


@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/{KEY}/a.png\r\nContent-Length: 0\r\n\r\n",
        f"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/{KEY[::-1]}/a.png\r\nContent-Length: 0\r\n\r\n",
        f"{KEY} is no answer\r\n\r\n",
    ],
)
def test_who_has_the_picture_repeats_the_key_in_vain(
    answer: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In a redirect or a first line: not in the error, the journal or the log."""

    def script(connection: Connection) -> None:
        if connection.read_head().startswith(b"POST"):
            connection.read_body()
            connection.answer(
                json.dumps({"data": [{"url": f"{server.url}/a.png"}]}).encode(), "200 OK", "Connection: close"
            )
        else:
            connection.write(answer.encode())

    caplog.set_level(logging.DEBUG)
    with serving(script) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        run = play(engine, "nanobanana")
        engine.ledger.close()
    shown = [str(error_of(run)), *run.report.notices, caplog.text]
    shown += [file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file()]
    for text in shown:
        assert_unsaid(f"{KEY}|{KEY[::-1]}", text)


@pytest.mark.parametrize("address", ["192.0.0.192", "192.0.0.1", "::ffff:192.0.0.192", "64:ff9b::192.0.0.192"])
def test_the_metadata_of_a_cloud_is_not_public(address: str) -> None:
    """Whatever this release of Python says of 192.0.0.0/24."""
    assert not is_public(address) and not is_public_host_name(address)


@pytest.mark.long
@pytest.mark.parametrize("sign", ["“", "‘", "'", '"', "`", "“a", "‘ "])
def test_quotation_marks_without_an_end_take_linear_time(sign: str) -> None:
    """One pattern looks for what is quoted, in one go: 16 kB of them held the interpreter for 300 ms."""

    half, whole = (reply(400, {"error": {"message": sign * (size // len(sign))}}) for size in (8 << 10, 16 << 10))
    assert_linear(failure_of, half, whole, slack=0.005)


@pytest.mark.parametrize("head", [b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x18ftypheic"])
def test_a_picture_of_another_format_is_kept_as_bytes(head: bytes, tmp_path: Path) -> None:
    """Nothing here decodes it, and it was paid."""
    data = head + PNG
    body = json.dumps({"data": [{"b64_json": base64.b64encode(data).decode()}]}).encode()
    with serving(lambda connection: connection.serve(body, "200 OK", "Connection: close")) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        error = error_of(play(engine, "nanobanana"))
        engine.ledger.close()
    assert error.charged != "no"
    assert any(
        data in file.read_bytes() or base64.b64encode(data) in file.read_bytes()
        for file in (tmp_path / "results").rglob("*.*")
    )
