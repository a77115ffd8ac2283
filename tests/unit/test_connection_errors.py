"""What keeps a request from its answer: interim answers, proxies and certificates, over real sockets through the engine.

The certificates are made here, with `cryptography`; where that is missing their tests are skipped by name.
"""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_play import GEMINI_IMAGE, IMAGE, answering, assert_said, engine_at, error_of, play
from pack.core.http import connections
from pack.core.http.failures import RequestFailed
from pack.core.http.transport import Transport
from pack.tests.raw_server import Connection, serving


def interim(*statuses: int, then: bytes, every: float = 0.0) -> Callable[[Connection], None]:
    """A script that sends interim answers before the real one."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        for status in statuses:
            connection.write(f"HTTP/1.1 {status} Interim\r\nLink: </a.css>; rel=preload\r\n\r\n".encode())
            time.sleep(every)
        connection.answer(then)

    return script


@pytest.mark.parametrize(
    ("provider", "success", "statuses"),
    [("google", GEMINI_IMAGE, (103,)), ("nanobanana", IMAGE, (100, 102, 103, 102)), ("onerouter", IMAGE, (102,) * 60)],
)
def test_interim_answers_are_skipped(provider: str, success: Any, statuses: tuple[int, ...], tmp_path: Path) -> None:
    """The picture that follows is the answer; nothing is sent twice."""
    with serving(interim(*statuses, then=json.dumps(success).encode())) as server:
        run = play(engine_at(tmp_path, provider, server.url), provider)
        assert run.tasks[0].result and server.connection_count == 1, [
            connection.head for connection in server.connections
        ]


def test_interim_answers_without_end_may_have_been_charged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No 1xx is a refusal: the request has arrived, and nobody knows what became of it."""
    monkeypatch.setattr(connections, "MOST_INTERIM_ANSWERS", 50)
    with serving(interim(*(103,) * 100, then=b"{}")) as server:
        error = error_of(play(engine_at(tmp_path, "google", server.url), "google"))
        assert server.connection_count == 1
    assert error.charged == "maybe" and error.kind == "timeout"
    assert_said("only interim answers", error.what)


def test_interim_answers_end_at_the_deadline() -> None:
    """However often one comes."""
    over = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.read_body()
        while not over.wait(0.02):
            connection.write(b"HTTP/1.1 102 Processing\r\n\r\n")

    with serving(script) as server:
        way = Transport(server.url)
        with pytest.raises(RequestFailed) as broken:
            way.send("GET", server.url, headers={}, deadline=time.monotonic() + 0.5)
        over.set()
    assert broken.value.sent == "all" and broken.value.timed_out


# ------------------------------------------------------------------------------------------------------------ proxies


@pytest.mark.parametrize(
    ("answer", "words", "cure", "tries"),
    [
        (
            "407 Proxy Authentication Required",
            "proxy http://127.0.0.1.*HTTP 407",
            "name:password@host.*NANO_BANANA_PROXY.*HTTPS_PROXY",
            1,
        ),
        (
            "403 Forbidden",
            "proxy http://127.0.0.1.*HTTP 403 Forbidden",
            "whoever runs it.*NANO_BANANA_PROXY.*HTTPS_PROXY",
            1,
        ),
        ("502 Bad Gateway", "proxy http://127.0.0.1.*HTTP 502", "could not reach the provider.*NANO_BANANA_PROXY", 3),
        ("nonsense", "proxy http://127.0.0.1.*no proxy", "address in NANO_BANANA_PROXY.*HTTPS_PROXY", 3),
    ],
)
def test_a_proxy_that_refuses_is_named_with_its_number(
    answer: str, words: str, cure: str, tries: int, tmp_path: Path
) -> None:
    """Nothing was sent to the provider; what can't get better isn't tried again."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.write(f"HTTP/1.1 {answer}\r\n\r\n".encode() if answer[0].isdigit() else b"220 mail ready\r\n\r\n")

    with serving(script) as proxy:
        given = proxy.url.replace("http://", "http://me:secret-of-mine@")
        engine = engine_at(tmp_path, "google", "https://api.example.com", NANO_BANANA_PROXY=given)
        error = error_of(play(engine, "google"))
        assert proxy.connection_count == tries
    assert (error.kind, error.charged) == ("proxy", "no")
    assert_said(words, error.what)
    assert_said(cure, error.cure)
    assert "secret-of-mine" not in error.message and "check the key" not in error.message.lower()


def test_a_proxy_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = error_of(
            play(engine_at(tmp_path, "google", "https://api.example.com", NANO_BANANA_PROXY=url), "google")
        )
    assert (error.kind, error.charged) == ("proxy", "no")
    assert_said(f"proxy {url} did not work: the connection was refused", error.what)
    assert_said("NANO_BANANA_PROXY", error.cure)


def test_a_407_as_a_plain_answer_is_the_proxy_s(tmp_path: Path) -> None:
    """Through a proxy of an http address, or from a proxy that looks into TLS: never the key."""
    with answering(
        {"status": 407, "raw": b"<html>Authentication required</html>", "headers": {"content-type": "text/html"}}
    ) as server:
        engine = engine_at(
            tmp_path,
            "nanobanana",
            "http://api.example.com",
            NANO_BANANA_PROXY=server.url,
            NANO_BANANA_NANOBANANA_PLAIN_HTTP="1",
        )
        error = error_of(play(engine, "nanobanana"))
        assert len(server.posts) == 1
    assert (error.kind, error.charged) == ("proxy", "no")
    assert_said("proxy .*user name and a password.*407", error.what)
    assert_said("NANO_BANANA_PROXY.*HTTPS_PROXY", error.cure)


# ------------------------------------------------------------------------------------------------------------ certificates


def certificate(folder: Path, name: str, days: tuple[int, int] = (-1, 2), by: Any = None) -> tuple[Path, Any]:
    """A file with a certificate for `name` and its key, and what signs others with it; self-signed without `by`."""
    x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    signer, issuer = by or (key, subject)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name.split()[0])]), False)
        .add_extension(x509.BasicConstraints(ca=" " in name, path_length=None), True)
        .sign(signer, hashes.SHA256())
    )
    file = folder / f"{name}-{days[0]}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file, (key, subject)


def tunnel(file: Path) -> Callable[[Connection], None]:
    """A proxy that lets everything through to a TLS server with this certificate, which answers with a picture."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        with context.wrap_socket(connection.channel, server_side=True) as secure:
            Connection(secure).serve(json.dumps(GEMINI_IMAGE).encode())

    return script


HOST = "api.example.com"


@pytest.mark.parametrize(
    ("name", "days", "trusted", "words", "cure"),
    [
        (HOST, (-1, 2), False, "certificate verify failed: self-signed certificate", "NANO_BANANA_CA_BUNDLE"),
        (HOST, (-9, -2), True, "certificate verify failed: certificate has expired", "clock.*NANO_BANANA_CA_BUNDLE"),
        (HOST, (3, 9), True, "certificate verify failed: certificate is not yet valid", "clock.*NANO_BANANA_CA_BUNDLE"),
        (
            "other.example",
            (-1, 2),
            True,
            "certificate verify failed: [Hh]ostname mismatch",
            "address.*NANO_BANANA_CA_BUNDLE",
        ),
    ],
)
def test_the_reason_of_a_refused_certificate_is_whole(
    name: str, days: tuple[int, int], trusted: bool, words: str, cure: str, tmp_path: Path
) -> None:
    """And what to do about it; one try, because no other would end differently."""
    file, _ = certificate(tmp_path, name, days)
    bundle = {"NANO_BANANA_CA_BUNDLE": str(file)} if trusted else {}
    with serving(tunnel(file)) as server:
        engine = engine_at(tmp_path, "google", f"https://{HOST}", NANO_BANANA_PROXY=server.url, **bundle)
        error = error_of(play(engine, "google"))
        assert server.connection_count == 1
    assert (error.kind, error.charged) == ("certificate", "no")
    assert_said(words, error.what)
    assert_said(cure, error.cure)


def test_the_certificate_of_a_company_is_told_and_its_bundle_cures_it(tmp_path: Path) -> None:
    """Signed by somebody whom this machine doesn't know; with the file that the cure names, the picture comes."""
    root, company = certificate(tmp_path, "company.example root")
    file, _ = certificate(tmp_path, HOST, by=company)
    with serving(tunnel(file)) as server:
        machine = {"NANO_BANANA_PROXY": server.url}
        error = error_of(play(engine_at(tmp_path, "google", f"https://{HOST}", **machine), "google"))
        assert_said("certificate verify failed: unable to get local issuer certificate", error.what)
        assert_said("companies.*NANO_BANANA_CA_BUNDLE", error.cure)
        cured = engine_at(tmp_path, "google", f"https://{HOST}", **machine, NANO_BANANA_CA_BUNDLE=str(root))
        assert play(cured, "google").tasks[0].result
