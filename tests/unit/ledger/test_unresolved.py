"""What a person says about a request that may have been charged: pay again, or "I was not charged"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_driver import FREE, claim_one, entry, open_journal, png, run_context
from pack.core.execution.charge import Failed, decide_withdrawn_row, row_rule
from pack.core.ledger import Caps
from pack.core.ledger.history import History
from pack.core.ledger.journal import Journal
from pack.core.ledger.kept_answers import KeptAnswer

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = open_journal(tmp_path)
    yield made
    made.close()


def lose(journal: Journal, name: str = "v1:a", run: str = "lost", call: str = "call") -> str:
    """A request whose answer never came; gives the uid of its row."""
    assert claim_one(journal, name, run) == "reserved"
    journal.mark_sent([name], call)
    return journal.mark_failed([name], row_rule(Failed("maybe", "unresolved")), "no answer came back")[name]


def in_doubt(journal: Journal) -> float:
    return sum(row["usd_in_doubt"] for row in History(journal).spend())


def test_a_run_after_the_agreement_sends_and_one_before_asks(journal: Journal) -> None:
    """Also for a picture that was lost long ago, about which no run has asked within the hour; once, not for ever."""
    uid = lose(journal)
    assert claim_one(journal, run="asks") == "unresolved"
    assert journal.agree_to_pay_again([uid]) == 1
    result = journal.reserve([entry()], run_context("pays"), FREE)
    assert result.statuses == {"v1:a": "reserved"} and result.acknowledged["v1:a"][0].uid == uid
    journal.mark_sent(["v1:a"], "second")
    journal.mark_failed(["v1:a"], row_rule(Failed("maybe", "unresolved")), "no answer came back")
    assert claim_one(journal, run="again") == "unresolved", "what was lost since is a new question"
    assert in_doubt(journal) == pytest.approx(2 * 0.134), "an agreement doesn't change what was spent"


def test_an_agreement_that_no_run_was_accepted_for_is_over(journal: Journal) -> None:
    """The host refused the prompt: a run of it later, by another click, asks. So does one after an earlier question."""
    uid = lose(journal)
    assert claim_one(journal, run="asks") == "unresolved"
    journal.mark_notified([uid], "asks")
    assert journal.agree_to_pay_again([uid]) == 1
    assert journal.agree_to_pay_again([uid], False) == 1
    assert claim_one(journal, run="later") == "unresolved"
    assert journal.agree_to_pay_again([uid]) == 1
    assert claim_one(journal, run="pays") == "reserved"
    assert journal.agree_to_pay_again([uid], False) == 2, "what is already on its way stays so"
    assert claim_one(journal, run="meanwhile") == "busy"


def test_an_agreement_to_a_run_is_for_no_other(journal: Journal) -> None:
    """The run was deleted from the queue before it ran: another one asks, until the user agrees again."""
    uid = lose(journal)
    assert journal.agree_to_pay_again([uid]) == 1, "before the host has given the run its id"
    assert journal.agree_to_pay_again([uid], run="deleted") == 1
    assert claim_one(journal, run="another") == "unresolved"
    journal.mark_notified([uid], "another")
    assert claim_one(journal, run="queued again") == "reserved", (
        "the question was read, and queueing again is the answer"
    )


def test_the_run_that_was_agreed_to_sends(journal: Journal) -> None:
    """What it loses itself is a new question, whenever the page says which run the agreement was for."""
    uid = lose(journal)
    journal.agree_to_pay_again([uid], run="pays")
    assert claim_one(journal, run="pays") == "reserved"
    assert journal.agree_to_pay_again([uid], run="pays") == 2
    journal.mark_sent(["v1:a"], "second")
    journal.mark_failed(["v1:a"], row_rule(Failed("maybe", "unresolved")), "no answer came back")
    assert claim_one(journal, run="another") == "unresolved"


def test_one_agreement_is_for_every_request_of_the_picture(journal: Journal) -> None:
    """The page names one of them; the next run asks about all."""
    first = lose(journal)
    journal.agree_to_pay_again([first])
    second = lose(journal, run="second")
    assert journal.agree_to_pay_again([first]) == 2 and second != first
    assert claim_one(journal, run="third") == "reserved"


def test_a_withdrawn_charge_leaves_the_sums_and_is_not_asked_about(journal: Journal) -> None:
    uid = lose(journal)
    caps = Caps(None, 0.2, None)
    assert journal.withdraw([uid], decide_withdrawn_row) == 1
    assert in_doubt(journal) == 0
    result = journal.reserve([entry()], run_context("next"), caps)
    assert result.statuses == {"v1:a": "reserved"}, "neither a question, nor a cap that counts what was not charged"
    shown = History(journal).picture(uid)
    assert shown is not None and shown.prompt == "a fox" and "no answer came back" in shown.reason, "nothing is deleted"
    assert journal.withdraw([uid], decide_withdrawn_row) == 0


def test_a_kept_answer_is_still_read_after_the_withdrawal_and_its_picture_counts(journal: Journal) -> None:
    """The user was wrong: the picture was made. It is taken, and has its price again."""
    uid = lose(journal, call="kept")
    journal.keep_answer("kept", KeptAnswer(200, {}, b"a picture in an unknown shape", {}))
    assert journal.withdraw([uid], decide_withdrawn_row) == 1
    assert History(journal).spend() == []
    claim = journal.claim_answer(uid)
    assert claim is not None and [image.fingerprint for image in claim.images] == ["v1:a"]
    journal.write_incoming("v1:a", png(1))
    journal.mark_stored("v1:a", "", None)
    assert journal.look_up(["v1:a"])["v1:a"].read() == png(1)
    assert [row["usd"] for row in History(journal).spend()] == [0.134]


@given(state=st.sampled_from(["reserved", "sent", "accepted", "answered", "incoming", "stored", "refused", "priced"]))
@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_what_nobody_knows_is_withdrawn(tmp_path_factory: pytest.TempPathFactory, state: str) -> None:
    """A picture that is here, on its way or can be had again, and a charge that the provider has named, stay."""
    journal = open_journal(tmp_path_factory.mktemp("withdrawn"))
    claim_one(journal)
    uid = journal.ownership.held("v1:a").uid
    if state != "reserved":
        journal.mark_sent(["v1:a"], "call")
    if state == "accepted":
        journal.mark_accepted(["v1:a"], {"task": "t-1"})
    if state in ("answered", "priced"):
        journal.mark_answered({"v1:a": "https://x.example/1.png"}, "", 0.08 if state == "priced" else None, "")
    if state in ("incoming", "stored"):
        journal.write_incoming("v1:a", png(1))
    if state == "stored":
        journal.mark_stored("v1:a", "", None)
    if state == "refused":
        journal.mark_failed(["v1:a"], row_rule(Failed("no", "final")), "refused")
    if state == "priced":
        journal.mark_failed(["v1:a"], row_rule(Failed("maybe", "unresolved")), "the address leads nowhere")
    before = History(journal).picture(uid)
    assert journal.withdraw([uid], decide_withdrawn_row) == 0
    assert History(journal).picture(uid) == before
    journal.close()


def test_ids_of_nobody_change_nothing(journal: Journal) -> None:
    uid = lose(journal)
    assert journal.withdraw(["", "no such id"], decide_withdrawn_row) == 0
    assert journal.agree_to_pay_again(["", "no such id"]) == 0
    assert claim_one(journal, run="next") == "unresolved" and in_doubt(journal) == 0.134
    assert journal.withdraw([uid, uid], decide_withdrawn_row) == 1


def test_an_empty_folder_stays_empty(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "new")
    assert journal.agree_to_pay_again(["a"]) == 0 and journal.withdraw(["a"], decide_withdrawn_row) == 0
    assert not (tmp_path / "new" / "journal.sqlite").exists()
    journal.close()
