"""Feeds the readers of addresses. Only ConfigError may come out of a base URL, and no address may lead to another host.

An input is the text of an address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from random import Random
from urllib.parse import urlsplit

import inputs
from harness import Harness
from pack.core.dialects.base.polling import path_segment, same_origin_url
from pack.core.errors import ConfigError
from pack.core.http import url_policy
from pack.core.keys import pasted_key
from pack.core.providers import BUILT_IN
from pack.core.redaction.text import public_url

import fuzz_answers  # isort: skip

ROUTES = tuple(sorted({path for spec in BUILT_IN.values() for path in spec.paths}, key=len))[-6:]
JOB = fuzz_answers.job_of("replicate", "generate")
_STARTS = inputs.words("addresses", "starts")
_ENDS = inputs.words("addresses", "ends")


def run(data: bytes) -> None:
    """Reads the address in every way."""
    text = (
        data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace")
        if _decodes(data)
        else data.decode("latin-1")
    )
    for plain_http in (len(data) % 2 == 0,):
        try:
            url = url_policy.checked_base_url(text, "the field", plain_http=plain_http, known_paths=ROUTES)
        except ConfigError as error:
            assert error.kind == "config" and "pw@" not in error.message, "an error that repeats a password"
            continue
        scheme, host, port = url_policy.origin(url)
        assert scheme == "https" or plain_http or url_policy.is_loopback(host), "plain http to anywhere"
        assert urlsplit(url).username is None and not url.endswith("/"), "a name, or a slash at its end"
        assert url_policy.origin(url + "/v1/x") == (scheme, host, port), "another host with a path"
        again = url_policy.checked_base_url(url, "the field", plain_http=plain_http, known_paths=ROUTES)
        assert again == url or url.endswith((";", ",", ">", "'", '"')), "not stable"  # as after a pasted command
    try:
        url_policy.origin(text)
    except ValueError:
        pass
    url_policy.is_loopback(text)
    named, public = url_policy.is_public_host_name(text), url_policy.is_public(text)
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        assert not public, "no address, and public"
    else:
        allowed = public or (named and "%" not in text)
        assert not (allowed and ip.version == 4 and ip.is_private and ip not in url_policy.FAKE_IP), "private"
        assert not (allowed and (ip.is_loopback or ip.is_link_local)), "this machine or its network"
    shown = public_url(text)
    assert isinstance(shown, str), "no text"
    pasted_key.without_assignment(text)
    pasted_key.unquoted(text)
    own = same_origin_url(JOB, text)
    assert not own or url_policy.origin(own) == url_policy.origin(JOB.base_url), "the key goes elsewhere"
    segment = path_segment(text)
    assert segment.isascii() and not set(segment) & set("/?#&= \\"), "more than one segment"


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def make(rng: Random) -> bytes:
    draw = rng.random()
    if draw < 0.7:
        text = rng.choice(_STARTS) + "".join(rng.choice(_ENDS) for _ in range(rng.choice((0, 1, 1, 2, 3))))
    elif draw < 0.8:
        text = str(ipaddress.ip_address(rng.getrandbits(rng.choice((32, 128)))))
    elif draw < 0.85:
        text = ".".join(str(rng.choice((0, 1, 10, 127, 169, 172, 192, 198, 224, 254, 255, 256))) for _ in range(4))
    else:
        text = inputs.text(rng)
    if rng.random() < 0.3:
        text = inputs.mutated_text(text, rng)
    return text.encode("utf-8", "surrogatepass")


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return inputs.mutated_bytes(data, rng, others, 4000)


HARNESS = Harness(
    "addresses",
    run,
    make,
    mutate,
    ("core/http/url_policy.py", "core/http/pasted_url.py", "core/keys/pasted_key.py", "core/redaction/text.py"),
    inputs_in_suite=4000,
)
