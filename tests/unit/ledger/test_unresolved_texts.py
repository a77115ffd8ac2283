"""What a person is told of requests that may have been charged."""

from __future__ import annotations

from pack.core.errors.messages import as_data
from pack.core.ledger.messages import acknowledged_notice, unresolved_error
from pack.core.ledger.types import UnresolvedCharge

MINE = UnresolvedCharge("1", "own", "nano-banana-2", 1.8e9, 0.3, "The connection was reset.")
OTHER = UnresolvedCharge("2", "fal", "nano-banana-2", 1.8e9, 0.08, "")


def test_a_provider_is_called_as_the_page_calls_it() -> None:
    """The id of a provider of one's own says nothing; one that isn't asked now keeps its id."""
    labels = {"own": "My reseller"}
    for text in (str(unresolved_error([MINE, OTHER], labels)), acknowledged_notice([MINE, OTHER], labels)):
        assert "My reseller nano-banana-2, " in text and "own nano-banana-2" not in text
        assert "fal nano-banana-2, " in text


def test_each_charge_can_be_said_in_another_language() -> None:
    """Nothing but punctuation and the provider's own words is left outside of messages."""
    said = as_data(acknowledged_notice([MINE], {}))
    assert isinstance(said, dict)
    listed = said["parameters"]["listed"]
    while len(listed) == 1:  # lists of one charge
        (listed,) = listed
    assert listed[0]["id"] == "ledger.charge" and listed[1:] == [" (", "The connection was reset", ")"]
