"""Google's `generateContent`: the Gemini API, Vertex AI, and the resellers that copy it.

Documents: Google's image generation guide, its API reference and its SDK. One POST, answered with the pictures as base64
in `candidates[].content.parts[]`. Where the spec says `upload` and a request would pass its `upload_above`, large
references go through the Files API first: `POST /upload/v1beta/files` opens an upload whose address comes back in a
header, the bytes go there, and the body names the file.

Only pictures are asked for, and words where the graph wants them: asking for text too is reported to make Google ignore
the size. A search needs no text.
What is drawn while thinking is a draft; `result_images` says when it is the result. Where somebody looks at drafts, they are
asked for, and the answer as a stream where the spec has a `stream_path`: then they are seen before the picture is there.
`imageConfig` is the spelling of the SDK; newer pages show another one that some models refuse. Dots in a field name are
levels of objects.

The turns of a conversation come before the prompt, the user's and the model's by turns. What the model has answered goes
back part by part with the thought signatures that came on them, see `model_turn`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ProviderFailure
from ..errors.messages import msg
from ..http.body import Body, Inline, Raw, json_body
from ..images.picture import Encoded
from ..providers.spec import OptionValue
from ..request.conversation import Part
from .base.dialect import BaseDialect
from .base.step import Done, Failed, ImageRef, Job, Reply, Send, State, Step, Wait
from .base.uploads import NewUpload, by_readiness
from .base.variants import first_variants, next_variant, with_learned_variants
from .parsing import gemini_errors
from .parsing.error_parsing import unreadable
from .parsing.event_stream import BROKEN_OFF
from .parsing.model_turn import model_turn
from .parsing.reading import NotJson, read_object
from .parsing.result_images import draft_images, result_images

CATEGORIES = tuple(
    f"HARM_CATEGORY_{name}" for name in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
)
"""What a safety threshold is set for; CIVIC_INTEGRITY exists, too, and is not asked about pictures."""
_FILES = "/upload/v1beta/files"
_MODALITIES = "generationConfig.responseModalities"
"""The field that is ["IMAGE"], and both kinds where words are asked for."""
_SOME_FILE = "https://generativelanguage.googleapis.com/v1beta/files/abcdefghijkl"
"""Stands for a reference that is still being encoded, where the length of a body without it is counted."""
_WORTH_UPLOADING = 4_000_000
"""Bytes of a file from which the third more that base64 takes costs about as much as two requests, at 50 Mbit/s."""
DRAFT = msg("gemini.only_a_draft_came")
BROKE_OFF = msg("gemini.stream_broke_off_after_picture")
_ANSWER, _STREAM, _WHOLE = "answer", "stream", "whole"
"""The topic of how the answer comes, and its variants."""
_PROCESSING_POLLS = 30
_SOURCES = 20
_HEAD = 64 << 10


class Gemini(BaseDialect):
    reference_encodings = ("base64", "upload")
    ignored_settings = ("poll_seconds",)
    steps_without_json = frozenset({"announce"})

    def first_state(self, job: Job) -> State:
        streams = job.asks_for_drafts and bool(job.endpoint.stream_path)
        urls = [""] * len(job.all_references)
        return {"upload_urls": urls, **(first_variants(job, {_ANSWER: _STREAM}) if streams else {})}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        upload_urls, index = _next_upload(job, state["upload_urls"])
        state = {**state, "upload_urls": upload_urls}
        if index is not None:
            return _announce_upload(job, state, index, uploaded)
        body = _body(job, upload_urls)
        if not _streams(state):
            after = {**_variants(state), "at": "submit"}
            return Send("POST", job.url(job.endpoint.path), after, paid=True, body=body, uploaded=uploaded)
        return Send(
            "POST",
            job.url(job.endpoint.stream_path),
            {**state, "at": "submit"},
            paid=True,
            body=body,
            headers={"Accept": "text/event-stream, application/json"},
            uploaded=uploaded,
            streams=True,
        )

    def drafts_in(self, value: Any) -> Sequence[ImageRef]:
        return draft_images(value)

    def is_whole(self, body: bytes) -> bool:
        """With the picture and its end, or the reason why there is none.

        Some models have named STOP in every event, also in those with a draft: that alone says nothing.
        """
        try:
            value = read_object(Reply(200, {}, body))
        except NotJson:
            return False
        reasons = {gemini_errors.text_of(each, "finishReason") for each in gemini_errors.objects(value, "candidates")}
        if reasons & {"", BROKEN_OFF}:
            return False
        found = result_images(value, anywhere=False)
        if found.images:
            return bool(reasons) and not found.is_draft
        return bool(reasons - {"STOP"}) if reasons else _says_why(value)

    def parse_upload(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        return _put(job, state, reply) if state["at"] == "announce" else self._uploaded(job, state, reply, value)

    def _uploaded(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        """A file is named once it may be used; Google can take a moment to look at it."""
        file = gemini_errors.named(value, "file") if state["at"] == "put" else value
        uri, name, stage = (gemini_errors.text_of(file, field) for field in ("uri", "name", "state"))
        polls, index = state.get("polls", 0), state["index"]
        if stage == "PROCESSING" and re.fullmatch(r"files/[\w-]{1,80}", name) and polls < _PROCESSING_POLLS:
            after: State = {**state, "at": "processing", "polls": polls + 1}
            return Wait(1.0, Send("GET", job.url(f"/v1beta/{name}"), after), progress="processing")
        if stage not in ("ACTIVE", "") or not uri.startswith(("http://", "https://")):
            message = msg("gemini.reference_not_uploaded", index=index + 1, stage=stage).strip()
            return Failed(ProviderFailure("task", message, reply.status))
        upload_urls = [*state["upload_urls"][:index], uri, *state["upload_urls"][index + 1 :]]
        return self.submit(job, {**_variants(state), "upload_urls": upload_urls}, (index, uri))

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        found, broke_off = result_images(value, prompt=reply.prompt), _broke_off(state, value)
        if found.images:
            sources = _sources(value)
            text = "\n".join(part for part in (found.text, _source_lines(sources)) if part)
            request_id = gemini_errors.request_id(reply, value)
            notices = (DRAFT,) if found.is_draft else (BROKE_OFF,) if broke_off else ()
            images = (*found.images[:-1], replace(found.images[-1], drafts=found.drafts))
            # Of a stream that broke off something may be missing.
            turn = model_turn(value) if job.spec.conversations and not broke_off else None
            done = Done(images, text, request_id=request_id, notices=notices, sources=sources, turn=turn)
            return with_learned_variants(done, state)
        if found.has_broken_image:
            broken = msg("gemini.picture_data_unreadable")
            return Failed(ProviderFailure("unreadable", broken, reply.status, request_id=reply.request_id))
        if (broke_off or _ended_early(value)) and not _says_why(value):
            why = msg("gemini.stream_broke_off")
            return Failed(ProviderFailure("unreadable", why, reply.status, request_id=reply.request_id))
        return Failed(gemini_errors.declined(reply, value, found.text))

    def body(self, job: Job) -> Body:
        """The request with all its references inside."""
        return _body(job, [""] * len(job.all_references))

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        # A gateway may have the one route and not the other. A model that is gone is gone on both.
        names_model = job.model.encode() in reply.body[:_HEAD]
        if _streams(state) and reply.status in (404, 405) and not names_model:
            whole = next_variant(state, _ANSWER, (_WHOLE,))
            if whole:
                return self.submit(job, whole)
        return super().parse_error(job, state, reply)

    def failure(self, job: Job, reply: Reply) -> ProviderFailure:
        return gemini_errors.failure(reply, job.spec.id)


# --------------------------------------------------------------------------------------------------- the request


def _next_upload(job: Job, upload_urls: Sequence[str]) -> tuple[list[str], int | None]:
    """How each reference travels ("" inside the body, or its URL), and which is to be uploaded next; None for none.

    The largest are uploaded until the rest fits into the body, of those that are encoded by then: the first leave while others
    are encoded. Once a reference is uploaded, so are all that are worth it.
    """
    urls, references, spec = list(upload_urls), job.all_references, job.spec
    if spec.reference_encoding != "upload" and not spec.upload_above:
        return urls, None
    while True:
        made, pending = by_readiness(references, [n for n, url in enumerate(urls) if not url])
        sizes = {n: len(references[n].data) for n in made}
        largest = max(sizes, key=lambda n: (sizes[n], -n), default=None)
        if largest is not None:
            is_over = (
                len(_body(job, [_SOME_FILE if n in pending else url for n, url in enumerate(urls)])) > spec.upload_above
            )
            if is_over or (any(urls) and sizes[largest] >= _WORTH_UPLOADING):
                if largest not in job.uploaded:
                    return urls, largest
                urls[largest] = job.uploaded[largest]
                continue
        if not pending:
            return urls, None
        references[pending[0]].wait()


def _body(job: Job, upload_urls: list[str]) -> Body:
    urls = iter(upload_urls)
    last = _user_turn(job, job.prompt, job.references, urls)
    contents: list[dict[str, Any]] = []
    for turn in job.turns:
        contents.append(_user_turn(job, turn.prompt, turn.references, urls))
        contents.append({"role": "model", "parts": [_answer_part(part) for part in turn.parts]})
    value: dict[str, Any] = {
        "contents": [*contents, last],
        "generationConfig": {"responseModalities": ["IMAGE"]},
    }
    for name, given in job.fields().items():
        _set(value, name, given)
    return json_body(value)


def _user_turn(job: Job, prompt: str, references: Sequence[Encoded], upload_urls: Iterator[str]) -> dict[str, Any]:
    """What the user says: words, then pictures, each of which takes the next of `upload_urls`."""
    parts: list[dict[str, Any]] = [{"text": prompt}]
    for picture in references:
        upload_url = next(upload_urls)
        if upload_url:
            parts.append({"fileData": {"mimeType": picture.mime, "fileUri": upload_url}})
        else:
            inline = {"mimeType": picture.mime, "data": Inline(picture, data_uri=False)}
            parts.append({job.endpoint.references_field: inline})
    return {"role": "user", "parts": parts}


def _answer_part(part: Part[Encoded]) -> dict[str, Any]:
    """A part of an earlier answer as it came."""
    found: dict[str, Any] = {"text": part.text}
    if part.picture is not None:
        found = {"inlineData": {"mimeType": part.mime, "data": Inline(part.picture, data_uri=False)}}
    if part.thought:
        found["thought"] = True
    if part.signature:
        found["thoughtSignature"] = part.signature
    return found


def _set(value: dict[str, Any], name: str, given: OptionValue) -> None:
    """Sets an option at the path that its name is; four of them have a shape of their own."""
    if name == "tools":
        value[name] = [{str(given): {}}]
    elif name == "safetySettings":
        value[name] = [{"category": category, "threshold": given} for category in CATEGORIES]
    elif name == _MODALITIES:
        value["generationConfig"]["responseModalities"] = ["TEXT", "IMAGE"]
    elif name == "systemInstruction":
        value[name] = {"parts": [{"text": given}]}
    else:
        *path, last = name.split(".")
        for step in path:
            value = value.setdefault(step, {})
        value[last] = given


def _streams(state: State) -> bool:
    return bool(_variants(state)) and state["variants"][_ANSWER] == _STREAM


def _variants(state: State) -> State:
    """The part of a state that names variants; {} where the answer is asked for as a whole from the beginning."""
    return {name: state[name] for name in ("variants", "refused") if name in state}


def _ended_early(value: dict[str, Any]) -> bool:
    """Whether an answer that came in pieces has no end, whatever was asked for."""
    return any(
        gemini_errors.text_of(each, "finishReason") == BROKEN_OFF for each in gemini_errors.objects(value, "candidates")
    )


def _broke_off(state: State, value: dict[str, Any]) -> bool:
    """Whether a stream that was asked for has ended before the last event."""
    return _streams(state) and (_ended_early(value) or not gemini_errors.objects(value, "candidates"))


def _says_why(value: dict[str, Any]) -> bool:
    """Whether an answer without a picture names a reason. The feedback on a prompt may be nothing but ratings."""
    feedback = gemini_errors.named(value, "promptFeedback")
    return bool(gemini_errors.text_of(feedback, "blockReason") or gemini_errors.named(value, "error"))


def _announce_upload(job: Job, state: State, index: int, uploaded: NewUpload | None) -> Send:
    picture = job.all_references[index]
    return Send(
        "POST",
        job.upload_url(_FILES),
        {**_variants(state), "at": "announce", "index": index, "upload_urls": state["upload_urls"]},
        body=json_body({"file": {"display_name": f"reference-{index + 1}"}}),
        headers={
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(len(picture.data)),
            "X-Goog-Upload-Header-Content-Type": picture.mime,
        },
        uploaded=uploaded,
    )


def _put(job: Job, state: State, reply: Reply) -> Step:
    # Some answers repeat the key in this address. It needs none, and none goes along: the address is the permission.
    address = re.sub(r"([?&])key=[^&]*(&|$)", r"\1", reply.headers.get("x-goog-upload-url", "")).rstrip("?&")
    if not address.startswith(("http://", "https://")):
        return Failed(unreadable(reply))
    picture = job.all_references[state["index"]]
    return Send(
        "POST",
        address,
        {**state, "at": "put"},
        body=Body((Raw(picture.data),), picture.mime),
        headers={"X-Goog-Upload-Offset": "0", "X-Goog-Upload-Command": "upload, finalize"},
        with_key=False,
    )


def _sources(value: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The pages that a web search leaned on, each once."""
    found = []
    for candidate in gemini_errors.objects(value, "candidates"):
        for chunk in gemini_errors.objects(gemini_errors.named(candidate, "groundingMetadata"), "groundingChunks"):
            page = gemini_errors.named(chunk, "web")
            uri, title = gemini_errors.text_of(page, "uri"), gemini_errors.text_of(page, "title")
            if uri:
                found.append((title, uri))
    return tuple(dict.fromkeys(found))[:_SOURCES]


def _source_lines(sources: Sequence[tuple[str, str]]) -> str:
    lines = [f"- {title}: {uri}" if title else f"- {uri}" for title, uri in sources]
    return "\n".join(("Sources:", *lines)) if lines else ""


DIALECT = Gemini()
