"""Redaction leaves a message without secrets a message, so that a page can say it in its language."""

from __future__ import annotations

from pack.core.errors.messages import Message, as_data, msg
from pack.core.redaction.sent_key import Scrubber
from pack.core.redaction.text import redact

KEY = "sim-canary-5d2e91"


def test_a_message_without_a_secret_stays_a_message() -> None:
    original = msg("opening.key", label="fal", status=" (HTTP 401)")
    for kept in (Scrubber([KEY]).text(original), redact(original)):
        assert isinstance(kept, Message) and as_data(kept) == as_data(original)


def test_a_message_with_a_secret_has_no_data_any_more() -> None:
    """Its parameters would have the secret in them."""
    original = msg("failure.provider_said", message=f"bad key {KEY}")
    scrubbed = Scrubber([KEY]).text(original)
    assert KEY not in scrubbed and KEY not in str(as_data(scrubbed))
