"""Asks a provider whether it takes a key, by one request that costs nothing.

The provider's spec names a free address that needs the key (`key_check`). Where a provider documents none, a task that
doesn't exist is asked for: the answer shows a refusal of the key, and doesn't prove that it is accepted. Never sends
anything that is paid.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Literal

from ..dialects.base.step import Reply
from ..dialects.parsing.error_parsing import claimed_status, fault_of, unreadable
from ..dialects.parsing.reading import NotJson, read_json
from ..errors import ConfigError, failure
from ..http.connections import UnsafeAddress
from ..http.failures import RequestFailed
from ..http.transport import Cancelled, TooLong, Transport
from ..planning.plan import Target
from ..redaction.sent_key import Scrubber
from ..redaction.text import redact

SECONDS = 20.0
_ANSWER_BYTES = 16 << 20
_IN_BETWEEN = frozenset({"bot_protection", "region", "proxy"})
"""Answers about the way to the provider: the key was not looked at."""
KeyVerdict = Literal["works", "refused", "no credit", "unproven", "unreachable"]


@dataclass(frozen=True)
class Checked:
    """What a test of a key said."""

    verdict: KeyVerdict
    text: str
    """A sentence for a person, without the key."""


def check_key(target: Target) -> Checked:
    """Tests the key of a target. Raises ConfigError when the address or a proxy setting makes no sense."""
    spec = target.spec
    if not spec.needs_key:
        return Checked("works", f"{spec.label} needs no key")
    if target.key is None:
        return Checked("unproven", f"There is no key for {spec.label} to test")
    # A service account's document has its private key in it: it signs for tokens, and is never sent itself.
    if not spec.key_check or spec.auth != "key":
        return Checked(
            "unproven",
            f"{spec.label} has no free way to test a key: it is tried with the first picture. A wrong key costs nothing",
        )
    transport = Transport(target.base_url, target.proxy, target.ca_bundle)
    url, deadline = target.base_url + spec.key_check, time.monotonic() + SECONDS
    try:
        header = spec.header(target.key.value)
        reply = transport.send("GET", url, headers={}, key=header, deadline=deadline, limit=_ANSWER_BYTES)
    except RequestFailed as error:
        advice = f". {error.cure}" if error.cure else ""
        return Checked(
            "unreachable", f"{spec.label} can't be reached: {error.why}{advice}. Nothing is known about the key"
        )
    except (TooLong, UnsafeAddress, Cancelled) as error:
        return Checked("unreachable", f"{spec.label} can't be asked: {error}")
    finally:
        transport.close()
    if reply.ok:
        try:
            value = read_json(reply.body)
            fails = 400 if isinstance(value, dict) and value.get("error") else reply.status
            reply = replace(reply, status=claimed_status(value) or fails)
        except NotJson:
            return Checked(
                "unreachable",
                f"What answers at {spec.label}'s address is not its API{_named(reply)}: check the address. Nothing is known "
                "about the key",
            )
    if reply.ok:
        return Checked("works", f"{spec.label} takes the key")
    fault = fault_of(reply)
    if fault.kind in _IN_BETWEEN:
        refusal = failure(fault, spec.label, "no")
        message = Scrubber([target.key.value]).text(f"{refusal.what} {refusal.cure}")
        return Checked("unreachable", f"{message} Nothing is known about the key")
    if fault.kind in ("credit", "quota"):
        return Checked("no credit", f"{spec.label} takes the key, but the account has no credit or quota left")
    if reply.status == 401 or fault.kind in ("key", "account"):
        said = f': "{Scrubber([target.key.value]).text(redact(fault.message, 160))}"' if fault.message else ""
        return Checked("refused", f"{spec.label} refuses the key (HTTP {reply.status}){said}")
    if reply.status in (400, 404, 405, 422):
        return Checked("unproven", f"{spec.label} answers and did not refuse the key; the first picture will prove it")
    if 300 <= reply.status < 400:
        raise ConfigError(
            f"The address of {spec.label} leads somewhere else (HTTP {reply.status})",
            cure="Check the address: a key is never sent along a redirect",
        )
    return Checked("unreachable", f"{spec.label} answered HTTP {reply.status}: nothing is known about the key")


def _named(reply: Reply) -> str:
    message = unreadable(reply).message
    return f" ({message[:80]})" if message else ""
