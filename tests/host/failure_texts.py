"""What a failure may say to a person: the sentences about money, and no word that only a programmer could read."""

from __future__ import annotations

from pack.dev.cache import ROOT
from pack.tests.host.kit import Bench

MONEY = {
    "no": "Nothing was charged.",
    "maybe": "The provider may have charged for it.",
    "yes": "The provider has charged for it.",
}
NOT_FOR_PEOPLE = (
    "Traceback",
    "site-packages",
    ".py",
    "urllib3",
    "HTTPConnectionPool",
    "Errno",
    "Exception",
    "object at 0x",
    "None",
    "<html",
    "sim-test",
)


def check_words(bench: Bench, message: str) -> None:
    """Nothing that only a programmer could read, nothing secret, no path."""
    for word in (*NOT_FOR_PEOPLE, str(ROOT), str(bench.host.base), str(bench.host.home)):
        assert word not in message, f"{word!r} is in: {message}"
    assert "  " not in message and "\n" not in message and ".." not in message.replace("...", ""), message
