"""Google's own SDK, google-genai, orders batches at the double of the Gemini API, and reads those that the pack orders."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judging import judged
from pack.core.dialects.base.step import Failed, Job, Reply, Send
from pack.core.dialects.batch import gemini as gemini_batch
from pack.core.http.body import FileBytes
from pack.core.http.transport import Transport
from pack.core.images.picture import Encoded
from pack.core.providers import BUILT_IN
from pack.tests.doubles.server import Doubles
from test_google_genai import client_of, picture, png, result

genai = pytest.importorskip("google.genai")

from google.genai import errors, types  # noqa: E402
from sent_requests import sent_requests  # noqa: E402

MODEL = "gemini-nano-banana-2.1"


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    """An enum value that the SDK doesn't know is a warning there, and a failure here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".* is not a valid .*")
        yield


def request(prompt: str) -> dict[str, Any]:
    return {"contents": [{"parts": [{"text": prompt}], "role": "user"}], "config": {"response_modalities": ["IMAGE"]}}


def ended(client: Any, job: Any) -> Any:
    for _ in range(5):
        job = client.batches.get(name=job.name)
        if job.state not in (types.JobState.JOB_STATE_PENDING, types.JobState.JOB_STATE_RUNNING):
            return job
    raise AssertionError(job.state)


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_the_sdk_orders_inside_the_request(doubles: Doubles, version: str) -> None:
    doubles.reset()
    client = client_of(doubles, version=version)
    sources = [request("a fox"), request("no [[sim: refuse]]"), request("bad [[sim: status=400]]")]
    job = client.batches.create(model=MODEL, src=sources, config={"display_name": "sdk"})
    assert (job.display_name, job.state, job.model) == ("sdk", types.JobState.JOB_STATE_PENDING, f"models/{MODEL}")
    assert doubles.request_log()["paid_images"] == 0
    assert [each.name for each in client.batches.list(config={"page_size": 1})] == [job.name]
    job = ended(client, job)
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED and job.end_time >= job.create_time
    good, declined, bad = job.dest.inlined_responses
    assert result(good.response).width
    assert declined.response.candidates[0].finish_reason is types.FinishReason.IMAGE_SAFETY
    assert bad.error.code == 3 and bad.error.message
    assert doubles.request_log()["cost_usd"] == 0.0168
    judged("google", "google-genai", "", "orders a batch at the double")


def test_the_sdk_orders_by_a_file(doubles: Doubles, tmp_path: Path) -> None:
    doubles.reset()
    client = client_of(doubles)
    lines = [
        {"key": name, "request": {"contents": [{"parts": [{"text": f"a {name}"}], "role": "user"}]}}
        for name in ("fox", "hare")
    ]
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    file = client.files.upload(file=path, config={"mime_type": "jsonl", "display_name": "requests"})
    job = ended(client, client.batches.create(model=MODEL, src=file.name, config={"display_name": "by file"}))
    content = client.files.download(file=job.dest.file_name)
    found = [json.loads(line) for line in content.splitlines()]
    assert [each["key"] for each in found] == ["fox", "hare"]
    for each in found:
        assert result(types.GenerateContentResponse.model_validate(each["response"])).width
    with pytest.raises(errors.ClientError):
        client.files.download(file=file.name)  # an uploaded file can't be downloaded
    judged("google", "google-genai", "", "orders a batch by a file at the double")


def test_the_sdk_cancels_and_deletes(doubles: Doubles) -> None:
    doubles.reset()
    client = client_of(doubles)
    doubles.fault("task=hang", provider="google", match="to cancel")
    job = client.batches.create(model=MODEL, src=[request("a fox")], config={"display_name": "to cancel"})
    client.batches.cancel(name=job.name)
    assert client.batches.get(name=job.name).state is types.JobState.JOB_STATE_CANCELLED
    client.batches.delete(name=job.name)
    with pytest.raises(errors.ClientError) as caught:
        client.batches.get(name=job.name)
    assert caught.value.code == 404
    assert doubles.request_log()["paid_images"] == 0
    judged("google", "google-genai", "", "cancels a batch at the double")


@pytest.mark.parametrize(
    ("ending", "state"), [("expired", "JOB_STATE_EXPIRED"), ("fail", "JOB_STATE_FAILED"), ("hang", "JOB_STATE_RUNNING")]
)
def test_the_sdk_knows_every_state(doubles: Doubles, ending: str, state: str) -> None:
    doubles.reset()
    client = client_of(doubles)
    doubles.fault(f"task={ending} steps=0", provider="google", match="ending")
    job = client.batches.create(model=MODEL, src=[request("a fox")], config={"display_name": "ending"})
    client.batches.get(name=job.name)
    assert client.batches.get(name=job.name).state is types.JobState(state)
    judged("google", "google-genai", "", "knows the states of the double's batches")


# ------------------------------------------------------------------------------------------------- the pack's own


def send(doubles: Doubles, step: Send) -> Reply:
    transport = Transport(doubles.base_url("google"))
    headers = {**step.headers, **({"Content-Type": step.body.content_type} if step.body else {})}
    key = ("x-goog-api-key", "sim-pack") if step.with_key else None
    deadline = time.monotonic() + 30
    return transport.send(step.method, step.url, headers=headers, body=step.body, key=key, deadline=deadline)


def job_of(doubles: Doubles, prompt: str = "", references: tuple[Encoded, ...] = ()) -> Job:
    operation = "edit" if references else "generate"
    return Job(BUILT_IN["google"], doubles.base_url("google"), MODEL, operation, prompt, {}, references=references)


def test_the_sdk_reads_what_the_pack_orders(doubles: Doubles) -> None:
    """Inside the request, with a reference: created here, read there."""
    doubles.reset()
    reference = Encoded(png(picture()), "png", 64, 48)
    bodies = [gemini_batch.request_body(job_of(doubles, f"picture {n}", (reference,))) for n in range(2)]
    requests = [(str(n), b"".join(bytes(piece) for piece in body)) for n, body in enumerate(bodies)]
    reply = send(doubles, gemini_batch.create_inline(job_of(doubles), "of the pack", requests))
    client = client_of(doubles)
    (listed,) = list(client.batches.list())
    assert listed.display_name == "of the pack" and listed.name == gemini_batch.created_batch(reply)
    job = ended(client, listed)
    assert [each.metadata for each in job.dest.inlined_responses] == [{"key": "0"}, {"key": "1"}]
    assert all(result(each.response).width for each in job.dest.inlined_responses)
    judged("google", "google-genai", "", "reads a batch that the pack has ordered")


def test_the_pack_reads_what_the_sdk_orders(doubles: Doubles) -> None:
    doubles.reset()
    client = client_of(doubles)
    sources = [request("a fox"), request("bad [[sim: status=400]]")]
    made = client.batches.create(model=MODEL, src=sources, config={"display_name": "of the sdk"})
    work = job_of(doubles)
    found = gemini_batch.batches_of_page(send(doubles, gemini_batch.list_page(work)))
    assert found == ({"of the sdk": made.name}, "")
    states = []
    for _ in range(3):
        reply = send(doubles, gemini_batch.poll(work, made.name))
        status = gemini_batch.status_of(reply)
        assert status is not None
        states.append((status.state, status.made))
        answers = status.answers or ()
    assert states == [("pending", 0), ("succeeded", 1), ("succeeded", 1)]
    good, bad = [gemini_batch.answer_of(work, answer, reply) for answer in answers]
    assert not isinstance(good.step, Failed) and good.step.images[0].read()
    assert isinstance(bad.step, Failed) and bad.step.failure.unbilled is True
    judged("google", "google-genai", "", "orders a batch that the pack reads")


def test_the_pack_orders_by_a_file(doubles: Doubles, tmp_path: Path) -> None:
    """The file is taken by the double as the SDK's is, and the SDK downloads the answers."""
    doubles.reset()
    path = tmp_path / "order.jsonl"
    with path.open("wb") as file:
        for number in range(3):
            body = gemini_batch.request_body(job_of(doubles, f"picture {number}"))
            for piece in gemini_batch.file_line(str(number), body):
                file.write(piece)
    size, work = path.stat().st_size, job_of(doubles)
    put = gemini_batch.put_file(send(doubles, gemini_batch.announce_file(work, size, "order")), FileBytes(path, size))
    assert isinstance(put, Send)
    name = gemini_batch.uploaded_file(send(doubles, put))
    reply = send(doubles, gemini_batch.create_of_file(work, "by file", name))
    client = client_of(doubles)
    job = ended(client, client.batches.get(name=gemini_batch.created_batch(reply)))
    theirs = client.files.download(file=job.dest.file_name)
    status = gemini_batch.status_of(send(doubles, gemini_batch.poll(work, job.name)))
    assert status is not None and status.answers is None
    ours = send(doubles, gemini_batch.download(work, status.file)).body
    assert ours == theirs
    answers = [gemini_batch.answer_of_line(work, line) for line in ours.splitlines()]
    assert [answer.key for answer in answers if answer] == ["0", "1", "2"]
    judged("google", "google-genai", "", "reads a batch that the pack has ordered by a file")


def test_every_request_of_the_pack_is_one_of_a_batch() -> None:
    """The SDK's types take each request that may stand in an order, with the names that it writes itself."""
    for each in sent_requests("google"):
        if each.job.references and any("fileData" in part for part in each.body["contents"][0]["parts"]):
            continue  # an order has its references inside
        inlined = json.loads(b"".join(bytes(piece) for piece in gemini_batch.request_body(each.job)))
        assert inlined == each.body
        types.Content.model_validate(inlined["contents"][0])
    judged("google", "google-genai", "", "knows each request of a batch")
