"""The pictures of the journal: list, thumbnail or whole picture, recover, copy to the input folder, forget.

GET results?query&cursor&limit&state&provider&model&since&until&favourite · GET results/choices · GET results/collected ·
GET results/{id}/image?max · GET results/{id}/graph?only · GET results/{id}/origin · POST results/{id}/recover ·
POST results/recover · POST results/{id}/read · PUT results/{id}/favourite · POST results/{id}/input ·
POST results/pay_again · POST results/withdraw · DELETE results/{id} ·
DELETE results?before=<unix time> | ?all=yes, each with &keep=favourites.
"""

from __future__ import annotations

import io
import math
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from .. import comfyui
from ..core.errors.messages import msg
from ..core.execution.charge import decide_withdrawn_row
from ..core.images.picture import MIME, UnreadablePicture, decode, preview_of, sniff
from ..core.ledger.history import History, HistoryEntry
from ..core.ledger.results import DamagedFile
from ..core.ledger.selection import Selection
from ..core.ledger.types import OPEN_STATES
from ..core.providers.spec import ProviderSpec
from ..nodes.estimate import WIDGET_DEFAULTS
from ..nodes.origin import MAX_SOURCES, origin_of
from ..nodes.partial_prompt import prompt_for
from .masked_edits import MaskedEdits
from .security import ApiError, File, RouteRequest

PAGE, MOST = 60, 200
MOST_IDS = 1000
LONGEST_RUN_ID = 200
SIDES = (16, 2048)
_KEPT_BYTES = 48 << 20
RECOVER_SECONDS = 120.0
_CONTENT = re.compile("[0-9a-f]{64}")


class ThumbnailCache:
    """Thumbnails, the last used ones: scrolling back must not decode 4K pictures again."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._made: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(2)

    def get(self, name: str, side: int, data: bytes) -> bytes:
        with self._lock:
            if (name, side) in self._made:
                self._made.move_to_end((name, side))
                return self._made[name, side]
        with self._turn:  # a page asks for dozens at once, and each may be 64 MB of pixels
            file = io.BytesIO()
            preview_of(decode(data), side).save(file, "WEBP", quality=82, method=2)
        made = file.getvalue()
        with self._lock:
            # Two requests may have made it at once.
            self._size += len(made) - len(self._made.pop((name, side), b""))
            self._made[name, side] = made
            while self._size > self._limit:
                _, gone = self._made.popitem(last=False)
                self._size -= len(gone)
        return made

    def clear(self) -> None:
        with self._lock:
            self._made.clear()
            self._size = 0


_thumbnails = ThumbnailCache(_KEPT_BYTES)
_masked_edits = MaskedEdits(limit=20_000)


def list_results(request: RouteRequest) -> dict[str, Any]:
    """The newest first. `cursor` is the `next` of the page before."""
    try:
        limit = max(1, min(int(request.query.get("limit", str(PAGE))), MOST))
    except ValueError:
        raise ApiError(400, msg("results.limit_must_be_number")) from None
    selection, cursor = _selection(request), request.query.get("cursor", "")
    found = _history().select(selection, limit=limit + 1, before=cursor)
    more = len(found) > limit
    page: dict[str, Any] = {
        "results": _shown(found[:limit]),
        "next": found[limit - 1].uid if more else None,
    }
    if not cursor:
        page["pictures"] = _history().count(selection)
    return page


def choices(request: RouteRequest) -> dict[str, Any]:
    """What a list can be filtered by: {"providers": [{"id", "label", "models": [wire ids]}]}, the most used first."""
    specs = comfyui.engine().specs()
    models: dict[str, list[str]] = {}
    for provider, model, _ in _history().choices():
        models.setdefault(provider, []).append(model)
    return {
        "providers": [
            {"id": provider, "label": _label(provider, specs), "models": names} for provider, names in models.items()
        ]
    }


def _selection(request: RouteRequest) -> Selection:
    """query, state, provider, model, since, until, favourite: all that are given hold together."""
    text = {name: request.query.get(name, "")[:200] for name in ("query", "state", "provider", "model", "favourite")}
    if text["favourite"] not in ("", "yes"):
        raise ApiError(400, msg("results.favourite_must_be_yes"))
    return Selection(
        query=text["query"],
        states=[state for state in text["state"].split(",") if state],
        provider=text["provider"],
        model=text["model"],
        since=_unix_time(request, "since", 0.0),
        until=_unix_time(request, "until", math.inf),
        favourites=bool(text["favourite"]),
    )


def _unix_time(request: RouteRequest, name: str, default: float) -> float:
    given = request.query.get(name, "")
    if not given:
        return default
    try:
        at = float(given[:40])
    except ValueError:
        at = math.nan
    if not math.isfinite(at):
        raise ApiError(400, msg("results.time_must_be_unix_time", name=name))
    return at


def favourite(request: RouteRequest) -> dict[str, Any]:
    """Body: {"favourite": whether the user likes it}. Gives the same."""
    marked = request.body.get("favourite")
    if not isinstance(marked, bool):
        raise ApiError(400, msg("results.favourite_must_be_true_or_false"))
    comfyui.engine().ledger.mark_favourites([_one(request).uid], marked)
    return {"favourite": marked}


def image(request: RouteRequest) -> File:
    """The provider's own bytes; with `max` a small copy whose longer side has at most so many pixels.

    {id} may also be the SHA-256 of the bytes, as a conversation names its picture.
    """
    name = request.path["id"]
    same = comfyui.engine().ledger.of_content(name) if _CONTENT.fullmatch(name) else []
    shown = _of_uid(same[0].uid if same else name)
    max_side = request.query.get("max", "")
    if max_side and not max_side.isdecimal():
        raise ApiError(400, msg("results.max_must_be_pixels"))
    # Python refuses to read a number of thousands of digits.
    side = max(SIDES[0], min(int(max_side[:9]), SIDES[1])) if max_side else 0
    tag = f"{shown.file}-{side}" if side else shown.file
    if shown.file and request.has == tag:
        return File(b"", "", tag)
    data = _bytes(shown)
    if not side:
        return File(data, MIME.get(sniff(data), "application/octet-stream"), tag)
    try:
        return File(_thumbnails.get(shown.file, side, data), "image/webp", tag)
    except UnreadablePicture:
        raise ApiError(415, msg("results.no_thumbnail")) from None


def graph(request: RouteRequest) -> dict[str, Any]:
    """The workflow that made it: {"workflow", "prompt"}, either may be null.

    With `only=picture` the prompt is cut down to the node that made the picture and what feeds it: {"node": its id} as well.
    """
    shown = _one(request)
    found = _history().graph(shown.uid)
    if not found:
        raise ApiError(404, msg("results.graph_not_kept"))
    kept = {"workflow": found.get("workflow"), "prompt": found.get("prompt")}
    if request.query.get("only", "") != "picture":
        return kept
    node, _ = _history().node_of(shown.uid)
    part = prompt_for(kept["prompt"], node)
    if part is None:
        raise ApiError(409, msg("results.node_not_in_graph"), msg("results.open_graph_instead"))
    return kept | {"prompt": part, "node": node}


def origin(request: RouteRequest) -> dict[str, Any]:
    """What it was made from, see `origin_of`; {} where its workflow isn't stored. A source that is a picture of the same run
    has its ids: "pictures"."""
    shown = _one(request)
    kept = _history().graph(shown.uid)
    if not kept:
        return {}
    node, siblings = _history().node_of(shown.uid)
    found = origin_of(kept.get("prompt"), node, shown.created, WIDGET_DEFAULTS)
    for reference in found["references"]:
        for source in reference["sources"]:
            if "node" in source:
                source["pictures"] = siblings.get(source["node"], [])[:MAX_SOURCES]
    return found


def recover(request: RouteRequest) -> dict[str, Any]:
    """Fetches what is paid and can be had for nothing, and says what came of it."""
    wanted = _one(request).uid if "id" in request.path else ""
    recovery = comfyui.engine().recover(however_old=True)
    ended = recovery.wait(RECOVER_SECONDS)
    found: dict[str, Any] = {"ended": ended, "pictures": 0, "failed": 0, "text": ""}
    if ended:
        result = recovery.result
        found |= {"pictures": result.images, "failed": result.failed, "text": result.text}
    if wanted:
        found["result"] = _shown([_one(request)])[0]
    return found


def read_again(request: RouteRequest) -> dict[str, Any]:
    """Reads the kept answer of a picture once more, free: {"pictures", "reason", "result"}."""
    uid = _one(request).uid
    found = comfyui.engine().read_again(uid)
    return {"pictures": found.images, "reason": found.reason, "result": _shown([_one(request)])[0]}


def pay_again(request: RouteRequest) -> dict[str, Any]:
    """Body: {"ids": [...], "agrees": true, "run": "..."}. The user agrees that these, which may have been charged, are paid
    again by the next run within the hour; nothing is sent by this. "run": the id of the prompt that was queued for it, once
    it is known: no other one pays then, also where that one is deleted from the queue. With "agrees" false, as when the host
    took no run for it, the agreement is over. {"agreed": of how many requests}."""
    agrees = request.body.get("agrees", True)
    if not isinstance(agrees, bool):
        raise ApiError(400, msg("results.agrees_expected"))
    run = request.body.get("run", "")
    if not isinstance(run, str) or len(run) > LONGEST_RUN_ID:
        raise ApiError(400, msg("results.run_expected"))
    return {"agreed": comfyui.engine().ledger.agree_to_pay_again(_ids(request), agrees, run)}


def withdraw(request: RouteRequest) -> dict[str, Any]:
    """Body: {"ids": [...]}. The user was not charged for these: they leave the sums and are not asked about again.
    {"withdrawn": how many}; what is no longer in doubt, or has a price that the provider named, stays as it is."""
    ids = _ids(request)
    count = comfyui.engine().ledger.withdraw(ids, decide_withdrawn_row)
    if not count:
        raise ApiError(409, msg("results.nothing_to_withdraw"))
    return {"withdrawn": count}


def recovered(request: RouteRequest) -> dict[str, Any]:
    """What was recovered by itself after the last start: {"text", "pictures", "failed", "at"}, or {}."""
    return dict(comfyui.recovered)


def copy_to_input(request: RouteRequest) -> dict[str, Any]:
    """Copies a picture to where LoadImage finds it: {"name"}."""
    shown = _one(request)
    data = _bytes(shown)
    folder = comfyui.input_folder()
    name = f"nano_banana_{shown.uid[:12]}.{shown.file.rpartition('.')[2]}"
    target = folder / name
    if not target.exists() or target.read_bytes() != data:
        part = folder / f".{name}.{os.getpid()}.part"
        part.write_bytes(data)
        os.replace(part, target)
    return {"name": name}


def forget(request: RouteRequest) -> dict[str, Any]:
    count = _history().forget([_one(request).uid])
    if not count:
        raise ApiError(409, msg("results.request_still_running"))
    _thumbnails.clear()
    return {"forgotten": count}


def forget_many(request: RouteRequest) -> dict[str, Any]:
    """Forgets everything before a time, or with `all=yes` everything; with `keep=favourites` all but the user's favourites."""
    before, everything = request.query.get("before", ""), request.query.get("all", "") == "yes"
    keep = request.query.get("keep", "") == "favourites"
    if bool(before) == everything:
        raise ApiError(400, msg("results.before_or_all_expected"))
    try:
        at = float(before or 0)
    except ValueError:
        at = math.inf
    if at == math.inf:  # that would be everything, which has to be named
        raise ApiError(400, msg("results.before_must_be_unix_time"))
    count = _history().forget(before=None if everything else at, keep_favourites=keep)
    _thumbnails.clear()
    return {"forgotten": count}


def _label(provider: str, specs: Mapping[str, ProviderSpec]) -> str:
    """How a provider is called; one that is no longer known, by its id."""
    spec = specs.get(provider)
    return spec.label if spec else provider


def _ids(request: RouteRequest) -> list[str]:
    ids = request.body.get("ids")
    if not isinstance(ids, list) or not ids or len(ids) > MOST_IDS or not all(isinstance(each, str) for each in ids):
        raise ApiError(400, msg("results.ids_expected", most=MOST_IDS))
    return ids


def _history() -> History:
    return History(comfyui.engine().ledger)


def _one(request: RouteRequest) -> HistoryEntry:
    return _of_uid(request.path["id"])


def _of_uid(uid: str) -> HistoryEntry:
    found = _history().picture(uid)
    if found is None:
        raise ApiError(404, msg("results.unknown_picture"))
    return found


def _bytes(shown: HistoryEntry) -> bytes:
    if not shown.file:
        raise ApiError(404, msg("results.bytes_missing"))
    try:
        return _history().read(shown)
    except FileNotFoundError:
        raise ApiError(404, msg("results.bytes_no_longer_here")) from None
    except DamagedFile:
        raise ApiError(410, msg("results.bytes_damaged"), msg("results.run_graph_again")) from None


def _shown(entries: Sequence[HistoryEntry]) -> list[dict[str, Any]]:
    """What the page gets of each. `conversation`: its earlier words are kept, and its provider takes them again. `masked`: it
    was edited with a mask, and is shown as the provider sent it. `order_unread`: it is in an order, and what the provider
    answers about that can't be read."""
    engine = comfyui.engine()
    specs = engine.specs()
    talking = {name for name, spec in specs.items() if spec.conversations}
    with_turn = engine.ledger.turns.existing((entry.file, entry.uid) for entry in entries if entry.provider in talking)
    masked = _masked_edits.among(_history(), entries)
    waited_for = {order: engine.orders.find(order) for order in {entry.order for entry in entries if entry.order}}
    return [
        _facts(entry)
        | {
            "label": _label(entry.provider, specs),
            "conversation": (entry.file, entry.uid) in with_turn,
            "masked": entry.uid in masked,
            "order_unread": (order := waited_for.get(entry.order)) is not None and order.is_unread,
        }
        for entry in entries
    ]


def _facts(shown: HistoryEntry) -> dict[str, Any]:
    return {
        "id": shown.uid,
        "state": shown.state,
        "provider": shown.provider,
        "model": shown.model,
        "profile": shown.profile,
        "operation": shown.operation,
        "prompt": shown.prompt,
        "text": shown.text,
        "usd": shown.usd,
        "exact": shown.exact,
        "created": shown.created,
        "reason": shown.reason,
        "task": shown.task,
        "picture": bool(shown.file),
        "content": shown.file.partition(".")[0],
        "running": shown.running,
        "recoverable": shown.state in ("accepted", "answered") and not shown.running,
        "in_doubt": shown.state == "unknown" and shown.usd > 0,
        "asked_again": shown.asked_again,
        "open": shown.state in OPEN_STATES,
        "role": shown.role,
        "answer": shown.answer,
        "order": shown.order,
        "away": shown.away,
        "favourite": shown.favourite,
        "format": shown.file.rpartition(".")[2],
    }


ROUTES = [
    ("GET", "/results", list_results),
    ("DELETE", "/results", forget_many),
    ("GET", "/results/choices", choices),
    ("GET", "/results/collected", recovered),
    ("POST", "/results/recover", recover),
    ("POST", "/results/pay_again", pay_again),
    ("POST", "/results/withdraw", withdraw),
    ("GET", "/results/{id}/image", image),
    ("GET", "/results/{id}/graph", graph),
    ("GET", "/results/{id}/origin", origin),
    ("POST", "/results/{id}/recover", recover),
    ("POST", "/results/{id}/read", read_again),
    ("PUT", "/results/{id}/favourite", favourite),
    ("POST", "/results/{id}/input", copy_to_input),
    ("DELETE", "/results/{id}", forget),
]
