"""`dev.py examples`: the API forms of the example workflows, made anew by the real frontend in headless Chromium.

Only the browser can turn a workflow as people save it into a prompt (`app.graphToPrompt()`). Each example is loaded,
converted and written to `example_workflows/api/`. Needs the test environment (Playwright) and a Chromium; the part that
drives the browser runs in that environment, as `python -m dev.example_export URL CHROMIUM`.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from . import chromium, environment
from .cache import ROOT
from .comfy_host import Host
from .user_error import UserError

EXAMPLES = ROOT / "example_workflows"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
READY = "() => window.app && window.app.graph && window.app.extensionManager && window.app.vueAppReady !== false"
CONVERT = """async (workflow) => {
    await window.app.loadGraphData(workflow);
    return (await window.app.graphToPrompt()).output;
}"""


def run(arguments: list[str]) -> int:
    """Writes the API forms. Raises UserError without a Chromium."""
    program = chromium.chromium(os.environ)
    if program is None:
        raise UserError(chromium.MISSING)
    install = environment.make(tools=True)
    with tempfile.TemporaryDirectory(prefix="nano-banana-examples-") as base, Host.start(Path(base)) as host:
        command = [str(install.tools), "-m", "dev.example_export", host.url, str(program)]
        return subprocess.run(command, cwd=ROOT).returncode


def written(prompt: dict[str, Any]) -> str:
    """An API form as it is kept: stable, readable, without what the browser adds for its own use."""
    return json.dumps(prompt, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main(url: str, program: str) -> int:
    """Drives the browser."""
    playwright = import_module("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        page = chromium.new_page()
        page.goto(url)
        page.wait_for_function(READY)
        for path in sorted(EXAMPLES.glob("*.json")):
            prompt = page.evaluate(CONVERT, json.loads(path.read_text("utf-8")))
            (EXAMPLES / "api" / path.name).write_text(written(prompt), "utf-8")
            print(f"{path.stem}: {len(prompt)} nodes")
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
