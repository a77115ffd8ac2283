"""Estimates a run without starting it: the provider, the stored pictures, the price, and the requests that would be sent.

Nothing is sent, reserved or written. The price badge of the nodes and the dry run show the estimate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .dialects import dialect
from .dialects.base.step import Job, Send
from .dialects.batch import gemini as gemini_batch
from .engine import Engine
from .http.body import Base64, Body, Raw
from .images.picture import Encoded
from .ledger.orders import ordered
from .planning.batching import batches
from .planning.choice import ProviderChoice
from .planning.negotiate import ResolvedRequest
from .planning.offers import ModelOffer
from .planning.plan import Plan, Target
from .planning.resolver import ProviderResolver
from .request import Delivery, Request, Slot


@dataclass(frozen=True)
class Estimate:
    """What a run would do. Amounts in US dollars."""

    provider: str
    label: str
    model: str
    model_id: str
    """As it will be sent."""
    resolution: str
    """What will come, "" when the provider doesn't say."""
    pictures: int
    stored: int | None
    """How many of them are stored already, or ordered; None when that can't be known yet."""
    usd_each: float | None
    """Expected price of a picture; None when it isn't known."""
    usd_counted_each: float
    """What a picture counts as against the caps, at most: more than its price where a dearer figure has been seen."""
    usd_counted: float
    """What the run counts as against the caps, at most."""
    price_source: str
    price_dated: str
    ordered: int
    """How many of those are ordered and not here yet."""
    delivery: Delivery
    usd_now_each: float | None
    """What a picture would cost at once, where it is ordered; else its expected price."""
    usd_batch_each: float | None
    """What a picture would cost as part of an order; None where the provider takes none, or the price isn't known."""
    counted_source: str
    """Where `usd_counted_each` comes from; "" where it is the price, or the price isn't known."""
    notices: tuple[str, ...]
    sends: tuple[dict[str, Any], ...] = field(default=())
    """The paid requests as they would leave, without keys and without pixels."""

    @property
    def usd(self) -> float | None:
        """Expected price of the pictures that aren't stored."""
        return None if self.usd_each is None else self.usd_each * (self.pictures - (self.stored or 0))


def estimate(
    engine: Engine,
    choice: ProviderChoice | None,
    requests: Sequence[Request],
    *,
    pixels: bool,
    sends: bool = False,
    wants_drafts: bool = False,
    resolver: ProviderResolver | None = None,
) -> Estimate:
    """What `engine` would do with `requests`. `pixels`: the references are the real ones, so that stored pictures can be found.
    `sends`: with the requests themselves; `wants_drafts`: as somebody looks at the drafts. `resolver`: providers and keys as
    they are now, read once for many estimates.

    Raises ConfigError, Impossible or LedgerFailed, as the run would before it sends anything.
    """
    plan = (resolver or engine.resolver()).plan(choice, requests)
    target, resolved = plan.targets[0]
    missing, coming = _missing(engine, plan, requests) if pixels else (None, 0)
    if plan.refusal and missing != []:
        raise plan.refusal
    pictures = sum(request.num_images for request in requests)
    price = target.model.price
    priced = [each.usd for each in resolved]
    known = None if target.override or None in priced else max((usd for usd in priced if usd is not None), default=None)
    now = None if known is None else known / resolved[0].price_share
    counted = max(each.counted_usd for each in resolved)
    notices = [notice for each in resolved for notice in each.notices]
    if not pixels:
        notices = [notice for notice in notices if not notice.startswith("aspect ratio auto was sent as")]
    return Estimate(
        target.spec.id,
        target.spec.label,
        target.override or target.model.name,
        resolved[0].model_id,
        resolved[0].resolution,
        pictures,
        None if missing is None else pictures - len(missing),
        known,
        counted,
        sum(each.counted_usd * request.num_images for each, request in zip(resolved, requests, strict=True)),
        price.source if price and known is not None else "",
        price.dated if price and known is not None else "",
        coming,
        resolved[0].delivery,
        now,
        now * target.spec.batch.price_share if now is not None and target.spec.batch else None,
        price.counted_source if price and known is not None and counted > known else "",
        tuple(dict.fromkeys([*plan.notices, *notices])),
        tuple(_sends(engine, target, resolved, requests, missing, wants_drafts)) if sends else (),
    )


def elsewhere(
    resolver: ProviderResolver, choice: ProviderChoice | None, requests: Sequence[Request]
) -> list[dict[str, Any]]:
    """Prices `requests` at every provider, with its model of the kind that `choice` names and with each other one.

    Those that can be asked come first, the cheapest of them first; those that can't do it say why.
    """
    found = []
    for offer in resolver.offers(choice or ProviderChoice(), requests):
        share = offer.spec.batch.price_share if offer.spec.batch else None
        models = [_offered(each, requests, share) for each in offer.models]
        preferred = offer.preferred.name if offer.preferred else ""
        facts: dict[str, Any] = {
            "provider": offer.spec.id,
            "label": offer.spec.label,
            "usable": offer.usable,
            "local": offer.spec.local,
            "key_url": offer.spec.key_url,
            "models": models,
        }
        if offer.problem:
            facts["problem"] = offer.problem
        else:
            facts |= next(model for model in models if model["model"] == preferred)
        found.append(facts)
    return sorted(
        found, key=lambda f: (not f["usable"], f["local"], "problem" in f, f.get("usd") is None, f.get("usd") or 0.0)
    )


def _offered(offer: ModelOffer, requests: Sequence[Request], batch_share: float | None) -> dict[str, Any]:
    """One model of a provider with its price for `requests`.

    `batch_share`: of the price where a picture is part of an order; None where the provider takes none.
    """
    facts: dict[str, Any] = {"model": offer.model.name}
    if offer.problem:
        return {**facts, "problem": offer.problem}
    prices = [each.usd for each in offer.resolved]
    total = sum((usd or 0) * request.num_images for usd, request in zip(prices, requests, strict=True))
    now = None if prices[0] is None else prices[0] / offer.resolved[0].price_share
    counted = max(each.counted_usd for each in offer.resolved)
    price = offer.model.price if prices[0] is not None else None
    return {
        **facts,
        "resolution": offer.resolved[0].resolution,
        "usd_each": prices[0],
        "usd_now_each": now,
        "usd_batch_each": None if now is None or batch_share is None else now * batch_share,
        "usd_counted_each": counted,
        "price_source": price.source if price else "",
        "price_dated": price.dated if price else "",
        "counted_source": price.counted_source if price and counted > (prices[0] or 0) else "",
        "usd": None if None in prices else total,
        "usd_counted": sum(
            each.counted_usd * request.num_images for each, request in zip(offer.resolved, requests, strict=True)
        ),
    }


def _missing(engine: Engine, plan: Plan, requests: Sequence[Request]) -> tuple[list[Slot], int]:
    """The slots that no provider of the chain has made yet; and how many of the others are only ordered by now."""
    names = {
        slot: plan.all_fingerprints(index, request, slot)
        for index, request in enumerate(requests)
        for slot in request.slots()
    }
    every = [name for group in names.values() for name in group]
    stored = engine.ledger.look_up(every)
    missing = [slot for slot, group in names.items() if not any(name in stored for name in group)]
    if plan.delivery == "now" or not missing or engine.ledger.is_empty:
        return missing, 0
    coming = ordered(engine.ledger.database, every)
    lacking = [slot for slot in missing if coming.isdisjoint(names[slot])]
    return lacking, len(missing) - len(lacking)


def _sends(
    engine: Engine,
    target: Target,
    resolved: Sequence[ResolvedRequest],
    requests: Sequence[Request],
    missing: list[Slot] | None,
    wants_drafts: bool,
) -> list[dict[str, Any]]:
    by_frame = {request.frame: (each, request) for each, request in zip(resolved, requests, strict=True)}
    slots = [slot for request in requests for slot in request.slots()] if missing is None else missing
    learned = (engine.api_variant(target), engine.learned_variants(target))
    calls = batches(slots, lambda frame: by_frame[frame][0].capabilities.max_count)
    return [_shown(target, learned, *by_frame[batch[0].frame], batch, wants_drafts) for batch in calls]


def _shown(
    target: Target,
    learned: tuple[str, Mapping[str, str]],
    resolved: ResolvedRequest,
    request: Request,
    slots: Sequence[Slot],
    wants_drafts: bool,
) -> dict[str, Any]:
    """One paid request as text: pictures are named and not shown, the key is stars.

    `learned`: the API variants that a call begins with.
    """
    marks = {
        b"\0" * (number + 1): f"<picture {number + 1}: {picture.width}x{picture.height}>"
        for number, picture in enumerate(resolved.references)
    }
    files = tuple(
        Encoded(mark, "webp" if "webp" in target.spec.reference_formats else "png", picture.width, picture.height)
        for mark, picture in zip(marks, resolved.references, strict=True)
    )
    addresses = {number: f"<address of picture {number + 1}>" for number in range(len(files))}
    api_variant, variants = learned
    job = target.job(resolved, request, slots[0].seed, len(slots), files, wants_drafts=wants_drafts)
    job = replace(job, api_variant=api_variant, variants=variants, uploaded=addresses)
    step = _order(job) if resolved.delivery == "batch" else dialect(target.spec.dialect).start(job)
    shown: dict[str, Any] = {"slots": [slot.index for slot in slots], "frame": request.frame}
    if not isinstance(step, Send):
        return shown
    headers = dict(step.headers)
    if target.key is not None:
        headers |= [target.spec.header("***")]
    if step.body is not None:
        headers["Content-Type"] = step.body.content_type.partition(";")[0]
    body = _text(step.body, marks) if step.body is not None else ""
    return {**shown, "method": step.method, "url": step.url, "headers": headers, "body": body}


def _order(job: Job) -> Send:
    """One request of an order, at the address that the order goes to."""
    path = gemini_batch.batch_api(job).path
    return Send("POST", job.url(path), {}, paid=True, body=gemini_batch.request_body(job))


def _text(body: Body, marks: dict[bytes, str]) -> str:
    inside = [bytes(part.data) for part in body.parts if isinstance(part, (Base64, Raw))]
    text = "".join(marks.get(data) or data.decode("utf-8", "replace") for data in inside)
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text
