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
from ..dialects.parsing.error_parsing import claimed_status, failure_of, unreadable
from ..dialects.parsing.reading import NotJson, read_json
from ..errors import ConfigError, provider_error
from ..errors.messages import concat, joined, msg
from ..http.connections import UnsafeAddress
from ..http.failures import RequestFailed
from ..http.transport import Cancelled, TooLong, Transport
from ..planning.plan import Target
from ..redaction.sent_key import Scrubber
from ..redaction.text import redact
from .balance import Balance, read_balance

SECONDS = 20.0
_ANSWER_BYTES = 16 << 20
_NOT_FROM_PROVIDER = frozenset({"bot_protection", "region", "proxy"})
"""Answers about the way to the provider: the key was not looked at."""
KeyVerdict = Literal["works", "refused", "no credit", "unproven", "unreachable"]


@dataclass(frozen=True)
class Checked:
    """What a test of a key said."""

    verdict: KeyVerdict
    text: str
    """A sentence for a person, without the key."""
    balance: Balance | None = None
    """Where the same answer names it."""


def check_key(target: Target) -> Checked:
    """Tests the key of a target. Raises ConfigError when the address or a proxy setting makes no sense."""
    spec = target.spec
    if not spec.needs_key:
        return Checked("works", msg("key_check.needs_no_key", provider=spec.label))
    if target.key is None:
        return Checked("unproven", msg("key_check.no_key_to_test", provider=spec.label))
    # A service account's document has its private key in it: it signs for tokens, and is never sent itself.
    if not spec.key_check or spec.auth != "key":
        return Checked(
            "unproven",
            msg("key_check.no_free_test", provider=spec.label),
        )
    transport = Transport(target.base_url, target.proxy, target.ca_bundle)
    url, deadline = target.base_url + spec.key_check, time.monotonic() + SECONDS
    try:
        header = spec.header(target.key.value)
        reply = transport.send("GET", url, headers={}, key=header, deadline=deadline, limit=_ANSWER_BYTES)
    except RequestFailed as error:
        advice = concat(". ", error.cure) if error.cure else ""
        return Checked(
            "unreachable",
            msg("key_check.provider_not_reached", provider=spec.label, why=error.why, advice=advice),
        )
    except (TooLong, UnsafeAddress, Cancelled) as error:
        return Checked("unreachable", msg("key_check.provider_not_askable", provider=spec.label, error=error))
    finally:
        transport.close()
    return _verdict(target, target.key.value, reply)


def _verdict(target: Target, key: str, reply: Reply) -> Checked:
    """What the answer says about the key. Raises ConfigError for a redirect: the address is another one."""
    spec, balance = target.spec, None
    if reply.ok:
        try:
            value = read_json(reply.body)
            balance = read_balance(spec.balance, value, time.time()) if spec.balance else None
            fails = 400 if isinstance(value, dict) and value.get("error") else reply.status
            reply = replace(reply, status=claimed_status(value) or fails)
        except NotJson:
            return Checked(
                "unreachable",
                msg("key_check.not_an_api", provider=spec.label, named=_named(reply)),
            )
    if reply.ok:
        return Checked("works", msg("key_check.key_accepted", provider=spec.label), balance)
    failure = failure_of(reply)
    if failure.kind in _NOT_FROM_PROVIDER:
        refusal = provider_error(failure, spec.label, "no")
        message = Scrubber([key]).text(joined(refusal.what, refusal.cure))
        return Checked("unreachable", msg("key_check.nothing_known_about_key", message=message))
    if failure.kind in ("credit", "quota"):
        return Checked("no credit", msg("key_check.key_accepted_without_credit", provider=spec.label))
    if reply.status == 401 or failure.kind in ("key", "account"):
        provider_text = f': "{Scrubber([key]).text(redact(failure.message, 160))}"' if failure.message else ""
        return Checked(
            "refused", msg("key_check.key_refused", provider=spec.label, status=reply.status, said=provider_text)
        )
    if reply.status in (400, 404, 405, 422):
        return Checked("unproven", msg("key_check.key_not_refused", provider=spec.label))
    if 300 <= reply.status < 400:
        raise ConfigError(
            msg("key_check.address_redirects", provider=spec.label, status=reply.status),
            cure=msg("key_check.check_redirected_address"),
        )
    return Checked("unreachable", msg("key_check.unclear_answer", provider=spec.label, status=reply.status))


def _named(reply: Reply) -> str:
    message = unreadable(reply).message
    return msg("key_check.named", what=message[:80]) if message else ""
