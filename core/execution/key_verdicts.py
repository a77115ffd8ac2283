"""What a run has learned about the keys it used, kept beside the tests of the keys, so that pages say it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from ..errors import ConfigError, Kind
from ..errors.messages import msg
from ..keys.store import KeyStore
from .image_task import ImageTask
from .key_check import KeyVerdict

log = logging.getLogger("nano_banana")

_VERDICTS: dict[Kind, KeyVerdict] = {
    "key": "refused",
    "account": "refused",
    "credit": "no credit",
    "quota": "no credit",
}


def record(keys: KeyStore, tasks: Iterable[ImageTask], label: Callable[[str], str]) -> None:
    """Keeps that a key was refused, or has no credit, and that such a key works again. `label`: of a provider's id.

    A key that works as it did before is not written about. Raises nothing.
    """
    found: dict[tuple[str, str], tuple[KeyVerdict, str]] = {}
    for task in tasks:
        if task.reservation is None:
            continue
        used = task.reservation.provider, task.reservation.profile
        verdict = _VERDICTS.get(task.error.kind) if task.error else None
        if verdict and task.error:
            found[used] = verdict, task.error.reason
        elif task.result is not None and task.source == "provider" and used not in found:
            found[used] = "works", msg("key_check.key_accepted", provider=label(used[0]))
    for (provider, profile), (verdict, text) in found.items():
        try:
            known = keys.tested(provider, profile)
            if verdict != (known["verdict"] if known else "works"):
                keys.record_test(provider, profile, verdict, text)
        except ConfigError as error:
            log.warning("what was learned about a key is not kept: %s", error)
