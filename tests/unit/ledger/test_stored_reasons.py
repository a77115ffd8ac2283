"""Why a request failed is kept as the message that it was: a page says it in its own language, also after a restart."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from example_count import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_driver import claim_one, open_journal
from pack.core.errors.messages import Message, as_data, concat, joined, msg, spelled
from pack.core.execution.charge import Failed, decide_withdrawn_row, row_rule
from pack.core.ledger.history import History

LOST = Failed("maybe", "unresolved")


def kept(home: Path, reason: str, *, withdrawn: bool = False) -> str:
    """The reason as a new process reads it, of a request that has failed for it."""
    journal = open_journal(home)
    claim_one(journal)
    journal.mark_sent(["v1:a"], "call")
    uid = journal.mark_failed(["v1:a"], row_rule(LOST), reason)["v1:a"]
    if withdrawn:
        assert journal.withdraw([uid], decide_withdrawn_row) == 1
    journal.close()
    journal = open_journal(home)
    shown = History(journal).picture(uid)
    journal.close()
    assert shown is not None
    return shown.reason


@given(said=st.text(), status=st.integers(0, 999))
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_message_comes_back_as_the_message_that_it_was(
    tmp_path_factory: pytest.TempPathFactory, said: str, status: int
) -> None:
    """With its parameters, whatever a provider wrote into them; put together of several, too."""
    refused = msg("key_check.key_refused", provider="Runflow", status=status, said=said)
    for reason in (refused, concat(refused, " (", msg("unresolved.withdrawn_by_user"), ")")):
        found = kept(tmp_path_factory.mktemp("reason"), reason)
        assert found == reason and isinstance(found, Message) and as_data(found) == as_data(reason)


def test_what_a_person_says_about_it_is_put_before_it(tmp_path: Path) -> None:
    refused = msg("key_check.key_refused", provider="Runflow", status=500, said="")
    found = kept(tmp_path, refused, withdrawn=True)
    assert as_data(found) == as_data(joined(msg("unresolved.withdrawn_by_user"), refused))


def test_a_text_that_a_secret_was_taken_out_of_is_kept_as_the_text_alone(tmp_path: Path) -> None:
    """The secret is in the message's parameters still: nothing of them is written."""
    refused = msg("key_check.key_refused", provider="Runflow", status=401, said=": key sk-secret is unknown")
    found = kept(tmp_path, spelled(refused, refused.replace("sk-secret", "***")))
    assert "***" in found and not isinstance(found, Message)
    assert b"sk-secret" not in b"".join(file.read_bytes() for file in tmp_path.glob("journal.sqlite*"))


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "{",
        "[" * 100_000,
        json.dumps({"id": "of_a_later_version", "parameters": {}}),
        json.dumps({"id": "unresolved.withdrawn_by_user", "parameters": {}}),
    ],
    ids=["old row", "damaged", "deep", "unknown id", "another text"],
)
def test_what_is_no_message_here_is_shown_as_its_text(tmp_path: Path, stored: str) -> None:
    """A row of an older version, and one of a newer version whose messages are others."""
    kept(tmp_path, "no answer came back")
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    with connection:
        connection.execute("UPDATE picture SET reason_message = ?", (stored,))
    connection.close()
    journal = open_journal(tmp_path)
    (shown,) = History(journal).pictures()
    journal.close()
    assert shown.reason == "no answer came back" and not isinstance(shown.reason, Message)


def test_a_forgotten_picture_leaves_no_reason(tmp_path: Path) -> None:
    kept(tmp_path, msg("key_check.key_refused", provider="Runflow", status=500, said=": a very private word"))
    journal = open_journal(tmp_path)
    assert History(journal).forget() == 1
    journal.close()
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    rows = connection.execute("SELECT reason, reason_message FROM picture").fetchall()
    connection.close()
    assert rows == [("", "")]
