"""Cancels an order, whichever process waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from ...dialects.batch import gemini as gemini_batch
from ...errors.messages import joined, msg, picture_count
from ...http.connections import UnsafeAddress
from ...http.failures import RequestFailed
from ...http.transport import TooLong
from ...ledger.orders import OpenOrder
from ...planning.plan import Target
from ..call_key import CallKey
from ..failure_messages import FailureMessages
from ..provider_cache import ProviderCache
from .order import Order
from .order_book import OrderEnd
from .order_sender import OrderSender, job_of

CANCEL_SECONDS = 20.0
"""How long the end of a cancelled order is waited for."""


@dataclass(frozen=True)
class Cancelled:
    """What came of it."""

    cancelled: bool
    """Whether the provider has cancelled the order."""
    ended: bool
    """Whether it is known by now what became of every picture."""
    text: str


def cancel_own(order: Order) -> Cancelled:
    """An order that this process waits for."""
    order.cancel()
    ended = order.done.wait(CANCEL_SECONDS)
    if order.was_cancelled and not ended:
        return Cancelled(True, False, msg("order.is_being_cancelled", provider=order.target.spec.label))
    pictures = len(order.numbers) - order.stored
    if order.was_cancelled and pictures:
        count = picture_count(pictures)
        return Cancelled(True, ended, msg("order.was_cancelled", count=count, provider=order.target.spec.label))
    if ended:
        # An order with an error may not have ended at the provider.
        had_ended = "" if order.outcome.error else msg("order.had_ended", provider=order.target.spec.label)
        return Cancelled(False, True, joined(had_ended, OrderEnd.of(order).text))
    return Cancelled(
        False, False, order.cancel_refusal or msg("order.cancel_goes_on", provider=order.target.spec.label)
    )


def cancel_elsewhere(order: OpenOrder, target: Target, cache: ProviderCache) -> Cancelled:
    """An order that another process waits for: it will see that the order has ended."""
    label = target.spec.label
    key = CallKey(target, cache.tokens)
    sender = OrderSender(target, key)
    job = job_of(target, order.model, order.operation)
    try:
        reply = sender.send(gemini_batch.cancel(job, order.task)) if order.task else None
    except (RequestFailed, TooLong, UnsafeAddress) as error:
        return Cancelled(False, False, key.scrub_text(str(error)))
    finally:
        sender.transport.close()
    if reply is None:
        return Cancelled(False, False, msg("order.cancel_goes_on", provider=label))
    if not reply.ok:
        refused = FailureMessages(target).error(gemini_batch.failure(job, reply), "no")
        return Cancelled(False, False, key.scrub_error(refused).what)
    return Cancelled(True, False, msg("order.is_being_cancelled", provider=label))
