"""The way of a paid request after validation: faults, billing, pictures, answer.

Called by `exchange.py` with a validated order. The only place that bills, and the only one that knows which fault comes
before the bill and which after it.
"""

from __future__ import annotations

import base64
import gzip
import re
import time
from dataclasses import replace
from email.utils import formatdate

from pack.simulator.drawing import Card, encode
from pack.simulator.files import MIME
from pack.simulator.generation import card_of, file_stem
from pack.simulator.message import Reply, json_reply
from pack.simulator.order import Order
from pack.simulator.problem import Problem
from pack.simulator.results import Result
from pack.simulator.sizes import COLUMNS, pixels

from .api import Call
from .delivery import delivery_of
from .faults import FILE_WORDS, Words, split_prompt
from .files import LOGIN_PAGE
from .request_log import RequestLog
from .result_shapes import shaped
from .tasks import Task, new_task_id

BAD_GATEWAY_PAGE = (
    "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n"
    "<center><h1>{status} {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
SMALL = (64, 64)


def generate(call: Call, order: Order, words: Words, request_log: RequestLog) -> Reply:
    """The reply to a valid paid request under the fault words given."""
    record = call.record
    assert record is not None

    def bill(images: int) -> None:
        request_log.bill(record, images, images * order.price)

    if "reason" in words:
        order.extras["reason"] = words["reason"]
    key = call.api.replay_key(call)
    earlier = call.tasks.earlier(call.api.id, key, bytes(call.request.body)) if key else None
    reply = _refusal(call, order, words)
    if reply is not None:
        record.outcome = _outcome(words, reply.status)
        if "paid" in words and earlier is None:
            bill(order.count)
            if key:
                task = _task(call, order, _pictures(call, order, words, order.count), {}, record.cost_usd)
                call.tasks.remember(key, bytes(call.request.body), task)
        return _dressed(reply, words)
    if earlier is not None:
        reply = call.api.started(call, earlier)
        record.outcome = _outcome({"replay": True, **words}, reply.status)
        return _dressed(reply, words)
    wanted = max(0, order.count + ("more" in words) - ("fewer" in words))
    images = order.count if "empty" in words else wanted
    if words.get("task") in ("fail", "cancelled") and "paid" not in words:
        # Every document that mentions it says that a failed task is not charged.
        images = 0
    bill(images)
    results = [] if "empty" in words else _pictures(call, order, words, wanted)
    if order.asynchronous or "task" in words:
        task = _task(call, order, results, words, record.cost_usd)
        task.unbill = lambda: bill(0)
        if key:
            call.tasks.remember(key, bytes(call.request.body), task)
        reply = call.api.started(call, task)
    elif "shape" in words:
        reply = json_reply(200, shaped(words["shape"], results))
    else:
        if key:
            # Nobody is told of a task here: it is where the same key finds the same results again.
            done = _task(call, order, results, {}, record.cost_usd)
            call.tasks.remember(key, bytes(call.request.body), done)
        reply = call.api.finished(call, order, results)
    record.outcome = _outcome(words, reply.status)
    return _dressed(reply, words)


def _outcome(words: Words, status: int) -> int | str:
    for word in ("drop", "html", "redirect", "refuse", "broken_json", "empty", "task", "replay"):
        if word in words:
            value = words[word]
            return f"{word}={value}" if isinstance(value, str) and value else word
    return status


def _refusal(call: Call, order: Order, words: Words) -> Reply | None:
    """The reply of a fault that comes before the bill, if there is one."""
    if "redirect" in words:
        return Reply(307, b"", "text/plain", headers=[("Location", words["redirect"])])
    extra = (("Retry-After", _retry_after(words["retry_after"])),) if "retry_after" in words else ()
    if "html" in words:
        status = words.get("status", 200)
        page = LOGIN_PAGE
        if status != 200:
            reason = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
            page = BAD_GATEWAY_PAGE.format(status=status, reason=reason.get(status, "Error")).encode()
        return Reply(status, page, "text/html", headers=list(extra))
    if "status" in words:
        return call.api.problem(Problem(words["status"], headers=extra))
    if "refuse" in words:
        return call.api.refused(call, order, int(words["refuse"] or 0))
    if words.get("drop") in ("connect", "upload"):
        # The directive came too late in the body to act on it there: drop all the same, unbilled.
        return Reply(200)
    return None


def _retry_after(value: str) -> str:
    """As given; `date+N` becomes the HTTP date N seconds from now."""
    later = re.fullmatch(r"date\+(\d+)", value)
    if later is None:
        return value
    return formatdate(time.time() + int(later.group(1)), usegmt=True)


def _pictures(call: Call, order: Order, words: Words, wanted: int) -> list[Result]:
    prompt, directive = split_prompt(order.prompt)
    form = words.get("as", order.file_format)
    file_words = {name: value for name, value in words.items() if name in FILE_WORDS}
    if file_words:
        file_words |= {name: words[name] for name in ("times", "reset") if name in words}
    results = []
    for slot in range(wanted):
        width, height = SMALL if "small" in words else _size(order, slot) if "sizes" in words else order.size
        card = replace(
            card_of(call, order, slot, wanted),
            width=width,
            height=height,
            prompt=prompt,
            directive=directive,
            mode="RGBA" if "rgba" in words else "L" if "gray" in words else "RGB",
        )
        results.append(_result(call, order, words, card, form, file_words))
    return results


def _result(call: Call, order: Order, words: Words, card: Card, form: str, file_words: Words) -> Result:
    transport = order.transport
    for word in ("b64", "b64twice", "datauri", "url"):
        if word in words:
            transport = word
    result = Result(card.width, card.height)
    if transport == "url":
        path = call.files.add_faulty(call.api.id, file_stem(order), form, lambda: encode(card, form), file_words)
        result.url = str(words.get("url") or call.address(path))
        return result
    content = encode(card, form)
    if "short" in words:
        content = content[: len(content) // 2]
    text = base64.b64encode(content).decode("ascii")
    if transport == "datauri":
        result.url = f"data:{MIME[form]};base64,{text}"
    elif transport == "b64twice":
        result.b64 = base64.b64encode(text.encode("ascii")).decode("ascii")
    else:
        result.b64 = text
    return result


def _size(order: Order, slot: int) -> tuple[int, int]:
    """Another size for each picture: the neighbours in the table, from the one asked for."""
    if slot == 0:
        return order.size
    ratios = ("1:1", "4:3", "3:4", "16:9", "9:16")
    column = COLUMNS[(COLUMNS.index(order.resolution) + slot) % 2] if order.resolution in COLUMNS else "1K"
    return pixels(ratios[(slot - 1) % len(ratios)], column)


def _task(call: Call, order: Order, results: list[Result], words: Words, cost_usd: float) -> Task:
    task = Task(
        id=new_task_id(),
        provider=call.api.id,
        order=order,
        results=results,
        ending=words.get("task", "done"),
        steps=words.get("steps", 1),
        flat="flat_task" in words,
        shape=words.get("shape", ""),
        cost_usd=cost_usd,
        poll_status=words.get("poll_status", 0),
        poll_times=words.get("poll_times"),
        cancel_fault=words.get("cancel", ""),
    )
    call.tasks.add(task)
    return task


def _dressed(reply: Reply, words: Words) -> Reply:
    """The reply with the faults of its body and of its sending."""
    if "broken_json" in words:
        reply.body = reply.body[: max(1, len(reply.body) * 2 // 3)]
    if "trailing" in words:
        reply.body += b"\n\x00<!-- served by cache-17 -->}"
    if "bom" in words:
        reply.body = b"\xef\xbb\xbf" + reply.body
    if "gzip" in words:
        reply.body = gzip.compress(reply.body, 1)
        reply.headers.append(("Content-Encoding", "gzip"))
    delivery = delivery_of(reply)
    delivery.slow = words.get("slow", 0.0)
    delivery.held = words.get("hold")
    delivery.slow_body = words.get("slow_body", 0.0)
    drop = str(words.get("drop", ""))
    delivery.drop = "headers" if drop in ("connect", "upload") else drop
    delivery.reset = "reset" in words
    delivery.silent_close = "keepalive_close" in words
    return reply
