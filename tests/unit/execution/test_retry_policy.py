"""The whole policy about trying again and about money, as tables and as properties."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import format_datetime
from itertools import product
from typing import Any, get_args

import pytest
from dialect_driver import reply
from hypothesis import given
from hypothesis import strategies as st
from pack.core.dialects.parsing.error_parsing import failure_of
from pack.core.errors import Kind, ProviderFailure
from pack.core.execution.charge import charged_by, disposition_of
from pack.core.execution.retry_policy import (
    DEFAULT_WAITS,
    FREE_TRIES,
    LONGEST_WAIT,
    PAID_TRIES,
    GiveUp,
    Retry,
    RetryDecision,
    after_broken_connection,
    after_failure,
    after_refusal,
    format_seconds,
    patience,
    refusal_pause,
    refused_before_work,
    retry_after_hint,
)
from pack.core.http.backoff import delay, parse_retry_after
from pack.core.http.failures import BytesSent
from pack.core.http.status import allows_other_variant
from pack.core.providers import BUILT_IN

PLAIN = replace(BUILT_IN["onerouter"], failures_unbilled=False, idempotency_header="")
KEYED = replace(PLAIN, idempotency_header="Idempotency-Key")
FRANK = replace(PLAIN, failures_unbilled=True)
NOW = 1_790_000_000.0
PATIENCE = 600.0
KINDS: tuple[Kind, ...] = get_args(Kind)
SENT: tuple[BytesSent, ...] = get_args(BytesSent)
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 451, 500, 502, 503, 504, 524, 529)


def decide(
    status: int, *, paid: bool, spec: Any = PLAIN, attempt: int = 1, after: str = "", body: Any = None
) -> RetryDecision:
    """The verdict about a provider's answer, read as the dialects read it."""
    failure = failure_of(reply(status, {"error": {"message": "Sorry"}} if body is None else body))
    headers = {"retry-after": after} if after else {}
    return after_failure(
        spec, failure, headers, paid=paid, attempt=attempt, now=NOW, jitter=0.5, remaining_patience=PATIENCE
    )


# ------------------------------------------------------------------------------------------------------ the table


@pytest.mark.parametrize("paid", [False, True])
@pytest.mark.parametrize("sent", ["none", "partial"])
def test_what_never_arrived_is_sent_again(paid: bool, sent: BytesSent) -> None:
    """Refused, DNS, TLS, connect timeout, a body that was cut: nothing is charged, also when it is given up."""
    assert isinstance(after_broken_connection(PLAIN, sent, paid=paid, attempt=1, jitter=0.5), Retry)
    last = after_broken_connection(PLAIN, sent, paid=paid, attempt=PAID_TRIES if paid else FREE_TRIES, jitter=0.5)
    assert last == GiveUp("no")


def test_a_break_after_the_whole_body_left() -> None:
    """Free: again. Paid: over, maybe charged. Paid with an idempotency key: again, and maybe charged at the end."""
    assert isinstance(after_broken_connection(PLAIN, "all", paid=False, attempt=1, jitter=0), Retry)
    assert after_broken_connection(PLAIN, "all", paid=False, attempt=FREE_TRIES, jitter=0) == GiveUp("no")
    assert after_broken_connection(PLAIN, "all", paid=True, attempt=1, jitter=0) == GiveUp("maybe")
    assert after_broken_connection(KEYED, "all", paid=True, attempt=1, jitter=0) == Retry(delay(1, 0), "maybe")
    assert after_broken_connection(KEYED, "partial", paid=True, attempt=1, jitter=0) == Retry(delay(1, 0), "no")
    assert after_broken_connection(KEYED, "all", paid=True, attempt=PAID_TRIES, jitter=0) == GiveUp("maybe")


@pytest.mark.parametrize("status", [429, 503])
def test_a_refused_free_step_is_tried_again(status: int) -> None:
    """With Retry-After after exactly that long, without it after the backoff; a long one ends it, and is named."""
    assert decide(status, paid=False, after="7") == Retry(7.0)
    assert decide(status, paid=False) == Retry(delay(1, 0.5))
    assert decide(status, paid=False, after=str(LONGEST_WAIT)) == Retry(LONGEST_WAIT)
    assert decide(status, paid=False, after="61") == GiveUp("no", 61.0)
    assert isinstance(decide(status, paid=False, attempt=FREE_TRIES), GiveUp)


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_before_work_is_waited_for_within_the_patience(status: int) -> None:
    """A hint for exactly as long as it says where it fits, however often; without one up to a quarter of a minute."""
    assert decide(status, paid=True, after="7") == Retry(7.0)
    assert decide(status, paid=True, after="600") == Retry(600.0)
    assert decide(status, paid=True, after="601") == GiveUp("no", 601.0)
    for refusals in (1, 2, 3, 50, 2000):
        decision = decide(status, paid=True, attempt=refusals)
        assert isinstance(decision, Retry) and decision.charged == "no"
        assert DEFAULT_WAITS.first_pause * 0.75 <= decision.seconds <= DEFAULT_WAITS.longest_pause
    assert after_refusal(15.0, None, 4.0) == Retry(4.0), "the last try comes when the patience ends"
    assert after_refusal(15.0, None, 0.1) == GiveUp("no")


def test_a_hint_that_has_proved_too_short_is_lengthened() -> None:
    """`Retry-After: 0` for ever is no licence to hammer."""
    assert refusal_pause(1, 0.0, 0.0) == DEFAULT_WAITS.shortest_pause
    assert [refusal_pause(n, 0.0, 0.0) for n in (2, 3, 4, 9)] == [1.0, 2.0, 4.0, 15.0]
    assert [refusal_pause(n, 30.0, 0.0) for n in (1, 2, 9)] == [30.0] * 3


def test_where_another_provider_can_do_it_the_wait_is_short() -> None:
    assert patience(600, has_alternative=False) == 600
    assert patience(600, has_alternative=True) == 20 and patience(10, has_alternative=True) == 10


@pytest.mark.parametrize(
    ("kind", "status", "unbilled", "waits"),
    [
        ("rate", 429, None, True),
        ("busy", 503, None, True),
        ("busy", 503, True, True),
        ("rate", 429, False, False),
        ("quota", 429, None, False),
        ("credit", 429, None, False),
        ("server", 429, None, False),
        ("busy", 529, None, False),
        ("rate", 200, None, False),
        ("rate", None, None, False),
    ],
)
def test_what_is_waited_for(kind: Kind, status: int | None, unbilled: bool | None, waits: bool) -> None:
    """Refusals that surely cost nothing and may end by themselves, and nothing else."""
    assert refused_before_work(PLAIN, ProviderFailure(kind, "x", status, unbilled=unbilled)) is waits


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("You exceeded your current quota. Please retry in 34.074824224s.", 34.074824224),
        ("Rate limit reached. Please try again in 6m0s.", 360.0),
        ("Please try again in 1m30s", 90.0),
        ("Please try again in 86ms.", 0.086),
        ("Too many requests, retry after 12 seconds", 12.0),
        ("wait 5 minutes and try again", 300.0),
        ("Try again in 24 hours", 86_400.0),
        ("Please try again later.", None),
        ("retry after 3", None),
        ("wait for 2 pictures", None),
        ("", None),
    ],
)
def test_a_wait_that_only_the_words_name(words: str, seconds: float | None) -> None:
    """As Google, OpenAI and resellers write it; a number without a unit could be anything."""
    found = retry_after_hint(ProviderFailure("rate", words, 429), {}, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_what_says_the_wait_most_exactly_is_believed() -> None:
    """The body's field, the header in milliseconds, the header, the words; words of other failures say nothing."""
    words = "Please retry in 9s"
    both = {"retry-after": "3", "retry-after-ms": "2500"}
    assert retry_after_hint(ProviderFailure("rate", words, 429, retry_after=1.0), both, NOW) == 1.0
    assert retry_after_hint(ProviderFailure("rate", words, 429), both, NOW) == 2.5
    assert retry_after_hint(ProviderFailure("rate", words, 429), {"retry-after": "3"}, NOW) == 3.0
    assert retry_after_hint(ProviderFailure("rate", words, 429), {"retry-after-ms": "soon"}, NOW) == 9.0
    assert retry_after_hint(ProviderFailure("content", words, 400), {}, NOW) is None


def test_a_provider_that_begins_work_before_it_says_503_is_not_asked_twice() -> None:
    """The spec says which statuses come before work."""
    spec = replace(PLAIN, refuses_before_work=frozenset({429}))
    assert decide(503, paid=True, spec=spec) == GiveUp("maybe")
    assert isinstance(decide(429, paid=True, spec=spec), Retry)


@pytest.mark.parametrize("status", [408, 409, 500, 502, 504, 524])
def test_a_server_s_fault(status: int) -> None:
    """Free: again. Paid: over and maybe charged. With an idempotency key: again."""
    assert isinstance(decide(status, paid=False), Retry)
    assert decide(status, paid=True) == GiveUp("maybe")
    assert decide(status, paid=True, spec=KEYED) == Retry(delay(1, 0.5), "maybe")
    last = decide(status, paid=True, spec=KEYED, attempt=PAID_TRIES)
    assert last == GiveUp("maybe")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 451])
@pytest.mark.parametrize("paid", [False, True])
def test_what_won_t_get_better_ends_it_for_free(status: int, paid: bool) -> None:
    """Other 4xx: one try, nothing charged, with or without an idempotency key."""
    assert decide(status, paid=paid) == GiveUp("no")
    assert decide(status, paid=paid, spec=KEYED) == GiveUp("no")


def test_an_account_without_credit_is_not_hammered() -> None:
    """A 429 whose words are about money is no rate limit."""
    assert decide(429, paid=True, body={"error": {"code": "insufficient_quota", "message": "x"}}) == GiveUp("no")


def test_a_success_that_can_t_be_read_may_have_been_paid() -> None:
    """Paid: never again without a key, maybe charged. A free poll is asked again."""
    for kind in ("unreadable", "empty"):
        failure = ProviderFailure(kind, "", 200)
        assert after_failure(PLAIN, failure, {}, paid=True, attempt=1, now=NOW, jitter=0) == GiveUp("maybe")
    poll = after_failure(PLAIN, ProviderFailure("unreadable", "", 200), {}, paid=False, attempt=1, now=NOW, jitter=0)
    assert isinstance(poll, Retry)


def test_a_keyed_request_that_is_told_to_wait_too_long_is_still_maybe_charged() -> None:
    """A 500 with Retry-After 3600 may have been billed; only a refusal before work is surely free."""
    assert decide(500, paid=True, spec=KEYED, after="3600") == GiveUp("maybe", 3600.0)
    assert decide(429, paid=True, spec=KEYED, after="3600") == GiveUp("no", 3600.0)


# ------------------------------------------------------------------------------------------------------ the money


@pytest.mark.parametrize(
    ("spec", "failure", "accepted", "charged"),
    [
        (PLAIN, ProviderFailure("content", "no", 200), False, "maybe"),
        (FRANK, ProviderFailure("content", "no", 200), False, "no"),
        (FRANK, ProviderFailure("task", "failed", None), True, "no"),
        (PLAIN, ProviderFailure("task", "failed", None), True, "maybe"),
        (FRANK, ProviderFailure("unreadable", "", 200), False, "maybe"),
        (FRANK, ProviderFailure("empty", "", 200), False, "maybe"),
        (PLAIN, ProviderFailure("task", "x", None, unbilled=True), True, "no"),
        (PLAIN, ProviderFailure("content", "x", 400, unbilled=False), False, "yes"),
        (PLAIN, ProviderFailure("server", "x", 500), False, "maybe"),
        (FRANK, ProviderFailure("server", "x", 500), False, "no"),
        (FRANK, ProviderFailure("server", "", 500), False, "maybe"),
        (FRANK, ProviderFailure("server", "nginx", 502), False, "maybe"),
        (FRANK, ProviderFailure("server", "nginx", 504), False, "maybe"),
        (PLAIN, ProviderFailure("busy", "x", 503), False, "no"),
        (PLAIN, ProviderFailure("invalid", "x", 400), False, "no"),
        (PLAIN, ProviderFailure("network", "", None), False, "maybe"),
    ],
)
def test_what_a_failure_costs(spec: Any, failure: ProviderFailure, accepted: bool, charged: str) -> None:
    """The provider's word first; then whether it worked on it; a gateway's words are nobody's."""
    assert charged_by(spec, failure, accepted=accepted) == charged


# ------------------------------------------------------------------------------------------------- hostile headers


def http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + seconds, timezone.utc), usegmt=True)


HOSTILE: dict[str, float | None] = {
    "": None,
    "   ": None,
    "5": 5.0,
    " 5 ": 5.0,
    "0": 0.0,
    "0.25": 0.25,
    "1e1": 10.0,
    "-10": None,
    "-0.001": None,
    "inf": None,
    "-inf": None,
    "Infinity": None,
    "nan": None,
    "NaN": None,
    "1e999": None,
    "9" * 35: 1e35,
    "9" * 70: None,
    "0x10": None,
    "5 seconds": None,
    "five": None,
    "5, 6": None,
    "5;q=1": None,
    "\x00": None,
    "Zun, 29 Sep 2026 16:26:57 GMT": None,
    "Zun, 29 Sep": None,
    "Tue, 31 Feb 2026 00:00:00 GMT": None,
    "Fri, 29 Sep 100000 16:26:57 GMT": None,
    "Tue, 29 Sep 0000 16:26:57 GMT": None,
    "2026-09-29T16:26:57Z": None,
    "99999999999999999999999999999999999, 29 Sep 2026": None,
    http_date(10): 10.0,
    http_date(-3600): 0.0,
    http_date(86_400 * 365): 86_400.0 * 365,
    http_date(0): 0.0,
}
LENIENT = frozenset(value for value in HOSTILE if value.startswith(("Zun, 29 Sep 2026", "Fri", "Tue, 29 Sep 0000")))
"""How much a date parser forgives differs by Python's version; sense is all that is asked."""


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_hostile_retry_after(value: str) -> None:
    """A sensible number of seconds, or nothing; never a crash, with the clock frozen."""
    found, wanted = parse_retry_after(value, NOW), HOSTILE[value]
    if value in LENIENT:
        assert found is None or (math.isfinite(found) and found >= 0)
    else:
        assert found == (None if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize(
    ("seconds", "words"), [(61.4, "61 seconds"), (86_400.0, "86400 seconds"), (86_401.0, "more than a day")]
)
def test_a_wait_is_said_so_that_a_person_can_read_it(seconds: float, words: str) -> None:
    assert format_seconds(seconds) == words and format_seconds(float("9" * 35)) == "more than a day"


@pytest.mark.parametrize("status", [520, 522, 524])
def test_a_network_s_words_about_a_server_behind_it_leave_the_picture_in_doubt(status: int) -> None:
    """Cloudflare's: the request got there, and what came of it isn't known. Also where failures are documented as free."""
    failure = ProviderFailure("server", "a web page titled 524: A timeout occurred", status)
    assert charged_by(BUILT_IN["nanobanana"], failure, accepted=False) == "maybe"
    assert disposition_of(failure, accepted=False) == "unresolved"


@given(st.text(max_size=80))
def test_no_header_makes_it_crash_or_wait_without_sense(value: str) -> None:
    """Any text at all."""
    found = parse_retry_after(value, NOW)
    assert found is None or (math.isfinite(found) and found >= 0)


@given(
    st.one_of(
        st.floats(allow_nan=True, allow_infinity=True),
        st.integers(),
        st.booleans(),
        st.text(),
        st.none(),
        st.just(10**400),
    )
)
def test_a_wait_in_the_body_is_held_to_the_same_bounds(wait: Any) -> None:
    """`{"retry_after": ...}` of any value: a bounded pause, or an end with a wait a person can read."""
    decision = decide(429, paid=True, body={"message": "slow down", "retry_after": wait})
    if isinstance(decision, Retry):
        assert 0 < decision.seconds <= PATIENCE
    else:
        assert decision.wait is not None and PATIENCE < decision.wait < math.inf and decision.charged == "no"


# ------------------------------------------------------------------------------------------------------ properties


failures = st.builds(
    ProviderFailure,
    kind=st.sampled_from(KINDS),
    message=st.sampled_from(["", "words"]),
    status=st.sampled_from([None, 200, 201, 301, *STATUSES]),
    retry_after=st.one_of(st.none(), st.floats(min_value=0, max_value=1e9)),
    unbilled=st.sampled_from([None, True, False]),
)
specs = st.builds(
    replace,
    st.just(PLAIN),
    failures_unbilled=st.booleans(),
    idempotency_header=st.sampled_from(["", "Idempotency-Key"]),
    refuses_before_work=st.sampled_from([frozenset[int](), frozenset({429}), frozenset({429, 503})]),
)
attempts = st.integers(1, 2000)
jitter = st.floats(0, 1)
headers = st.sampled_from([{}, {"retry-after": "3"}, {"retry-after": "1e9"}, {"retry-after": "-5"}])


@given(specs, st.sampled_from(SENT), attempts, jitter)
def test_a_paid_request_that_left_is_never_sent_again_without_a_key(
    spec: Any, sent: BytesSent, n: int, d: float
) -> None:
    """The first promise of the pack, for every break of a connection."""
    decision = after_broken_connection(spec, sent, paid=True, attempt=n, jitter=d)
    if sent == "all" and not spec.idempotency_header:
        assert decision == GiveUp("maybe")
    if sent != "all":
        assert isinstance(decision, Retry) or decision.charged == "no"


@given(specs, failures, headers, attempts, jitter)
def test_a_paid_request_that_was_answered_is_sent_again_only_if_it_surely_cost_nothing(
    spec: Any, failure: ProviderFailure, head: dict[str, str], n: int, d: float
) -> None:
    """... or carries an idempotency key."""
    decision = after_failure(spec, failure, head, paid=True, attempt=n, now=NOW, jitter=d)
    if isinstance(decision, Retry) and not spec.idempotency_header:
        assert failure.status in spec.refuses_before_work and failure.kind in ("rate", "busy")
        assert charged_by(spec, failure, accepted=False) == "no"
    if isinstance(decision, GiveUp):
        assert decision.charged == charged_by(spec, failure, accepted=False)


@given(specs, failures, headers, st.booleans(), attempts, jitter)
def test_every_pause_is_bounded_and_every_step_ends(
    spec: Any, failure: ProviderFailure, head: dict[str, str], paid: bool, n: int, d: float
) -> None:
    """No pause of zero, none beyond a minute, no attempt beyond the last; a refusal before work ends with the patience."""
    if paid and refused_before_work(spec, failure):
        decision = after_failure(
            spec, failure, head, paid=paid, attempt=n, now=NOW, jitter=d, remaining_patience=PATIENCE
        )
        assert isinstance(decision, GiveUp) or 0 < decision.seconds <= PATIENCE
        last = after_failure(spec, failure, head, paid=paid, attempt=n, now=NOW, jitter=d, remaining_patience=0.0)
        assert isinstance(last, GiveUp)
        return
    verdicts = [after_failure(spec, failure, head, paid=paid, attempt=n, now=NOW, jitter=d)]
    verdicts += [after_broken_connection(spec, sent, paid=paid, attempt=n, jitter=d) for sent in SENT]
    for decision in verdicts:
        if isinstance(decision, Retry):
            assert 0 < decision.seconds <= LONGEST_WAIT and math.isfinite(decision.seconds)
            assert n < (PAID_TRIES if paid else FREE_TRIES)


def test_the_backoff_grows_to_its_cap_and_no_further(real_pauses: None) -> None:
    """0.5 doubling to 8 s, up to a quarter less by the dice, also at try 1,100."""
    for n, d in product([*range(1, 12), 1100], (0.0, 0.5, 1.0)):
        assert delay(n, d) == pytest.approx(min(8.0, 0.5 * 2.0 ** min(n - 1, 60)) * (1 - 0.25 * d))


def test_another_variant_follows_only_what_was_refused_as_it_was_asked() -> None:
    """Never an answer that may have cost money, nor one about the account: no variant helps there."""
    assert {status for status in (*range(100, 600), None) if allows_other_variant(status)} == {400, 404, 405, 415, 422}
    for status, spec in product((400, 404, 405, 415, 422), BUILT_IN.values()):
        assert charged_by(spec, ProviderFailure("invalid", "no", status), accepted=False) == "no"
