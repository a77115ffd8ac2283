"""The money of a paid call, over all orders of events: what never goes back, what is never lost, what is an end."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors import Kind, ProviderFailure
from pack.core.execution import charge
from pack.core.execution.charge import (
    RESUMABLE_SECONDS,
    Accepted,
    AnswerUnread,
    BytesStored,
    ChargeEvent,
    ChargeState,
    ConnectionBroke,
    Failed,
    Finished,
    InFlight,
    ListNotRead,
    Misconfigured,
    NotAnImage,
    NotDownloaded,
    NotInList,
    NotStored,
    OutOfTime,
    PackFailed,
    PaymentDue,
    PicturesLacking,
    ProcessEnded,
    Ready,
    Redirected,
    Refused,
    RequestSent,
    RunDetached,
    Stored,
    TaskAccepted,
    TryEnded,
    Unsent,
    Withdrawn,
    advance,
    charged,
    charged_by,
    decide_damaged_row,
    decide_stalled_row,
    decide_unstarted_row,
    is_open,
    row_rule,
)
from pack.core.http.failures import BytesSent
from pack.core.ledger.types import OPEN_STATES, RowEnding, RowFacts
from pack.core.providers import BUILT_IN

PLAIN = replace(BUILT_IN["onerouter"], failures_unbilled=False, idempotency_header="")
TASK = {"task": "t-1"}
COST = {"no": 0, "maybe": 1, "yes": 2}
OLD = RESUMABLE_SECONDS + 1

failures = st.builds(
    ProviderFailure,
    kind=st.sampled_from(get_args(Kind)),
    message=st.sampled_from(["", "words", "task not found"]),
    status=st.sampled_from([None, 200, 301, 600, 777, 400, 401, 404, 408, 409, 410, 429, 500, 502, 503, 524, 530]),
    unbilled=st.sampled_from([None, True, False]),
    final=st.booleans(),
)
specs = st.builds(
    replace,
    st.just(PLAIN),
    failures_unbilled=st.booleans(),
    refuses_before_work=st.sampled_from([frozenset[int](), frozenset({429, 503})]),
)
ages = st.sampled_from([0.0, 10.0, OLD, -OLD])
money = st.sampled_from(["no", "maybe", "yes"])
events: st.SearchStrategy[ChargeEvent] = st.one_of(
    st.builds(RequestSent),
    st.builds(TryEnded, money),
    st.just(TaskAccepted(TASK)),
    st.builds(Finished, st.booleans()),
    st.builds(BytesStored),
    st.builds(Withdrawn),
    st.builds(Misconfigured),
    st.builds(ConnectionBroke, ages, st.sampled_from(get_args(BytesSent)), st.booleans()),
    st.builds(AnswerUnread, ages),
    st.builds(OutOfTime, ages),
    st.builds(Redirected, ages, same_address=st.booleans()),
    st.builds(Refused, ages, spec=specs, failure=failures),
    st.builds(NotInList, ages),
    st.builds(ListNotRead),
    st.builds(PaymentDue),
    st.builds(PicturesLacking),
    st.builds(NotDownloaded, ages, st.booleans(), st.booleans()),
    st.builds(NotAnImage),
    st.builds(NotStored, ages),
    st.builds(PackFailed),
    st.builds(ProcessEnded),
    st.builds(RunDetached),
)
states: st.SearchStrategy[ChargeState] = st.one_of(
    st.builds(Unsent),
    st.builds(InFlight, st.booleans()),
    st.just(Accepted(TASK)),
    st.builds(Ready, st.sampled_from([None, TASK]), st.booleans()),
    st.builds(Stored),
    st.builds(Failed, money, st.sampled_from(get_args(charge.Disposition))),
)
orders = st.lists(events, max_size=12)


def after(state: ChargeState, order: list[ChargeEvent]) -> ChargeState:
    for event in order:
        state = advance(state, event)
    return state


def is_sure_refusal(state: ChargeState, event: ChargeEvent) -> bool:
    """Whether `event` is one of the documented ways in which a paid request surely cost nothing."""
    if isinstance(event, TryEnded):
        return event.charged == "no"
    if isinstance(event, (Redirected, NotInList)):
        return isinstance(state, InFlight) and (isinstance(event, NotInList) or event.same_address)
    if isinstance(event, Refused):
        accepted = charge.task_of(state) is not None
        return charged_by(event.spec, event.failure, accepted=accepted) == "no"
    return False


@given(states, events)
def test_money_that_may_be_gone_is_not_taken_back_but_by_a_sure_refusal(state: ChargeState, event: ChargeEvent) -> None:
    before, then = charged(state), charged(advance(state, event))
    if COST[then] < COST[before]:
        assert is_sure_refusal(state, event) and then == "no"


@given(events)
def test_no_answer_clears_an_earlier_request_that_may_have_been_taken(event: ChargeEvent) -> None:
    """Its answer was lost: what a later one says is about the later one."""
    assert charged(advance(InFlight(in_doubt=True), event)) != "no"


@given(orders)
def test_a_call_that_was_never_sent_costs_nothing(order: list[ChargeEvent]) -> None:
    """Whatever else happens to it before its request is sent."""
    unsent = [
        event
        for event in order
        if not isinstance(event, (RequestSent, TaskAccepted, Finished, BytesStored))
        and not (isinstance(event, TryEnded) and event.charged != "no")
        and not (isinstance(event, ConnectionBroke) and event.paid and event.sent == "all")
    ]
    state = after(Unsent(), unsent)
    assert charged(state) == "no" and state in (Unsent(), Failed("no", "final"))


@given(orders)
def test_nothing_accepted_becomes_final_without_an_answer(order: list[ChargeEvent]) -> None:
    """A task that the provider has taken may have made a picture until the provider says what became of it."""
    silent = [
        event
        for event in order
        if not isinstance(event, (Refused, PaymentDue, PicturesLacking, BytesStored, RunDetached))
    ]
    state = after(Accepted(TASK), silent)
    assert is_open(state) or (isinstance(state, Failed) and state.disposition != "final" and state.charged != "no")


@given(orders, orders)
def test_stored_is_an_end(before: list[ChargeEvent], later: list[ChargeEvent]) -> None:
    state = after(Unsent(), before)
    stored = advance(state, BytesStored())
    if is_open(state):
        assert after(stored, later) == Stored() and charged(stored) == "yes"
    else:
        assert stored == state


@given(orders, orders)
def test_a_failed_call_stays_as_it_is_but_for_who_has_to_be_told(
    before: list[ChargeEvent], later: list[ChargeEvent]
) -> None:
    state, end = after(Unsent(), before), None
    if isinstance(state, Failed):
        end = after(state, later)
        assert end == state or (state, end) == (Failed("maybe", "final"), Failed("maybe", "unresolved"))


@given(states, events)
def test_what_surely_cost_nothing_is_never_asked_about(state: ChargeState, event: ChargeEvent) -> None:
    if is_open(state):
        assert advance(state, event) != Failed("no", "unresolved")


@given(states, events)
def test_only_what_can_be_asked_for_is_resumable(state: ChargeState, event: ChargeEvent) -> None:
    then = advance(state, event)
    if is_open(state) and isinstance(then, Failed) and then.disposition == "resumable":
        # The list of orders can be read again: whether an order was taken is found out then.
        assert isinstance(state, (Accepted, Ready)) or isinstance(event, ListNotRead)
        assert not isinstance(event, Withdrawn)


@given(orders)
def test_every_order_of_events_ends_when_something_ends_it(order: list[ChargeEvent]) -> None:
    """An error in the pack ends any call: none stays open for ever."""
    assert not is_open(advance(after(Unsent(), order), PackFailed()))


@pytest.mark.parametrize(
    ("state", "event", "then"),
    [
        (Unsent(), RequestSent(), InFlight()),
        (InFlight(), TryEnded("no"), Unsent()),
        (InFlight(in_doubt=True), TryEnded("no"), InFlight(in_doubt=True)),
        (InFlight(), TryEnded("maybe"), InFlight(in_doubt=True)),
        (InFlight(), RequestSent(), InFlight()),
        (InFlight(in_doubt=True), RequestSent(), InFlight(in_doubt=True)),
        (InFlight(), TaskAccepted(TASK), Accepted(TASK)),
        (Accepted(TASK), Finished(has_url=True), Ready(TASK, True)),
        (Ready(TASK), BytesStored(), Stored()),
        (Accepted(TASK), Withdrawn(), Accepted(TASK)),
        (InFlight(), ConnectionBroke(0.0, "all", True), Failed("maybe", "unresolved")),
        (Unsent(), ConnectionBroke(0.0, "all", True), Failed("maybe", "unresolved")),
        (Unsent(), ConnectionBroke(0.0, "partial", True), Failed("no", "final")),
        (Unsent(), ConnectionBroke(0.0, "all", False), Failed("no", "final")),
        (Accepted(TASK), ConnectionBroke(), Failed("maybe", "resumable")),
        (Accepted(TASK), ConnectionBroke(OLD), Failed("maybe", "unresolved")),
        (Accepted(TASK), Misconfigured(), Failed("maybe", "resumable")),
        (Accepted(TASK), OutOfTime(), Failed("maybe", "resumable")),
        (InFlight(), OutOfTime(), Failed("maybe", "unresolved")),
        (InFlight(), Redirected(), Failed("maybe", "unresolved")),
        (InFlight(), Redirected(same_address=True), Failed("no", "final")),
        (InFlight(in_doubt=True), Redirected(same_address=True), Failed("maybe", "unresolved")),
        (InFlight(), NotInList(), Failed("no", "final")),
        (InFlight(in_doubt=True), NotInList(), Failed("maybe", "unresolved")),
        (InFlight(), ListNotRead(), Failed("maybe", "resumable")),
        (Accepted(TASK), ListNotRead(), Failed("maybe", "resumable")),
        (Accepted(TASK), PaymentDue(), Failed("maybe", "final")),
        (Ready(), PicturesLacking(), Failed("maybe", "final")),
        (Ready(None, True), NotDownloaded(), Failed("yes", "resumable")),
        (Ready(None, True), NotDownloaded(gone=True), Failed("yes", "unresolved")),
        (Ready(TASK, True), NotDownloaded(gone=True), Failed("yes", "resumable")),
        (Ready(TASK, True), NotDownloaded(gone=True, forbidden=True), Failed("yes", "unresolved")),
        (Ready(TASK, True), NotAnImage(), Failed("yes", "unresolved")),
        (Ready(None, True), NotStored(), Failed("yes", "resumable")),
        (Ready(), NotStored(), Failed("yes", "unresolved")),
        (Ready(None, True), Misconfigured(), Failed("yes", "resumable")),
        (Accepted(TASK), PackFailed(), Failed("maybe", "resumable")),
        (InFlight(), PackFailed(), Failed("maybe", "unresolved")),
        (Unsent(), ProcessEnded(), Failed("no", "final")),
        (InFlight(), ProcessEnded(), Failed("maybe", "unresolved")),
        (Accepted(TASK), ProcessEnded(), Failed("maybe", "resumable")),
        (Ready(None, True), ProcessEnded(), Failed("maybe", "resumable")),
        (Ready(), ProcessEnded(), Failed("maybe", "unresolved")),
        (Failed("maybe", "final"), RunDetached(), Failed("maybe", "unresolved")),
        (Failed("yes", "final"), RunDetached(), Failed("yes", "final")),
        (Failed("maybe", "resumable"), RunDetached(), Failed("maybe", "resumable")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_table(state: ChargeState, event: ChargeEvent, then: ChargeState) -> None:
    assert advance(state, event) == then


@pytest.mark.parametrize(
    ("failure", "state", "then"),
    [
        (ProviderFailure("invalid", "x", 400), InFlight(), Failed("no", "final")),
        (ProviderFailure("invalid", "x", 400), InFlight(in_doubt=True), Failed("maybe", "unresolved")),
        (ProviderFailure("server", "x", 502), InFlight(), Failed("maybe", "unresolved")),
        (ProviderFailure("task", "x", None), Accepted(TASK), Failed("maybe", "final")),
        (ProviderFailure("task_lost", "x", 404), Accepted(TASK), Failed("maybe", "unresolved")),
        (ProviderFailure("server", "x", 500), Accepted(TASK), Failed("maybe", "resumable")),
        (ProviderFailure("content", "x", 400, unbilled=False), InFlight(), Failed("yes", "final")),
        (ProviderFailure("network", "x", None, unbilled=True), InFlight(), Failed("no", "final")),
    ],
)
def test_an_answer_decides_by_what_it_says(failure: ProviderFailure, state: ChargeState, then: ChargeState) -> None:
    assert advance(state, Refused(spec=PLAIN, failure=failure)) == then


@pytest.mark.parametrize(("kind", "disposition"), [("key", "resumable"), ("server", "unresolved")])
def test_an_old_task_is_given_up_only_by_an_answer_about_the_task(kind: Any, disposition: str) -> None:
    """A refused key says nothing about the task, however old it is."""
    status = 401 if kind == "key" else 500
    then = advance(Accepted(TASK), Refused(OLD, spec=PLAIN, failure=ProviderFailure(kind, "x", status)))
    assert isinstance(then, Failed) and then.disposition == disposition


def test_the_table_in_the_docstring_names_every_state_and_event() -> None:
    for each in (*get_args(ChargeState), *get_args(ChargeEvent)):
        assert each.__name__ in (inspect.getdoc(charge) or "")


# ------------------------------------------------------------------------------------------------- rows of the journal

rows = st.builds(
    RowFacts,
    state=st.sampled_from(OPEN_STATES),
    is_free=st.booleans(),
    has_bytes=st.booleans(),
    has_task=st.booleans(),
    has_url=st.booleans(),
    is_order=st.booleans(),
    can_resume=st.booleans(),
)
sent_rows = rows.filter(lambda row: row.state != "reserved")


@given(orders, sent_rows)
def test_a_row_forgets_no_money_that_may_be_gone(order: list[ChargeEvent], row: RowFacts) -> None:
    """In whatever order the events came: the price stays in sums and caps until it surely cost nothing."""
    state = after(Unsent(), order)
    ending = row_rule(state)(row)
    assert ending.action != "delete"
    if charged(state) != "no":
        assert ending.counts or ending.action == "keep"


@given(orders, sent_rows)
def test_a_row_is_asked_about_exactly_where_something_may_be_left_and_paid(
    order: list[ChargeEvent], row: RowFacts
) -> None:
    """Paid, no picture here, nothing that can be asked for again: only then the user has to agree to pay again."""
    state = advance(after(Unsent(), order), PackFailed())
    ending = row_rule(state)(row)
    resumable = row.state in ("accepted", "answered") or (row.is_order and row.state == "sent")
    fetched = isinstance(state, Failed) and state.disposition == "resumable" and resumable
    left = isinstance(state, Failed) and state.disposition != "final" and state.charged != "no"
    asked = left and not fetched and not row.has_bytes and not row.is_free
    assert (ending == RowEnding("set", "unknown")) is asked


@given(orders, sent_rows)
def test_bytes_that_are_here_are_never_given_up(order: list[ChargeEvent], row: RowFacts) -> None:
    state = after(Unsent(), order)
    if row.has_bytes and charged(state) != "no":
        assert row_rule(state)(row).action == "keep"


@given(orders)
def test_a_reservation_leaves_no_row(order: list[ChargeEvent]) -> None:
    reserved = RowFacts("reserved", is_free=False)
    assert row_rule(after(Unsent(), order))(reserved).action == "delete"
    assert decide_unstarted_row(reserved).action == decide_stalled_row(reserved).action == "delete"


@pytest.mark.parametrize(
    ("state", "is_free", "can_resume", "ending"),
    [
        ("sent", False, False, RowEnding("set", "unknown")),
        ("sent", True, False, RowEnding("set", "refused", counts=False)),
        ("accepted", False, True, RowEnding("keep")),
        ("accepted", False, False, RowEnding("keep")),
        ("answered", False, False, RowEnding("keep")),
        ("accepted", True, True, RowEnding("keep")),
        ("accepted", True, False, RowEnding("set", "refused", counts=False)),
    ],
)
def test_the_row_of_an_ended_process(state: Any, is_free: bool, can_resume: bool, ending: RowEnding) -> None:
    assert decide_stalled_row(RowFacts(state, is_free, can_resume=can_resume)) == ending


@pytest.mark.parametrize("can_resume", [True, False])
def test_an_order_whose_answer_was_lost_with_its_process_stays_open(can_resume: bool) -> None:
    """The provider's list of orders says whether it was taken."""
    row = RowFacts("sent", is_free=False, is_order=True, can_resume=can_resume)
    assert decide_stalled_row(row) == RowEnding("keep")
    assert row_rule(advance(InFlight(), ListNotRead()))(row) == RowEnding("keep")
    assert row_rule(advance(InFlight(), NotInList()))(row) == RowEnding("set", "refused", counts=False)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (RowFacts("stored", False, has_task=True, has_url=True), "answered"),
        (RowFacts("stored", False, has_task=True), "accepted"),
        (RowFacts("stored", False), "unknown"),
        (RowFacts("stored", True), "refused"),
    ],
)
def test_the_row_of_a_damaged_picture(row: RowFacts, state: str) -> None:
    """A free one is simply asked for again."""
    assert decide_damaged_row(row) == RowEnding("set", state)


@given(rows.filter(lambda row: row.state in ("accepted", "answered")))
def test_a_claim_that_is_not_begun_can_be_claimed_again(row: RowFacts) -> None:
    assert decide_unstarted_row(row) == RowEnding("keep")
