"""Every way that fal and Replicate can go wrong or be odd, over the network: what is told, what it cost, asked for once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, keyed, request
from long_rows import every_value
from pack.core.engine import Engine
from pack.core.execution.rate_limit import RateLimits
from pack.core.execution.retry_policy import DEFAULT_WAITS
from pack.core.execution.run import Run
from pack.core.planning.choice import ProviderChoice
from pack.tests.doubles.server import Doubles

QUEUES = ("fal", "replicate")
BOTH = pytest.mark.parametrize("provider", QUEUES)


@pytest.fixture
def asked(doubles: Doubles, tmp_path: Path) -> Any:
    """Asks a provider for one picture under fault words; the run and what the provider saw."""
    doubles.reset()
    engine = Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "fal", "replicate"))
    engine._cache.rate_limits = RateLimits(replace(DEFAULT_WAITS, first_pause=0.02))

    def ask(provider: str, words: str) -> tuple[Run, dict[str, Any]]:
        wanted = [request(prompt=f"odd [[sim: {words}]]")]
        run = engine.run(wanted, engine.plan(ProviderChoice(provider, "nano-banana-2"), wanted))
        assert run.done.wait(30) and run.error is None
        return run, doubles.request_log("odd", provider)

    return ask


@BOTH
@pytest.mark.parametrize(
    ("words", "kind", "charged"),
    [
        ("status=400", "invalid", "no"),
        ("status=401", "key", "no"),
        ("status=402", "credit", "no"),
        ("status=404", "model", "no"),
        ("status=429 retry_after=3600", "rate", "no"),
        ("status=500 paid", "server", "maybe"),
        ("status=504 html paid", "server", "maybe"),
        ("html", "unreadable", "maybe"),
        ("broken_json", "unreadable", "maybe"),
        ("drop=headers", "network", "maybe"),
        ("drop=body", "network", "maybe"),
        ("empty", "empty", "maybe"),
        ("refuse", "content", "maybe"),
        ("notimage", "download", "yes"),
        ("file_status=403", "download", "yes"),
    ],
)
def test_a_failure_and_what_it_cost(asked: Any, provider: str, words: str, kind: str, charged: str) -> None:
    """It is asked for once, and never billed while the user is told that it is free."""
    run, seen = asked(provider, words)
    (error,) = [result.error for result in run.report.failed]
    assert (error.kind, error.charged) == (kind, charged), str(error)
    # An id that fal doesn't know leads to the model that took its place, once and for nothing.
    most = 2 if (provider, kind) == ("fal", "model") else 1
    assert len(seen["requests"]) == most and (charged != "no" or seen["paid_calls"] == 0)


@pytest.mark.parametrize(
    ("reason", "kind", "charged"),
    [
        ("no_media_generated", "empty", "maybe"),
        ("file_download_error", "invalid", "maybe"),
        ("image_too_small", "invalid", "maybe"),
        ("generation_timeout", "task", "no"),
        ("internal_server_error", "task", "no"),
    ],
)
def test_how_a_run_of_fal_ended(asked: Any, reason: str, kind: str, charged: str) -> None:
    """By fal's own types: a soft refusal, an input that it can't use, and a failure of its own, which is free."""
    run, seen = asked("fal", f"refuse reason={reason}")
    (error,) = [result.error for result in run.report.failed]
    assert (error.kind, error.charged) == (kind, charged) and reason in str(error), str(error)
    assert len(seen["requests"]) == 1


@BOTH
def test_what_was_cancelled_by_somebody_else_has_ended(asked: Any, provider: str) -> None:
    """On the provider's own page, for example: it isn't waited for any more."""
    run, seen = asked(provider, "task=cancelled")
    (error,) = [result.error for result in run.report.failed]
    assert error.kind in ("task", "task_lost") and len(seen["requests"]) == 1
    assert error.charged != "no" or seen["paid_images"] == 0


ODD_ANSWERS = [
    *("trailing", "bom", "gzip", "b64", "datauri", "shape=data", "shape=image_urls", "shape=triple"),
    *("task=unknown steps=2", "poll_status=503 poll_times=2", "poll_status=429 poll_times=2", "file_drop"),
    *("file_status=404 times=1", "truncate times=1", "status=503 times=2", "status=429 retry_after=0 times=1"),
]


@pytest.mark.parametrize(("provider", "words"), every_value(QUEUES, ODD_ANSWERS))
def test_an_odd_answer_is_still_a_picture(asked: Any, provider: str, words: str) -> None:
    """Paid once."""
    run, seen = asked(provider, words)
    assert run.tasks[0].result, str(run.tasks[0].error)
    assert seen["paid_images"] == 1


@BOTH
def test_who_is_told_to_wait_waits_and_asks_again(asked: Any, provider: str) -> None:
    """A refusal before work: nothing was taken, so it is sent again."""
    run, seen = asked(provider, "status=429 retry_after=0 times=2")
    assert run.tasks[0].result and len(seen["requests"]) == 3 and seen["paid_calls"] == 1
