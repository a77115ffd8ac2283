"""fal's JavaScript client makes and edits pictures at our double: it uploads by the same route as our dialect.

The judge is `@fal-ai/client`, pinned in `dev/javascript/package-lock.json`, run by Node. Its addresses are fixed: the `fetch`
that it is given leads them to the double. Skipped where Node and the package aren't fetched.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from judging import judged
from pack.dev import node
from pack.dev.env import clean
from pack.tests.doubles.server import Doubles
from PIL import Image

SCRIPT = """
const [packages, base, key, png] = process.argv.slice(2);
const { createFalClient } = require(packages + "/@fal-ai/client");
const here = (url, init) => fetch(String(url).replace(/^https:\\/\\/(queue\\.fal\\.run|rest\\.fal\\.ai)/, base), init);
const fal = createFalClient({ credentials: key, fetch: here, retry: { maxRetries: 0 } });
const told = (error) => ({ error: error.name, status: error.status, body: error.body });

async function edited() {
  const picture = new Blob([Buffer.from(png, "base64")], { type: "image/png" });
  const states = [];
  const made = await fal.subscribe("google/nano-banana-2.1/edit", {
    input: { prompt: "snow [[sim: steps=2]]", image_urls: [picture], num_images: 2 },
    logs: true,
    pollInterval: 1,
    onQueueUpdate: (update) => states.push([update.status, (update.logs ?? []).length]),
  });
  return { states, requestId: made.requestId, data: made.data };
}

async function cancelled() {
  const id = "fal-ai/nano-banana";
  const { request_id: requestId } = await fal.queue.submit(id, { input: { prompt: "a fox [[sim: steps=4]]" } });
  const before = await fal.queue.status(id, { requestId });
  await fal.queue.cancel(id, { requestId });
  return { before: before.status, after: await fal.queue.status(id, { requestId }).catch(told) };
}

const refused = (prompt, more) => fal.queue.submit("fal-ai/nano-banana-2", { input: { prompt, ...more } }).catch(told);

(async () => {
  const answers = {
    edited: await edited(),
    cancelled: await cancelled(),
    field: await refused("x", { resolution: "9K" }),
    credit: await refused("[[sim: status=402]]"),
    rate: await refused("[[sim: status=429]]"),
  };
  console.log(JSON.stringify(answers));
})();
"""


def run(tools: node.Node, folder: Path, doubles: Doubles, key: str, png: str) -> Any:
    """What the script tells; raises AssertionError where it fails."""
    file = folder / "fal.cjs"
    file.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [str(tools.program), str(file), tools.packages.as_posix(), doubles.base_url("fal"), key, png],
        env=clean({}, {}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture
def png() -> str:
    """A reference of 40x30 in base64."""

    out = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_edits_cancels_and_tells_refusals_apart(
    node_tools: node.Node, tmp_path: Path, doubles: Doubles, png: str
) -> None:
    answers = run(node_tools, tmp_path, doubles, "sim-vendor", png)
    edited = answers["edited"]
    assert [status for status, _ in edited["states"]] == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    assert edited["states"][-1][1] > 0 and edited["requestId"]
    assert len(edited["data"]["images"]) == 2 and edited["data"]["images"][0]["width"] > 0
    book = doubles.request_log()
    assert book["requests"][0]["references"][0]["width"] == 40
    assert [entry["path"] for entry in book["free"] if entry["kind"] == "upload"][0] == "/fal/storage/upload/initiate"
    assert answers["cancelled"]["before"] == "IN_QUEUE" and answers["cancelled"]["after"]["status"] == 404
    assert (answers["field"]["error"], answers["field"]["status"]) == ("ValidationError", 422)
    assert answers["field"]["body"]["detail"][0]["loc"] == ["body", "resolution"]
    assert answers["credit"]["status"] == 402 and answers["rate"]["status"] == 429
    version = json.loads((node_tools.packages / "@fal-ai" / "client" / "package.json").read_text("utf-8"))["version"]
    judged("fal", "@fal-ai/client", version, "edits an uploaded picture, cancels, tells refusals apart")


def test_a_wrong_key_is_an_error_of_the_api(node_tools: node.Node, tmp_path: Path, doubles: Doubles, png: str) -> None:
    with pytest.raises(AssertionError, match="401|Unauthorized|key is missing or not valid"):
        run(node_tools, tmp_path, doubles, "real", png)
