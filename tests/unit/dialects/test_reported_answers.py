"""Successful answers as real providers were seen to give them, played over a socket through the engine.

The shapes are facts from public reports and from the vendors' SDKs; pictures and words are ours.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dialect_driver import QUICK_SPECS, request
from long_rows import every_value
from noise_pictures import b64, png, uri
from pack.core.dialects.parsing import result_images
from pack.core.engine import Engine
from pack.core.execution.run import Run
from pack.core.images.decoding import Pixels
from pack.core.images.picture import Picture, decode, encode
from pack.core.ledger import kept_answers
from pack.core.ledger.history import History
from pack.core.planning.choice import ProviderChoice
from pack.core.planning.references import encode_references
from pack.tests.raw_server import CLOSE, JSON, Connection, after_head, answer_head, serving
from pack.tests.reply_server import ReplyServer, replying
from PIL import Image

SMALL, MIDDLE, LARGE = png(32), png(64), png(96)


def gemini(*parts: Any, reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": reason, "index": 0, **more}]
    }


def drawn(data: bytes, **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": b64(data)}, **more}


def chat(message: dict[str, Any], reason: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", **message}}
    return {"id": "gen-1", "object": "chat.completion", "choices": [choice]}


def engine_at(server: ReplyServer, provider: str, home: Path) -> Engine:
    """A machine that has a key for one provider, which it reaches at `server`."""
    environ = {f"NANO_BANANA_{provider.upper()}_API_KEY": "sk-test-0123456789", "NANO_BANANA_CAP_RUN": "100"}
    environ[f"NANO_BANANA_{provider.upper()}_BASE_URL"] = server.url
    return Engine(home, specs=QUICK_SPECS, environ=environ)


def run_once(engine: Engine, provider: str, prompt: str = "a fox", count: int = 1) -> Run:
    """One run of a node, ended."""
    asked = [replace(request(prompt=prompt, seed=7), num_images=count)]
    run = engine.run(asked, engine.plan(ProviderChoice(provider), asked))
    assert run.done.wait(60), "the run didn't end"
    if run.error is not None:
        raise run.error
    return run


def body(value: Any) -> dict[str, Any]:
    return {"status": 200, "body": value}


# ------------------------------------------------------------------------------------------------------ found

IN_TEXT = {
    "markdown data": f"Here it is:\n![image]({uri(MIDDLE)})",
    "markdown address": "Done.\n\n![a fox](FILE)\n\nEnjoy!",
    "markdown title": 'Done: ![a fox](FILE "a fox")',
    "angle brackets": "![](<FILE>)",
    "bare line": "Here you are:\nFILE\n",
    "bare angle": "Here you are:\n<FILE>",
    "link line": "[Download](FILE)",
    "html": 'Sure! <img alt="fox" src="FILE">',
    "bare data": f"{uri(MIDDLE)}",
    "bare alone": "FILE?token=a.b",
    "base64 alone": b64(MIDDLE),
}


@pytest.mark.parametrize(("shape", "provider"), every_value([*IN_TEXT], ["google", "openrouter", "nanobanana"]))
def test_a_picture_in_text_is_the_result(shape: str, provider: str, tmp_path: Path) -> None:
    """As markdown, as an address or as data, in Gemini's text, in a chat, and where a chat answers an images API."""
    with replying(files={"a.png": MIDDLE}) as server:
        text = IN_TEXT[shape].replace("FILE", server.file("a.png"))
        value = gemini({"text": text}) if provider == "google" else chat({"content": text})
        server.replies = [body(value)]
        run = run_once(engine_at(server, provider, tmp_path), provider)
        (result,) = run.tasks
        assert result.result is not None and result.result.data == MIDDLE
        assert "data:" not in result.text and "![" not in result.text and len(server.posts) == 1


FENCED = f"```json\n{json.dumps({'image_url': uri(MIDDLE)})}\n```"
WRAPPED: dict[str, tuple[str, Any]] = {
    "Code Assist": ("google", {"response": gemini(drawn(MIDDLE)), "traceId": "x"}),
    "a code around Gemini's": ("google", {"code": 0, "message": "ok", "data": gemini(drawn(MIDDLE))}),
    "a list of envelopes": (
        "google",
        [{"response": gemini({"text": "x"}, reason=None)}, {"response": gemini(drawn(MIDDLE))}],
    ),
    "a code around a chat": ("openrouter", {"success": True, "data": chat({"content": f"![x]({uri(MIDDLE)})"})}),
    "JSON in JSON": ("nanobanana", json.dumps({"data": [{"b64_json": b64(MIDDLE)}]})),
    "AWS's gateway": ("nanobanana", {"statusCode": 200, "body": json.dumps({"data": [{"b64_json": b64(MIDDLE)}]})}),
    "Workers AI": ("nanobanana", {"result": {"image": b64(MIDDLE)}, "success": True, "errors": []}),
    "Imagen's SDK": ("google", {"generatedImages": [{"image": {"imageBytes": b64(MIDDLE)}}]}),
    "Stability's": ("nanobanana", {"artifacts": [{"base64": b64(MIDDLE), "finishReason": "SUCCESS"}]}),
    "DashScope's": ("nanobanana", {"output": {"choices": [{"message": {"content": [{"image": uri(MIDDLE)}]}}]}}),
    "Node's bytes": ("nanobanana", {"image": {"type": "Buffer", "data": list(MIDDLE)}}),
    "another name": ("nanobanana", {"code": 0, "data": {"img_url": uri(MIDDLE)}}),
    "several under another name": ("nanobanana", {"binary_data_base64": [b64(MIDDLE)]}),
    "BFL's": ("nanobanana", {"result": {"sample": uri(MIDDLE)}}),
    "a page beside the picture": ("nanobanana", {"id": "x", "url": "https://x.example/t/1", "images": [uri(MIDDLE)]}),
    "an address field with markup": ("nanobanana", {"data": [{"url": f"![image]({uri(MIDDLE)})"}]}),
    "a list as text": ("nanobanana", {"image_urls": json.dumps([uri(MIDDLE)])}),
    "JSON as the words of a chat": ("openrouter", chat({"content": json.dumps({"images": [uri(MIDDLE)]})})),
    "JSON in a fence": ("nanobanana", chat({"content": FENCED})),
    "base64 in a fence": ("openrouter", chat({"content": f"```\n{b64(MIDDLE)}\n```"})),
    "base64 after words": ("openrouter", chat({"content": f"Here it is:\n{b64(MIDDLE)}"})),
    "a broken data URI": (
        "openrouter",
        chat({"content": f"![x](data:image/png;base64,{b64(MIDDLE)[:76]}\n{b64(MIDDLE)[76:]})"}),
    ),
    "a file part": ("openrouter", chat({"content": [{"type": "file", "file": {"file_data": uri(MIDDLE)}}]})),
    "one part": ("openrouter", chat({"content": {"type": "image_url", "image_url": {"url": uri(MIDDLE)}}})),
    "attachments": ("openrouter", chat({"content": "done", "attachments": [{"url": uri(MIDDLE)}]})),
    "an old completion": ("openrouter", {"choices": [{"text": f"![x]({uri(MIDDLE)})", "index": 0}]}),
    "words of the responses API": (
        "openrouter",
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": f"![x]({uri(MIDDLE)})"}]}]},
    ),
    "parts that are one": ("google", {"candidates": [{"content": {"parts": drawn(MIDDLE)}, "finishReason": "STOP"}]}),
    "a chat's part in Gemini's": ("google", gemini({"image_url": {"url": uri(MIDDLE)}})),
    "an error beside the picture": ("onerouter", {"code": 500, "data": [{"b64_json": b64(MIDDLE)}]}),
    "a thumbnail after it": (
        "nanobanana",
        {"images": [{"url": uri(MIDDLE), "type": "original"}, {"url": uri(SMALL), "type": "thumbnail"}]},
    ),
    "a logo after it": (
        "openrouter",
        chat({"content": f"![fox]({uri(MIDDLE)})\n\n![Powered by X](https://x.example/l.png)"}),
    ),
    "a badge after it": ("openrouter", chat({"content": f"![fox]({uri(MIDDLE)})\n![b](https://x.example/badge.svg)"})),
}


@pytest.mark.parametrize("shape", WRAPPED)
def test_a_picture_is_found_in_other_wrappings(shape: str, tmp_path: Path) -> None:
    """It alone, paid once, with no words that are its data."""
    provider, value = WRAPPED[shape]
    with replying(body(value)) as server:
        engine = engine_at(server, provider, tmp_path)
        run = run_once(engine, provider)
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE and len(server.posts) == 1
        assert len(History(engine.ledger).pictures()) == 1
        assert len(run.tasks[0].text) < 100 and "http" not in run.tasks[0].text


OTHER_SHAPES: dict[str, tuple[str, Any]] = {
    "content parts": (
        "openrouter",
        chat({"content": [{"type": "text", "text": "here"}, {"type": "image_url", "image_url": {"url": uri(MIDDLE)}}]}),
    ),
    "content output_image": ("openrouter", chat({"content": [{"type": "output_image", "image_url": uri(MIDDLE)}]})),
    "content inline_data": (
        "openrouter",
        chat({"content": [{"inline_data": {"mime_type": "image/png", "data": b64(MIDDLE)}}]}),
    ),
    "content source": (
        "openrouter",
        chat({"content": [{"type": "image", "source": {"type": "base64", "base64": b64(MIDDLE)}}]}),
    ),
    "multi_mod_content": (
        "nanobanana",
        chat({"content": "", "multi_mod_content": [{"text": "x"}, {"inline_data": {"data": b64(MIDDLE)}}]}),
    ),
    "images of strings": ("openrouter", chat({"content": None, "images": [uri(MIDDLE)]})),
    "base64 twice": ("nanobanana", {"data": [{"b64_json": base64.b64encode(b64(MIDDLE).encode()).decode()}]}),
    "Gemini shape in an images API": ("nanobanana", gemini(drawn(MIDDLE))),
    "images shape in a Gemini API": ("google", {"created": 1, "data": [{"b64_json": b64(MIDDLE)}]}),
    "responses API": ("openrouter", {"output": [{"type": "image_generation_call", "result": b64(MIDDLE)}]}),
    "output as text": ("runflow", {"status_code": "succeeded", "output": f"![x]({uri(MIDDLE)})"}),
    "snake case": (
        "google",
        {"candidates": [{"content": {"parts": [{"inline_data": {"mime_type": "image/png", "data": b64(MIDDLE)}}]}}]},
    ),
    "a list of one": ("google", [gemini(drawn(MIDDLE))]),
    "a list of chunks": ("google", [gemini({"text": "Sure"}, reason=None), gemini(drawn(MIDDLE))]),
    "a string": ("nanobanana", uri(MIDDLE)),
    "a list of strings": ("nanobanana", [uri(MIDDLE)]),
}


@pytest.mark.parametrize("shape", OTHER_SHAPES)
def test_every_known_shape_is_read_at_every_door(shape: str, tmp_path: Path) -> None:
    """Copies of an API mix the shapes of several."""
    provider, value = OTHER_SHAPES[shape]
    with replying(body(value)) as server:
        run = run_once(engine_at(server, provider, tmp_path), provider)
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE and len(server.posts) == 1


def events(*values: Any, end: str = "\n\n", done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(value)}{end}" for value in values]
    return "".join([": keep-alive", end, *lines, f"data: [DONE]{end}" if done else ""]).encode()


def delta(**delta: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


STREAMS: dict[str, tuple[str, bytes]] = {
    "Code Assist events": ("google", events({"response": gemini(drawn(MIDDLE))}, done=False)),
    "responses events": (
        "openrouter",
        events(
            {"type": "response.created", "response": {"id": "r", "output": []}},
            {"type": "response.output_item.done", "item": {"type": "image_generation_call", "result": b64(MIDDLE)}},
            {"type": "response.completed", "response": {"id": "r", "output": []}},
        ),
    ),
    "comments before JSON": (
        "openrouter",
        b": OPENROUTER PROCESSING\n\n" + json.dumps(chat({"content": uri(MIDDLE)})).encode(),
    ),
    "progress lines": (
        "nanobanana",
        b'{"id": "t", "results": [], "status": "running"}\n'
        + json.dumps({"id": "t", "results": [{"url": uri(MIDDLE)}], "status": "succeeded"}).encode(),
    ),
    "a list as an event": ("nanobanana", events([{"path": "/tmp/x.png", "url": uri(MIDDLE)}], done=False)),
    "Gemini events": ("google", events(gemini({"text": "Sure"}, reason=None), gemini(drawn(MIDDLE)))),
    "Gemini events CRLF": (
        "google",
        events(gemini({"text": "Sure"}, reason=None), gemini(drawn(MIDDLE)), end="\r\n\r\n"),
    ),
    "no blank line at the end": ("google", events(gemini(drawn(MIDDLE)), done=False).rstrip()),
    "chat events": (
        "openrouter",
        events(
            delta(role="assistant", content="He"),
            delta(content="re"),
            delta(images=[{"image_url": {"url": uri(MIDDLE)}}]),
        ),
    ),
    "chat markdown in pieces": (
        "nanobanana",
        events(
            delta(content="![x](data:image/png;base64,"),
            delta(content=b64(MIDDLE)[:50]),
            delta(content=b64(MIDDLE)[50:] + ")"),
        ),
    ),
    "images stream": (
        "nanobanana",
        events(
            {"type": "image_generation.partial_image", "b64_json": b64(SMALL), "partial_image_index": 0},
            {"type": "image_generation.completed", "b64_json": b64(MIDDLE)},
        ),
    ),
    "JSON lines": (
        "google",
        b"\n".join(json.dumps(v).encode() for v in (gemini({"text": "a"}, reason=None), gemini(drawn(MIDDLE)))),
    ),
}


@pytest.mark.parametrize(("shape", "kind"), every_value([*STREAMS], ["text/event-stream", "application/json"]))
def test_a_stream_nobody_asked_for_is_joined(shape: str, kind: str, tmp_path: Path) -> None:
    """Whatever its content type says."""
    provider, raw = STREAMS[shape]
    with replying({"status": 200, "raw": raw, "headers": {"Content-Type": kind}}) as server:
        run = run_once(engine_at(server, provider, tmp_path), provider)
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE


@pytest.mark.parametrize("provider", ["nanobanana", "google", "openrouter", "onerouter", "runflow", "wavespeed", "kie"])
def test_the_body_itself_may_be_the_picture(provider: str, tmp_path: Path) -> None:
    """Segmind documents it; copies of other APIs do it unasked."""
    with replying({"status": 200, "raw": MIDDLE, "headers": {"Content-Type": "image/png"}}) as server:
        run = run_once(engine_at(server, provider, tmp_path), provider)
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE and len(server.posts) == 1


PERCENT = b64(MIDDLE).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
UNSEEN: dict[str, tuple[str, Any]] = {
    "other capitals": ("google", {"Candidates": [{"Content": {"Parts": [{"InlineData": {"Data": b64(MIDDLE)}}]}}]}),
    "candidates that are one": (
        "google",
        {"candidates": {"content": {"parts": [drawn(MIDDLE)]}, "finishReason": "STOP"}},
    ),
    "a tool's answer": ("google", gemini({"functionResponse": {"response": {"output": uri(MIDDLE)}}})),
    "a list of one part": ("google", gemini({"inlineData": [{"mimeType": "image/png", "data": b64(MIDDLE)}]})),
    "numbers": ("google", gemini({"inlineData": {"mimeType": "image/png", "data": list(MIDDLE)}})),
    "numbers by index": ("nanobanana", {"picture": {str(index): each for index, each in enumerate(MIDDLE)}}),
    "a name of its own": ("wavespeed", {"data": {"status": "completed", "outputs": [{"painting": b64(MIDDLE)}]}}),
    "a task's own name": (
        "kie",
        {"data": {"taskId": "t-1", "state": "success", "resultJson": json.dumps({"painting": b64(MIDDLE)})}},
    ),
    "a message that is a text": ("openrouter", {"choices": [{"message": uri(MIDDLE)}]}),
    "a list of messages": ("openrouter", {"choices": [{"message": [{"images": [{"url": uri(MIDDLE)}]}]}]}),
    "choices by number": ("openrouter", {"choices": {"0": {"message": {"content": uri(MIDDLE)}}}}),
    "beside the message": ("openrouter", {"choices": [{"images": [{"url": "FILE"}], "message": {"content": ""}}]}),
    "addresses of a message": ("openrouter", chat({"content": "", "image_urls": ["FILE"]})),
    "an annotation": ("openrouter", chat({"content": "", "annotations": [{"type": "file", "file": {"url": "FILE"}}]})),
    "capitals in a data URI": ("openrouter", chat({"content": f"![x](DATA:image/PNG;BASE64,{b64(MIDDLE)})"})),
    "percents in a data URI": ("openrouter", chat({"content": f"![x](data:image/png;base64,{PERCENT})"})),
    "a sentence": ("google", gemini({"text": "Your image is ready: FILE."})),
    "a link in a sentence": ("openrouter", chat({"content": "Here is [the image](FILE), enjoy."})),
    "a link of HTML": ("openrouter", chat({"content": '<a href="FILE">open</a>'})),
    "a source of HTML": ("google", gemini({"text": '<picture><source srcset="FILE"></picture>'})),
    "HTML as text": ("google", gemini({"text": "&lt;img src=&quot;FILE&quot;&gt;"})),
    "a tag": ("openrouter", chat({"content": "<image_url>FILE</image_url>"})),
    "JSON between words": ("openrouter", chat({"content": 'Sure:\n```json\n{"link": "FILE"}\n```\ndone'})),
}


@pytest.mark.parametrize("shape", UNSEEN)
def test_a_picture_in_a_shape_nobody_reported_is_found(shape: str, tmp_path: Path) -> None:
    """By its own bytes, or as the one address that the words lead to; it is paid once."""
    provider, value = UNSEEN[shape]
    with replying(files={"a.png": MIDDLE}) as server:
        server.replies = [body(json.loads(json.dumps(value).replace("FILE", server.file("a.png"))))]
        run = run_once(engine_at(server, provider, tmp_path), provider)
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE and len(server.posts) == 1


OTHER_PICTURES: dict[str, tuple[str, Any]] = {
    "an input": ("nanobanana", {"created": 1, "parameters": {"picture": b64(MIDDLE)}, "data": []}),
    "an upload": ("nanobanana", {"created": 1, "uploaded_files": {"picture": b64(MIDDLE)}, "data": []}),
    "a small version": ("nanobanana", {"created": 1, "thumbnail_picture": b64(MIDDLE), "data": []}),
    "a draft": ("openrouter", chat({"content": "", "reasoning_details": [{"painting": b64(MIDDLE)}]})),
    "the page of a search": (
        "google",
        gemini({"text": "no"}, groundingMetadata={"html": f'<img src="{uri(MIDDLE)}">'}),
    ),
    "a picture of a refusal": ("google", gemini({"text": "Blocked by our safety filter, see FILE."})),
    "the user's address": ("google", gemini({"text": "I can't open FILE, sorry."})),
    "several addresses": ("google", gemini({"text": "Look at FILE and at FILE.png for ideas."})),
    "a stated failure": ("nanobanana", {"ok": False, "data": [{"b64_json": b64(MIDDLE)}]}),
    "a failure in a word": ("nanobanana", {"success": "false", "data": [{"b64_json": b64(MIDDLE)}]}),
}


@pytest.mark.parametrize("shape", OTHER_PICTURES)
def test_another_picture_in_an_answer_is_no_result(shape: str, tmp_path: Path) -> None:
    """Echoes, drafts, small versions, and what an answer only speaks of."""
    provider, value = OTHER_PICTURES[shape]
    with replying(files={"a.png": MIDDLE}) as server:
        file = server.file("a.png")
        server.replies = [body(json.loads(json.dumps(value).replace("FILE", file)))]
        prompt = f"a fox like {file}" if shape == "the user's address" else "a fox"
        run = run_once(engine_at(server, provider, tmp_path), provider, prompt)
        assert run.tasks[0].result is None and run.tasks[0].error is not None and not server.fetched


JSON_IMAGE = json.dumps({"data": [{"b64_json": b64(MIDDLE)}]}).encode()
DIRTY: dict[str, bytes] = {
    "a line end in a string": b'{"text": "a\nb\x01", ' + JSON_IMAGE[1:],
    "the warning of a program": b"<br />\n<b>Warning</b>: no such thing<br />\n" + JSON_IMAGE,
    "the name of a function": b"callback(" + JSON_IMAGE + b");",
    "a comma too many": JSON_IMAGE.replace(b"}]", b"},]"),
    "single quotes": JSON_IMAGE.replace(b'"', b"'"),
    "cut off after the picture": JSON_IMAGE[:-3] + b', "revised_prompt": "a f',
    "UTF-16": JSON_IMAGE.decode().encode("utf-16-le"),
    "packed": gzip.compress(JSON_IMAGE),
    "MessagePack": b"\x81\xa4data\xc5" + len(MIDDLE).to_bytes(2, "big") + MIDDLE,
    "a line before it": b'0:"Here"\n2:' + JSON_IMAGE,
    "the length of a chunk": b"1a2b\r\n" + JSON_IMAGE + b"\r\n0\r\n",
    "XML": f"<?xml version='1.0'?><r><image>{b64(MIDDLE)}</image></r>".encode(),
    "an event of many lines": b"data: " + json.dumps(json.loads(JSON_IMAGE), indent=1).encode() + b"\n\n",
    "an event that is cut off": events({"type": "image.started"}, done=False) + b"data: " + JSON_IMAGE[:-3],
    "a line end before the picture": b"\r\n" + MIDDLE,
}


@pytest.mark.parametrize("shape", DIRTY)
def test_a_picture_in_what_is_no_json_is_found(shape: str, tmp_path: Path) -> None:
    """Whatever the body is, it was paid."""
    with replying({"status": 200, "raw": DIRTY[shape]}) as server:
        run = run_once(engine_at(server, "nanobanana", tmp_path), "nanobanana")
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE and len(server.posts) == 1


NO_JSON: dict[str, bytes] = {
    "a web page": f'<html><body><img src="{uri(MIDDLE)}">Log in</body></html>'.encode(),
    "a cut picture": JSON_IMAGE[:-80],
    "a draft": b'{"thought": true, ' + JSON_IMAGE[1:-1],
}


@pytest.mark.parametrize("end", [b"", b'}], "usage": {"tokens": 9'])
def test_a_picture_that_came_before_the_connection_broke_is_kept(end: bytes, tmp_path: Path) -> None:
    """It was paid, and all of it is here."""
    came = JSON_IMAGE[: -len(b"}]}")] + (end or b", ")

    def cut_off(connection: Connection) -> None:
        connection.read_body()
        connection.write(answer_head(len(came) + 100, "200 OK", JSON, CLOSE) + came)

    with serving(after_head(cut_off)) as server:
        environ = {"NANO_BANANA_NANOBANANA_API_KEY": "key-1", "NANO_BANANA_NANOBANANA_BASE_URL": server.url}
        run = run_once(Engine(tmp_path, specs=QUICK_SPECS, environ=environ), "nanobanana")
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE and server.connection_count == 1


@pytest.mark.parametrize("shape", NO_JSON)
def test_another_picture_in_what_is_no_json_is_no_result(shape: str, tmp_path: Path) -> None:
    """The answer is kept, and asked about before it is paid again."""
    with replying({"status": 200, "raw": NO_JSON[shape]}) as server:
        engine = engine_at(server, "nanobanana", tmp_path)
        failed = run_once(engine, "nanobanana").tasks[0]
        assert failed.result is None and failed.answer
        assert failed.error is not None and (failed.error.kind, failed.error.charged) == ("unreadable", "maybe")
        run_once(engine, "nanobanana")
        assert len(server.posts) == 1


@pytest.mark.parametrize("address", ["/files/a.png", "files/a.png", "//HOST/files/a.png", "/files/a.png?sig=%2F&x=1"])
def test_an_address_without_a_host_is_the_providers_own(address: str, tmp_path: Path) -> None:
    """It is joined to the address that the request went to."""
    with replying(files={"a.png": MIDDLE}) as server:
        url = address.replace("HOST", server.url.partition("//")[2])
        server.replies = [body({"created": 1, "data": [{"url": url}]})]
        run = run_once(engine_at(server, "nanobanana", tmp_path), "nanobanana")
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE and len(server.fetched) == 1


def test_what_only_leads_to_the_picture_again_is_no_word(tmp_path: Path) -> None:
    """A link to download it carries a signature, and says nothing."""
    with replying(files={"a.png": MIDDLE}) as server:
        link = server.file("a.png")
        text = f"> done\n\n![x]({link})\n\n[Download]({link}?sig=abcdef)\n[![x]({link})]({link})\nEnjoy!"
        server.replies = [body(chat({"content": text}))]
        run = run_once(engine_at(server, "openrouter", tmp_path), "openrouter")
        assert run.tasks[0].result is not None and run.tasks[0].text == "> done\nEnjoy!"


def test_a_picture_in_a_last_event_that_is_cut_off_is_found(tmp_path: Path) -> None:
    """Its data is whole, what follows in the event is not."""
    raw = (
        events(gemini({"text": "Sure"}, reason=None), done=False)
        + b"data: "
        + json.dumps(gemini(drawn(MIDDLE))).encode()
    )
    with replying({"status": 200, "raw": raw[:-20], "headers": {"Content-Type": "text/event-stream"}}) as server:
        run = run_once(engine_at(server, "google", tmp_path), "google")
        assert run.tasks[0].result is not None and run.tasks[0].result.data == MIDDLE and len(server.posts) == 1


def test_a_stream_that_broke_off_is_not_sent_again(tmp_path: Path) -> None:
    """A 503 inside it came after work had begun: it is no refusal, and may be charged."""
    error = {"error": {"code": 503, "message": "The model is overloaded", "status": "UNAVAILABLE"}}
    raw = events(gemini({"text": "Sure"}, reason=None), error, done=False)
    with replying({"status": 200, "raw": raw, "headers": {"Content-Type": "text/event-stream"}}) as server:
        failed = run_once(engine_at(server, "google", tmp_path), "google").tasks[0].error
        assert failed is not None and failed.charged == "maybe" and "overloaded" in str(failed)
        assert len(server.posts) == 1


# ------------------------------------------------------------------------------------------------------ drafts

REFUSED_DRAFTS: dict[str, tuple[Any, str]] = {
    "a safety refusal": (gemini(drawn(SMALL, thought=True), reason="IMAGE_SAFETY"), "content"),
    "a prohibition": (gemini(drawn(SMALL, thought=True), reason="PROHIBITED_CONTENT"), "content"),
    "words that decline": (gemini(drawn(SMALL, thought=True), {"text": "I can't do that."}), "empty content"),
    "words before it": (gemini({"text": "I can't do that."}, drawn(SMALL, thought=True), reason=None), "empty content"),
    "NO_IMAGE": (gemini(drawn(SMALL, thought=True), reason="NO_IMAGE"), "empty"),
    "MAX_TOKENS": (gemini(drawn(SMALL, thought=True), reason="MAX_TOKENS"), "empty"),
    "an end of next year": (gemini(drawn(SMALL, thought=True), reason="WATERMARK_FAILED"), "empty"),
    "a blocked prompt": (
        {**gemini(drawn(SMALL, thought=True), reason=None), "promptFeedback": {"blockReason": "SAFETY"}},
        "content",
    ),
    "a stream that broke off": (
        [gemini(drawn(SMALL, thought=True), reason=None), gemini({"text": "more", "thought": True}, reason=None)],
        "unreadable",
    ),
    "in pieces": ([gemini(drawn(SMALL, thought=True), reason=None), gemini(reason="IMAGE_SAFETY")], "content"),
}


@pytest.mark.parametrize("shape", REFUSED_DRAFTS)
def test_a_draft_beside_a_refusal_is_no_result(shape: str, tmp_path: Path) -> None:
    """It may have been charged, the draft is kept in the answer on disk, and nothing is stored under the seed."""
    value, kinds = REFUSED_DRAFTS[shape]
    with replying(body(value)) as server:
        engine = engine_at(server, "google", tmp_path)
        run = run_once(engine, "google")
        (result,) = run.tasks
        assert result.result is None and result.error is not None
        assert result.error.kind in kinds.split() and result.error.charged == "maybe"
        (shown,) = History(engine.ledger).pictures()
        assert shown.state != "stored" and shown.answer and shown.answer in str(result.error)
        assert b64(SMALL).encode() in (tmp_path / "results" / "unreadable" / shown.answer).read_bytes()


@pytest.mark.parametrize("reason", ["STOP", None, "", "FINISH_REASON_UNSPECIFIED"])
def test_a_draft_alone_is_the_result_and_says_so(reason: str | None, tmp_path: Path) -> None:
    """Now, and when it is taken from the store."""
    value = gemini(drawn(SMALL, thought=True), {"text": "thinking", "thought": True}, reason=reason)
    with replying(body(value)) as server:
        engine = engine_at(server, "google", tmp_path)
        for _ in range(2):
            run = run_once(engine, "google")
            assert run.tasks[0].result is not None and run.tasks[0].result.data == SMALL
            assert any("draft" in notice for notice in run.report.notices)
        assert len(server.posts) == 1


# ------------------------------------------------------------------------------------------------------ several

SEVERAL: dict[str, tuple[str, Any]] = {
    "chat": (
        "openrouter",
        chat({"content": "", "images": [{"image_url": {"url": uri(each)}} for each in (SMALL, LARGE)]}),
    ),
    "Gemini": ("google", gemini(drawn(SMALL), drawn(LARGE))),
    "images": ("nanobanana", {"data": [{"b64_json": b64(SMALL)}, {"b64_json": b64(LARGE)}]}),
    "text": ("google", gemini({"text": f"![draft]({uri(SMALL)})\n![final]({uri(LARGE)})"})),
}


@pytest.mark.parametrize("shape", SEVERAL)
def test_of_several_pictures_the_last_is_the_result(shape: str, tmp_path: Path) -> None:
    """The other is kept for the results panel and is in no output; the store gives what the first run gave."""
    provider, value = SEVERAL[shape]
    with replying(body(value)) as server:
        engine = engine_at(server, provider, tmp_path)
        for source in ("provider", "store"):
            run = run_once(engine, provider)
            assert [result.result.data if result.result else None for result in run.tasks] == [LARGE]
            assert run.tasks[0].source == source
        assert len(server.posts) == 1
        shown = {each.role: each for each in History(engine.ledger).pictures()}
        assert set(shown) == {"", "extra"} and shown["extra"].usd == 0
        assert History(engine.ledger).read(shown["extra"]) == SMALL


def test_pictures_with_equal_pixels_are_one(tmp_path: Path) -> None:
    """Equal bytes, and other bytes of the same pixels."""
    recoded = MIDDLE[:33] + b"\0\0\0\x04tEXta\0bcqk_\xd3" + MIDDLE[33:]
    value = {"data": [{"b64_json": b64(each)} for each in (MIDDLE, recoded, MIDDLE)]}
    with replying(body(value)) as server:
        engine = engine_at(server, "nanobanana", tmp_path)
        run = run_once(engine, "nanobanana")
        assert run.tasks[0].result is not None and len(History(engine.ledger).pictures()) == 1
        assert not any("more than were asked" in notice for notice in run.report.notices)


def test_no_more_than_a_few_extra_pictures_are_kept(tmp_path: Path) -> None:
    """However many a reply holds."""
    value = {"data": [{"b64_json": b64(png(20 + number))} for number in range(40)]}
    with replying(body(value)) as server:
        engine = engine_at(server, "nanobanana", tmp_path)
        run = run_once(engine, "nanobanana")
        assert run.tasks[0].result is not None and run.tasks[0].result.data == png(59)
        roles = [each.role for each in History(engine.ledger).pictures()]
        assert sorted(roles) == [""] + ["extra"] * 4
        assert any("not kept" in notice for notice in run.report.notices)


# ------------------------------------------------------------------------------------------------------ echoes

ECHOED: dict[str, tuple[str, Any, bytes]] = {
    "beside an empty list": ("nanobanana", {"created": 1, "data": [], "image": ["ECHO"]}, b""),
    "in another field": ("onerouter", {"images": [], "image_urls": ["ECHO"]}, b""),
    "in a chat": ("openrouter", chat({"content": "I can't.", "images": [{"image_url": {"url": "ECHO"}}]}), b""),
    "before the result": ("onerouter", {"data": [{"url": "ECHO"}, {"b64_json": b64(MIDDLE)}]}, MIDDLE),
    "after the result": ("onerouter", {"data": [{"b64_json": b64(MIDDLE)}, {"url": "ECHO"}]}, MIDDLE),
    "as other bytes": ("onerouter", {"data": [{"b64_json": b64(MIDDLE)}, {"url": "RECODED"}]}, MIDDLE),
}


@pytest.mark.parametrize("shape", ECHOED)
def test_a_reference_that_comes_back_is_no_result(shape: str, tmp_path: Path) -> None:
    """Nor an extra picture; where nothing else came, there is no picture."""
    provider, value, wanted = ECHOED[shape]
    asked = request("edit", seed=7)
    (sent,), _ = encode_references(asked.references, QUICK_SPECS[provider])
    echo = f"data:{sent.mime};base64,{b64(sent.data)}"
    recoded = uri(encode(decode(sent.data), "png"))
    filled = json.loads(json.dumps(value).replace("ECHO", echo).replace("RECODED", recoded))
    with replying(body(filled)) as server:
        engine = engine_at(server, provider, tmp_path)
        run = engine.run([asked], engine.plan(ProviderChoice(provider), [asked]))
        assert run.done.wait(60)
        (result,) = run.tasks
        assert (result.result.data if result.result else b"") == wanted
        assert [each.role for each in History(engine.ledger).pictures()] == [""]
        assert wanted or (result.error is not None and result.error.kind == "empty" and result.answer)
        if not wanted:
            assert engine.read_again(result.uid).images == 0
            assert History(engine.ledger).pictures()[0].state != "stored"


def edit_answered(server: ReplyServer, provider: str, reference: Picture, folder: Path) -> Run:
    engine = engine_at(server, provider, folder)
    asked = replace(request("edit", seed=7), references=(reference,))
    run = engine.run([asked], engine.plan(ProviderChoice(provider), [asked]))
    assert run.done.wait(60)
    return run


def landscape() -> Pixels:
    coarse = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((256, 192)))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_reference_encoded_again_where_no_result_comes_is_asked_about(kind: Any, tmp_path: Path) -> None:
    """What came is kept, and nothing is paid again without a question."""
    pixels = landscape()
    with replying(body({"created": 1, "whatever": b64(encode(pixels, kind))})) as server:
        seen = []
        for _ in range(2):
            run = edit_answered(server, "nanobanana", Picture.of(pixels), tmp_path)
            assert run.tasks[0].error is not None and run.tasks[0].answer
            seen.append((run.tasks[0].error.kind, run.tasks[0].error.charged, len(server.posts)))
        assert seen == [("empty", "maybe", 1), ("doubt", "maybe", 1)]


@pytest.mark.parametrize("provider", ["google", "openrouter", "onerouter"])
def test_an_edit_that_changed_next_to_nothing_is_delivered(provider: str, tmp_path: Path) -> None:
    """It was paid, and it lies where results lie: "sharpen it a little" may move no level by much."""
    pixels = landscape()
    edited = encode(pixels, "jpeg")
    value = {
        "google": gemini({"inlineData": {"mimeType": "image/jpeg", "data": b64(edited)}}),
        "openrouter": chat(
            {"content": "", "images": [{"image_url": {"url": f"data:image/jpeg;base64,{b64(edited)}"}}]}
        ),
        "onerouter": {"data": [{"b64_json": b64(edited)}]},
    }[provider]
    with replying(body(value)) as server:
        (result,) = edit_answered(server, provider, Picture.of(pixels), tmp_path).tasks
        assert result.result is not None and result.result.data == edited


@pytest.mark.parametrize("echo_first", [False, True])
def test_a_reference_encoded_again_beside_the_result_is_none(echo_first: bool, tmp_path: Path) -> None:
    pixels = landscape()
    data = [{"b64_json": b64(encode(pixels, "jpeg"))}, {"b64_json": b64(MIDDLE)}]
    with replying(body({"data": data if echo_first else data[::-1]})) as server:
        (result,) = edit_answered(server, "onerouter", Picture.of(pixels), tmp_path).tasks
        assert result.result is not None and result.result.data == MIDDLE


# ------------------------------------------------------------------------------------------------------ tasks

UNKNOWN_TASKS: dict[str, dict[str, Any]] = {
    "404": {"poll": True, "status": 404, "body": {"error": {"message": "task not found"}}},
    "404 empty": {"poll": True, "status": 404, "raw": b""},
    "410": {"poll": True, "status": 410, "body": {"error": {"message": "gone"}}},
    "400 with words": {"poll": True, "status": 400, "body": {"error": {"message": "Task t-1 does not exist"}}},
    "422 with words": {"poll": True, "status": 422, "body": {"message": "unknown task"}},
    "an error in a 200": {"poll": True, "status": 200, "body": {"error": {"message": "task not found"}}},
    "no state for ever": {"poll": True, "status": 200, "body": {"id": "t-1"}},
}


@pytest.mark.parametrize("answer", UNKNOWN_TASKS)
def test_a_lost_task_is_asked_about_before_it_is_paid_again(answer: str, tmp_path: Path) -> None:
    """Maybe charged, whatever the provider documents about failures; the second queueing sends nothing, the third pays."""
    submitted = body({"task_id": "t-1", "status": "SUBMITTED"})
    with replying(submitted, UNKNOWN_TASKS[answer]) as server:
        engine = engine_at(server, "nanobanana", tmp_path)
        first = run_once(engine, "nanobanana").tasks[0].error
        assert first is not None and first.charged == "maybe" and "Nothing was charged" not in str(first)
        assert len(server.posts) == 1
        second = run_once(engine, "nanobanana").tasks[0].error
        assert second is not None and second.kind == "doubt" and len(server.posts) == 1
        run_once(engine, "nanobanana")
        assert len(server.posts) == 2


@pytest.mark.parametrize(
    "word", ["Content Moderated", "generate_failed", "TIMED-OUT", "CANCELLED_BY_USER", "nsfw", "partial_failed"]
)
def test_a_failed_task_is_failed_in_other_words_too(word: str, tmp_path: Path) -> None:
    """It is not asked for until the time is up."""
    with replying(body({"task_id": "t-1", "status": "SUBMITTED"}), {"poll": True, **body({"status": word})}) as server:
        error = run_once(engine_at(server, "nanobanana", tmp_path), "nanobanana").tasks[0].error
        assert error is not None and error.kind in ("task", "content")
        assert len(server.asked) == 2


STILL_RUNNING: dict[str, list[Any]] = {
    "a preview": [{"status": "rendering", "images": ["FILE/draft.png"]}],
    "a preview with a hyphen": [{"status": "IN-PROGRESS", "images": ["FILE/draft.png"]}],
    "not known yet": [404, 404],
    "numbers that grow": [{"task_id": "t-1", "status": 1, "progress": number * 5} for number in range(10)],
    "wrapped as DashScope's": [{"output": {"task_id": "t-1", "task_status": "RUNNING"}} for _ in range(10)],
    "wrapped as a task": [{"task": {"id": "t-1", "status": "processing"}} for _ in range(10)],
}


@pytest.mark.parametrize("shape", STILL_RUNNING)
def test_a_task_that_goes_on_is_waited_for(shape: str, tmp_path: Path) -> None:
    """What it shows meanwhile is no result."""
    with replying(files={"draft.png": SMALL, "a.png": MIDDLE}) as server:
        answers_ = [
            json.loads(json.dumps(each).replace("FILE", f"{server.url}/files")) for each in STILL_RUNNING[shape]
        ]
        ended = {"status": "SUCCESS", "data": [{"url": server.file("a.png")}]}
        server.replies = [body({"task_id": "t-1", "status": "SUBMITTED"})]
        server.replies += [body(each) if isinstance(each, dict) else {"status": each, "raw": b""} for each in answers_]
        server.replies += [body(ended)]
        run = run_once(engine_at(server, "nanobanana", tmp_path), "nanobanana")
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == MIDDLE and len(server.posts) == 1


def test_an_id_beside_an_error_is_no_task(tmp_path: Path) -> None:
    """An error in a 200 is that error: nothing is polled."""
    value = {"id": "abc", "created": 1, "data": [], "error": {"message": "upstream timeout", "code": "upstream_error"}}
    with replying(body(value), {"poll": True, "status": 404, "body": {"error": {"message": "Invalid URL"}}}) as server:
        error = run_once(engine_at(server, "nanobanana", tmp_path), "nanobanana").tasks[0].error
        assert error is not None and "upstream timeout" in str(error) and error.kind == "server"
        assert [asked.method for asked in server.asked] == ["POST"]


def test_the_id_of_an_answer_is_no_task(tmp_path: Path) -> None:
    """Without a task's status beside it, and with nothing else to read."""
    with replying(body({"id": "abc", "created": 1, "data": []})) as server:
        error = run_once(engine_at(server, "nanobanana", tmp_path), "nanobanana").tasks[0].error
        assert error is not None and error.charged == "maybe" and [asked.method for asked in server.asked] == ["POST"]


# ------------------------------------------------------------------------------------------------------ kept

UNREAD: dict[str, dict[str, Any]] = {
    "a page": {"status": 200, "raw": b"<html><title>Hello</title></html>", "headers": {"Content-Type": "text/html"}},
    "nothing known": {"status": 200, "body": {"reference_artifact": {"blob": b64(MIDDLE)}}},
    "cut JSON": {"status": 200, "raw": b'{"data": [{"b64_json": "iVBOR'},
    "words alone": {"status": 200, "body": {"created": 1, "data": [{"revised_prompt": "a fox"}]}},
}


@pytest.mark.parametrize("shape", UNREAD)
def test_an_answer_without_a_readable_picture_is_kept(shape: str, tmp_path: Path) -> None:
    """On disk, without the key, and named in the message and in the list of results."""
    with replying(UNREAD[shape]) as server:
        engine = engine_at(server, "openrouter", tmp_path)
        error = run_once(engine, "openrouter").tasks[0].error
        (shown,) = History(engine.ledger).pictures()
        assert error is not None and error.charged == "maybe"
        assert shown.answer and shown.answer in str(error) and "Read again" in str(error)
        kept = (tmp_path / "results" / "unreadable" / shown.answer).read_bytes()
        assert b"sk-test-0123456789" not in kept and len(kept) > 40


def test_an_answer_that_cost_nothing_is_not_kept(tmp_path: Path) -> None:
    """A refusal before work has nothing to read."""
    with replying({"status": 400, "body": {"error": {"message": "bad"}}}) as server:
        engine = engine_at(server, "openrouter", tmp_path)
        assert run_once(engine, "openrouter").tasks[0].error is not None
        assert not (tmp_path / "results" / "unreadable").exists()


def test_a_failure_names_its_journal_row_and_its_kept_answer(tmp_path: Path) -> None:
    """So that a node can have it read again: in the run that failed, and in the next, which asks before it pays again."""
    with replying(UNREAD["cut JSON"]) as server:
        engine = engine_at(server, "nanobanana", tmp_path)
        (failed,) = run_once(engine, "nanobanana").tasks
        (shown,) = History(engine.ledger).pictures()
        assert (failed.uid, failed.answer) == (shown.uid, shown.answer) and shown.answer
        (asked,) = run_once(engine, "nanobanana").tasks
        assert (asked.uid, asked.answer) == (shown.uid, shown.answer)
        assert asked.error is not None and asked.error.kind == "doubt" and "Read again" in asked.error.cure
        assert len(server.posts) == 1


def test_a_failure_without_an_answer_to_read_names_none(tmp_path: Path) -> None:
    """A refusal has a row, a picture that was not asked for has none."""
    with replying({"status": 400, "body": {"error": {"message": "bad"}}}) as server:
        engine = engine_at(server, "openrouter", tmp_path)
        (failed,) = run_once(engine, "openrouter").tasks
        (shown,) = History(engine.ledger).pictures()
        assert (failed.uid, failed.answer) == (shown.uid, "")
        many = run_once(engine, "openrouter", "a crow", count=12).tasks
        listed = {each.uid for each in History(engine.ledger).pictures()}
        assert {each.uid for each in many if each.error and each.error.kind != "stopped"} < listed
        assert {each.uid for each in many} - listed == {""}


# ------------------------------------------------------------------------------------------------------ read again


def test_a_kept_answer_is_read_again_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer version knows the shape: the picture is stored under its request, and the next run takes it."""
    with replying(UNREAD["nothing known"]) as server:
        engine = engine_at(server, "nanobanana", tmp_path)
        assert run_once(engine, "nanobanana").tasks[0].result is None
        (shown,) = History(engine.ledger).pictures()
        again = engine.read_again(shown.uid)
        assert again.images == 0 and again.reason
        assert History(engine.ledger).pictures()[0].answer, "the answer stays until it can be read"
        monkeypatch.setattr(result_images, "_CONTAINERS", (*result_images._CONTAINERS, "reference_artifact"))
        monkeypatch.setattr(result_images, "_BASE64_FIELDS", (*result_images._BASE64_FIELDS, "blob"))
        assert engine.read_again(shown.uid).images == 1
        run = run_once(engine, "nanobanana")
        assert run.tasks[0].source == "store" and run.tasks[0].result is not None
        assert run.tasks[0].result.data == MIDDLE and len(server.posts) == 1
        assert engine.read_again(shown.uid).images == 0


@pytest.mark.parametrize("shape", UNREAD)
def test_reading_again_in_vain_changes_nothing(shape: str, tmp_path: Path) -> None:
    """What was asked about before it is paid again still is, and what was not is not."""
    with replying(UNREAD[shape]) as server:
        engine = engine_at(server, "nanobanana", tmp_path)
        run_once(engine, "nanobanana")
        before = History(engine.ledger).pictures()
        assert engine.read_again(before[0].uid).images == 0
        assert History(engine.ledger).pictures() == before and len(server.posts) == 1


def test_an_answer_of_several_pictures_is_read_again_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture goes to its own place."""
    value = {"created": 1, "data": [{"reference_blob": b64(each)} for each in (SMALL, MIDDLE, LARGE)]}
    with replying(body(value)) as server:
        engine = engine_at(server, "onerouter", tmp_path)
        assert not run_once(engine, "onerouter", count=3).report.completed
        monkeypatch.setattr(result_images, "_BASE64_FIELDS", (*result_images._BASE64_FIELDS, "reference_blob"))
        one = History(engine.ledger).pictures()[1]
        assert engine.read_again(one.uid).images == 3
        run = run_once(engine, "onerouter", count=3)
        assert [r.result.data if r.result else b"" for r in run.tasks] == [SMALL, MIDDLE, LARGE]
        assert len(server.posts) == 1


def test_reading_again_never_pays_and_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key was taken away meanwhile, and the answer names an address."""
    with replying(files={"a.png": MIDDLE}) as server:
        server.replies = [body({"artifact": {"link": server.file("a.png")}})]
        engine = engine_at(server, "nanobanana", tmp_path)
        assert run_once(engine, "nanobanana").tasks[0].result is None
        (shown,) = History(engine.ledger).pictures()
        environ = {"NANO_BANANA_NANOBANANA_BASE_URL": server.url}
        keyless = Engine(tmp_path, specs=QUICK_SPECS, environ=environ)
        monkeypatch.setattr(result_images, "_CONTAINERS", (*result_images._CONTAINERS, "artifact"))
        monkeypatch.setattr(result_images, "_URL_FIELDS", (*result_images._URL_FIELDS, "link"))
        assert keyless.read_again(shown.uid).images == 1
        assert len(server.posts) == 1 and len(server.fetched) == 1


def test_forgetting_a_picture_forgets_its_kept_answer(tmp_path: Path) -> None:
    """It may hold the prompt."""
    with replying(UNREAD["words alone"]) as server:
        engine = engine_at(server, "nanobanana", tmp_path)
        run_once(engine, "nanobanana")
        (shown,) = History(engine.ledger).pictures()
        assert (tmp_path / "results" / "unreadable" / shown.answer).exists()
        assert History(engine.ledger).forget([shown.uid]) == 1
        assert not list((tmp_path / "results" / "unreadable").iterdir())


def test_the_folder_of_kept_answers_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, the newest never, and one answer is cut."""
    monkeypatch.setattr(kept_answers, "MAX_FOLDER_BYTES", 3000)
    monkeypatch.setattr(kept_answers, "MAX_ANSWER_BYTES", 1000)
    kept = kept_answers.KeptAnswers(tmp_path)
    for number in range(6):
        kept.write(f"call{number}", kept_answers.KeptAnswer(200, {}, b"x" * 5000, {"at": "submit"}))
        os.utime(kept.path(f"call{number}"), (number, number))
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names[-1] == "call5.answer" and len(names) == 2
    found = kept.read("call5")
    assert found is not None and len(found.body) == 1000 and found.state == {"at": "submit"}
    kept.path("call5").write_bytes(b"{}\nx")
    assert kept.read("call5") is None and kept.read("nothing") is None


# ------------------------------------------------------------------------------------------------------ three runs

REFUSED = {"error": {"message": "insufficient balance", "code": 402}}
LOST_TASK = [body({"task_id": "t-1", "status": "SUBMITTED"}), UNKNOWN_TASKS["404"]]
MONEY: dict[str, tuple[str, list[dict[str, Any]], list[int], str]] = {
    # provider, replies, paid requests seen after each of three queueings, what the first says about money
    "a picture": ("google", [body(gemini(drawn(MIDDLE)))], [1, 1, 1], ""),
    "a picture in text": ("google", [body(gemini({"text": IN_TEXT["markdown data"]}))], [1, 1, 1], ""),
    "a draft that is all": ("google", [body(gemini(drawn(SMALL, thought=True)))], [1, 1, 1], ""),
    "a draft and a refusal": ("google", [body(REFUSED_DRAFTS["a safety refusal"][0])], [1, 2, 3], "maybe"),
    "words alone": ("google", [body(gemini({"text": "Which fox?"}))], [1, 2, 3], "maybe"),
    "nothing at all": ("nanobanana", [body({"created": 1, "data": []})], [1, 1, 2], "maybe"),
    "a placeholder beside a failure": (
        "nanobanana",
        [body({"success": False, "message": "it failed", "data": [{"b64_json": b64(SMALL)}]})],
        [1, 2, 3],
        "no",
    ),
    "a lost task": ("nanobanana", LOST_TASK, [1, 1, 2], "maybe"),
    "an unreadable answer": ("nanobanana", [UNREAD["cut JSON"]], [1, 1, 2], "maybe"),
    "a page": ("openrouter", [UNREAD["a page"]], [1, 1, 2], "maybe"),
    "a documented failure": ("nanobanana", [body({"error": {"message": "do request failed"}})], [1, 2, 3], "no"),
    "a failure": ("openrouter", [body({"error": {"message": "do request failed"}})], [1, 2, 3], "maybe"),
    "credit in a 200": ("openrouter", [body(REFUSED)], [1, 2, 3], "no"),
    "a spent token": (
        "nanobanana",
        [{"status": 401, "body": {"error": {"code": "insufficient_user_quota"}}}],
        [1, 2, 3],
        "no",
    ),
    "a picture elsewhere": (
        "nanobanana",
        [{"status": 303, "raw": b"", "headers": {"Location": "/tasks/1"}}],
        [1, 1, 2],
        "maybe",
    ),
    "another address": (
        "nanobanana",
        [{"status": 302, "raw": b"", "headers": {"Location": "/login"}}],
        [1, 1, 2],
        "maybe",
    ),
    "a stream that broke off": (
        "google",
        [{"status": 200, "raw": events(gemini({"text": "Sure"}, reason=None), done=False)}],
        [1, 1, 2],
        "maybe",
    ),
    "a chat that broke off": (
        "openrouter",
        [{"status": 200, "raw": events(delta(content="Here is"), done=False)}],
        [1, 1, 2],
        "maybe",
    ),
    "an end without a reason": ("openrouter", [body(chat({"content": None}))], [1, 1, 2], "maybe"),
    "a gateway's 502": ("google", [{"status": 502, "raw": b"<html>bad gateway</html>"}], [1, 1, 2], "maybe"),
}


@pytest.mark.parametrize("case", MONEY)
def test_three_queueings_pay_what_they_should(case: str, tmp_path: Path) -> None:
    """Counted at the server: what is free is asked again, what is answered is not, what is in doubt is asked about once."""
    provider, replies, counts, charged = MONEY[case]
    with replying(*replies) as server:
        engine = engine_at(server, provider, tmp_path)
        seen: list[int] = []
        for number in range(3):
            error = run_once(engine, provider).tasks[0].error
            seen.append(len(server.posts))
            if number == 0:
                assert (error.charged if error else "") == charged, error
        assert seen == counts
