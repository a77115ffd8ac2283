"""A paid request after validation: faults, billing, pictures, answer.

Called by `router.py` with a validated order. The only place that bills, and the only one that knows which fault comes
before the bill and which after it.
"""

from __future__ import annotations

import base64
import gzip
import re
import time
from dataclasses import replace
from email.utils import formatdate
from functools import partial

from pack.simulator.drawing import Card, encode
from pack.simulator.files import MIME
from pack.simulator.generation import card_of, drafts_of, file_stem
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.results import Result
from pack.simulator.sizes import COLUMNS, pixels

from .api import Call
from .delivery import Delivery, delivery_of
from .edited import edited
from .faults import FILE_OPTIONS, FaultOptions, split_prompt
from .files import LOGIN_PAGE
from .request_log import RequestLog
from .result_shapes import shaped
from .tasks import Task, new_task_id

BAD_GATEWAY_PAGE = (
    "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n"
    "<center><h1>{status} {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
SMALL = (64, 64)


def generate(call: Call, request: ImageRequest, options: FaultOptions, request_log: RequestLog) -> Reply:
    """The reply to a valid paid request under the faults given."""
    record = call.record
    assert record is not None

    def bill(images: int) -> None:
        request_log.bill(record, images, images * request.price)

    if "reason" in options:
        request.extras["reason"] = options["reason"]
    if request.drafts:
        request.drafts = options.get("drafts", request.drafts)
    key = call.api.replay_key(call)
    earlier = call.tasks.earlier(call.api.id, key, bytes(call.request.body)) if key else None
    reply = _refusal(call, request, options)
    if reply is not None:
        record.outcome = _outcome(options, reply.status)
        if "paid" in options and earlier is None:
            bill(request.count)
            if key:
                task = _task(call, request, _pictures(call, request, options, request.count), {}, record.cost_usd)
                call.tasks.remember(key, bytes(call.request.body), task)
        return dressed(reply, options)
    if earlier is not None:
        reply = call.api.started(call, earlier)
        record.outcome = _outcome({"replay": True, **options}, reply.status)
        return dressed(reply, options)
    wanted = max(0, request.count + ("more" in options) - ("fewer" in options))
    images = request.count if "empty" in options else wanted
    if options.get("task") in ("fail", "cancelled") and "paid" not in options:
        # Every document that mentions it says that a failed task is not charged.
        images = 0
    bill(images)
    results = [] if "empty" in options else _pictures(call, request, options, wanted)
    if request.asynchronous or "task" in options:
        task = _task(call, request, results, options, record.cost_usd)
        task.unbill = lambda: bill(0)
        if key:
            call.tasks.remember(key, bytes(call.request.body), task)
        reply = call.api.started(call, task)
    elif "shape" in options:
        reply = json_reply(200, shaped(options["shape"], results))
    else:
        if key:
            # Nobody is told of a task here: it is where the same key finds the same results again.
            done = _task(call, request, results, {}, record.cost_usd)
            call.tasks.remember(key, bytes(call.request.body), done)
        reply = call.api.finished(call, request, results)
    record.outcome = _outcome(options, reply.status)
    return dressed(reply, options)


def problem_of(call: Call, options: FaultOptions) -> Reply | None:
    """The refusal of a request that isn't for a picture itself, None without one."""
    extra = (("Retry-After", _retry_after(options["retry_after"])),) if "retry_after" in options else ()
    if "status" in options:
        return call.api.problem(Problem(options["status"], headers=extra))
    return Reply(200) if options.get("drop") in ("connect", "upload") else None


def _outcome(options: FaultOptions, status: int) -> int | str:
    for name in ("drop", "html", "redirect", "refuse", "broken_json", "empty", "task", "replay"):
        if name in options:
            value = options[name]
            return f"{name}={value}" if isinstance(value, str) and value else name
    return status


def _refusal(call: Call, request: ImageRequest, options: FaultOptions) -> Reply | None:
    """The reply of a fault that acts before the request is billed, None without one."""
    if "redirect" in options:
        return Reply(307, b"", "text/plain", headers=[("Location", options["redirect"])])
    extra = (("Retry-After", _retry_after(options["retry_after"])),) if "retry_after" in options else ()
    if "html" in options:
        status = options.get("status", 200)
        page = LOGIN_PAGE
        if status != 200:
            reason = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
            page = BAD_GATEWAY_PAGE.format(status=status, reason=reason.get(status, "Error")).encode()
        return Reply(status, page, "text/html", headers=list(extra))
    if "status" in options:
        return call.api.problem(Problem(options["status"], headers=extra))
    if "refuse" in options:
        return call.api.refused(call, request, int(options["refuse"] or 0))
    if options.get("drop") in ("connect", "upload"):
        # The directive came too late in the body to act on it there: drop all the same, unbilled.
        return Reply(200)
    return None


COARSE = 40_000
"""Pixels that a double's picture is drawn at: tests ask for thousands, and look at few of them."""


def _retry_after(value: str) -> str:
    """As given; `date+N` becomes the HTTP date N seconds from now."""
    later = re.fullmatch(r"date\+(\d+)", value)
    if later is None:
        return value
    return formatdate(time.time() + int(later.group(1)), usegmt=True)


def _pictures(call: Call, request: ImageRequest, options: FaultOptions, wanted: int) -> list[Result]:
    prompt, directive = split_prompt(request.prompt)
    file_format = options.get("as", request.file_format)
    file_options = {name: value for name, value in options.items() if name in FILE_OPTIONS}
    if file_options:
        file_options |= {name: options[name] for name in ("times", "reset") if name in options}
    results = []
    for slot in range(wanted):
        width, height = SMALL if "small" in options else _size(request, slot, options)
        card = replace(
            card_of(call, request, slot, wanted),
            width=width,
            height=height,
            prompt=prompt,
            footnote=directive,
            drawn_pixels=COARSE,
            mode="RGBA" if "rgba" in options else "L" if "gray" in options else "RGB",
        )
        result = _result(call, request, options, card, file_format, file_options)
        if request.encoding == "url":  # drawn when they are fetched
            result.drafts = [_result(call, request, {}, each, "png", {}) for each in drafts_of(card, request.drafts)]
        results.append(result)
    return results


def _result(
    call: Call, request: ImageRequest, options: FaultOptions, card: Card, file_format: str, file_options: FaultOptions
) -> Result:
    encoding = request.encoding
    for word in ("b64", "b64twice", "datauri", "url"):
        if word in options:
            encoding = word
    result = Result(card.width, card.height)
    draw = partial(encode, card, file_format)
    if "edited" in options and request.references:
        draw = partial(edited, request, card, options["edited"], file_format)
    if encoding == "url":
        path = call.files.add_faulty(call.api.id, file_stem(request), file_format, draw, file_options)
        result.url = str(options.get("url") or call.address(path))
        return result
    content = draw()
    if "short" in options:
        content = content[: len(content) // 2]
    text = base64.b64encode(content).decode("ascii")
    if encoding == "datauri":
        result.url = f"data:{MIME[file_format]};base64,{text}"
    elif encoding == "b64twice":
        result.b64 = base64.b64encode(text.encode("ascii")).decode("ascii")
    else:
        result.b64 = text
    return result


def _size(request: ImageRequest, slot: int, options: FaultOptions) -> tuple[int, int]:
    """The size that was asked for, or where `sizes` says so another for each picture; smaller where `longest` says so."""
    size = _neighbour(request, slot) if "sizes" in options else request.size
    factor = options.get("longest", 0) / max(request.size)
    return size if not 0 < factor < 1 else (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))


def _neighbour(request: ImageRequest, slot: int) -> tuple[int, int]:
    """The neighbours in the table, from the size that was asked for."""
    if slot == 0:
        return request.size
    ratios = ("1:1", "4:3", "3:4", "16:9", "9:16")
    column = COLUMNS[(COLUMNS.index(request.resolution) + slot) % 2] if request.resolution in COLUMNS else "1K"
    return pixels(ratios[(slot - 1) % len(ratios)], column)


def _task(call: Call, request: ImageRequest, results: list[Result], options: FaultOptions, cost_usd: float) -> Task:
    task = Task(
        id=new_task_id(),
        provider=call.api.id,
        image_request=request,
        results=results,
        ending=options.get("task", "done"),
        steps=options.get("steps", 1),
        flat="flat_task" in options,
        shape=options.get("shape", ""),
        cost_usd=cost_usd,
        poll_status=options.get("poll_status", 0),
        poll_times=options.get("poll_times"),
        cancel_fault=options.get("cancel", ""),
    )
    call.tasks.add(task)
    return task


def _interrupt_stream(delivery: Delivery, options: FaultOptions) -> None:
    """Where a stream waits, and where it is cut."""
    if "pause" in options:
        delivery.paused, delivery.paused_at = options["pause"], delivery.events[-3]
    if "cut" in options:
        ends = (0, *delivery.events)
        delivery.cut_at = sum(ends[options["cut"] : options["cut"] + 2]) // 2


def dressed(reply: Reply, options: FaultOptions) -> Reply:
    """The reply with the faults of its body and of its sending."""
    if "broken_json" in options:
        reply.body = reply.body[: max(1, len(reply.body) * 2 // 3)]
    if "trailing" in options:
        reply.body += b"\n\x00<!-- served by cache-17 -->}"
    if "bom" in options:
        reply.body = b"\xef\xbb\xbf" + reply.body
    if "gzip" in options:
        reply.body = gzip.compress(reply.body, 1)
        reply.headers.append(("Content-Encoding", "gzip"))
    delivery = delivery_of(reply)
    delivery.slow = options.get("slow", 0.0)
    delivery.held = options.get("hold")
    delivery.slow_body = options.get("slow_body", 0.0)
    if delivery.events:
        _interrupt_stream(delivery, options)
    drop = str(options.get("drop", ""))
    delivery.drop = "headers" if drop in ("connect", "upload") else drop
    delivery.reset = "reset" in options
    delivery.silent_close = "keepalive_close" in options
    return reply
