"""A conversation on Gemini's wire: what of an answer is kept, and how it goes back with its signatures."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from dialect_driver import PNG, job, play, reply, request, sent_json, tiny
from hypothesis import given
from hypothesis import strategies as st
from pack.core.dialects.base.step import Done, Job, SentTurn
from pack.core.dialects.parsing.model_turn import model_turn
from pack.core.images.picture import Encoded, encode
from pack.core.providers import BUILT_IN
from pack.core.request.conversation import Part

SPEC = BUILT_IN["google"]
B64 = base64.b64encode(PNG).decode()
LONG = base64.b64encode(bytes(range(256)) * 6000).decode()
"""A signature as long as a picture."""


def picture(data: str = B64, **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": data}, **more}


def answer(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", **more}]}


def done(*parts: Any, spec: Any = SPEC) -> Done:
    return play(job(spec, request()), reply(200, answer(*parts))).done


def sent_back(found: Done) -> list[dict[str, Any]]:
    """The model's turn in a request that goes on from an answer."""
    assert found.turn is not None
    parts = tuple(
        part.with_picture(Encoded(part.picture.read(), "png", 2, 3) if part.picture else None)
        for part in found.turn.parts
    )
    work = replace(job(SPEC, request(prompt="two")), turns=(SentTurn("one", (), parts),))
    user, model, last = sent_json(play(work, reply(200, answer(picture()))).sends[0])["contents"]
    assert (user, last["parts"]) == ({"role": "user", "parts": [{"text": "one"}]}, [{"text": "two"}])
    assert model["role"] == "model"
    found_parts: list[dict[str, Any]] = model["parts"]
    return found_parts


def test_every_part_goes_back_as_it_came() -> None:
    """Words and pictures in their order, each with its own signature; a long one, too, which no message may be."""
    parts = [
        {"text": "Here:", "thoughtSignature": "c2lnQQ=="},
        picture(thoughtSignature=LONG),
        {"text": "and"},
        {"text": "", "thoughtSignature": "c2lnQg=="},
    ]
    assert sent_back(done(*parts)) == parts


def test_snake_case_comes_back_in_the_spelling_of_the_documents() -> None:
    part = {"inline_data": {"mime_type": "image/png", "data": B64}, "thought_signature": "c2ln"}
    assert sent_back(done(part)) == [picture(thoughtSignature="c2ln")]


def test_what_was_drawn_while_thinking_stays_here() -> None:
    """Google's guide: thoughts have no signature. One that has goes back."""
    thoughts = [{"text": "I sketch.", "thought": True}, picture(thought=True)]
    assert sent_back(done(*thoughts, picture(thoughtSignature="c2ln"))) == [picture(thoughtSignature="c2ln")]
    signed = {"text": "I sketch.", "thought": True, "thoughtSignature": "dA=="}
    assert sent_back(done(signed, picture())) == [signed, picture()]


def test_no_signature_is_made_up() -> None:
    assert sent_back(done(picture())) == [picture()]


@pytest.mark.parametrize(
    "value",
    [
        answer({"text": "![x](https://example.com/a.png)"}),
        answer(picture(thought=True)),
        answer({"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}}),
        answer(picture(), {"functionCall": {"name": "draw"}}),
        answer(picture(), "words"),
        answer(picture(), {"text": 5}),
        answer(picture(thoughtSignature=["c2ln"])),
        answer(picture(thoughtSignature="c" * (9 << 20))),
        answer(*[picture()] * 65),
        {"candidates": answer(picture())["candidates"] * 2},
        {"candidates": [None]},
        {"candidates": {}},
        {},
    ],
)
def test_what_can_t_go_back_as_it_came_is_not_kept(value: Any) -> None:
    assert model_turn(value) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(B64),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    "candidates",
                    "content",
                    "parts",
                    "text",
                    "thought",
                    "thoughtSignature",
                    "inlineData",
                    "data",
                    "mimeType",
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_answer_breaks_the_reading(value: Any) -> None:
    for each in (value, {"candidates": [{"content": {"parts": value}}]}):
        if isinstance(each, dict):
            found = model_turn(each)
            assert found is None or any(part.picture for part in found.parts)


def test_a_provider_without_conversations_keeps_no_turn() -> None:
    assert done(picture(thoughtSignature="c2ln"), spec=replace(SPEC, conversations=False)).turn is None


def conversation(spec: Any = SPEC) -> Job:
    """Two turns with a reference each, and a new one."""
    files = [Encoded(encode(tiny(number)._read(), "webp"), "webp", 5, 4) for number in (11, 12)]
    answered = (Part("", Encoded(PNG, "png", 2, 3), "image/png", "c2ln"),)
    turns = (SentTurn("one", (files[0],), answered), SentTurn("two", (files[1],), answered))
    return replace(job(spec, request("edit", prompt="three")), turns=turns)


def test_the_turns_stand_in_their_order_with_their_own_pictures() -> None:
    value = sent_json(play(conversation(), reply(200, answer(picture()))).sends[0])
    roles = [turn["role"] for turn in value["contents"]]
    assert roles == ["user", "model", "user", "model", "user"]
    words = [turn["parts"][0].get("text") for turn in value["contents"]]
    assert words == ["one", None, "two", None, "three"]
    work = conversation()
    sent = [base64.b64decode(turn["parts"][1]["inlineData"]["data"]) for turn in value["contents"][::2]]
    assert sent == [work.turns[0].references[0].data, work.turns[1].references[0].data, work.references[0].data]


def test_references_of_earlier_turns_are_uploaded_where_the_request_is_too_large() -> None:
    """The model's own pictures stay inside: nobody documents them as files."""
    work = conversation(replace(SPEC, upload_above=1))
    answers = []
    for number in range(3):
        answers += [
            reply(200, {}, x_goog_upload_url=f"https://up.example.com/{number}"),
            reply(200, {"file": {"uri": f"https://f.example.com/{number}", "state": "ACTIVE"}}),
        ]
    played = play(work, *answers, reply(200, answer(picture())))
    value = json.loads(b"".join(bytes(piece) for piece in played.sends[-1].body or ()))
    uris = {turn["parts"][1]["fileData"]["fileUri"] for turn in value["contents"][::2]}
    assert uris == {f"https://f.example.com/{number}" for number in range(3)}
    assert all("inlineData" in turn["parts"][0] for turn in value["contents"][1::2])
    uploaded = [b"".join(bytes(piece) for piece in send.body or ()) for send in played.sends[1:-1:2]]
    by_uri = {f"https://f.example.com/{number}": data for number, data in enumerate(uploaded)}
    sent = [by_uri[turn["parts"][1]["fileData"]["fileUri"]] for turn in value["contents"][::2]]
    assert sent == [work.turns[0].references[0].data, work.turns[1].references[0].data, work.references[0].data]
