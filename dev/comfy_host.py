"""A real ComfyUI as an object: `with Host.start(base) as host: host.run_prompt(...)`. Used by demo, tests, benchmarks.

It refuses to touch the ComfyUI it runs: everything is written below `base`, the pack is linked into it, and a user's
ComfyUI is started through its own `main.py`. Loopback only.
"""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import process
from .cache import ROOT, linked
from .comfy_install import ComfyInstall
from .env import clean
from .environment import ready
from .process import Answered, Process
from .user_error import UserError

TEST_ARGUMENTS = ("--cpu", "--disable-api-nodes")
"""ComfyUI's own partner nodes take a third of a start to load, and nothing of the pack uses them."""
FOLDERS = ("custom_nodes", "input", "output", "temp", "user", "models")
POLL = 0.05
FIRST_POLL, LONGEST_POLL, POLL_GROWTH = 0.02, 0.25, 1.25
"""Seconds between two looks at a prompt, which grow: most prompts of a test end at once, others wait for a time limit."""
TRIES = 3
"""For a host at any free port: what was free may be another program's by the time ComfyUI has started."""
TAKEN = ("address already in use", "error 10048")
"""What the log of a host ends with that came too late to its port."""


class PromptFailed(Exception):
    """A prompt was refused or a node failed; the text is what a person would read in the host's error panel."""

    def __init__(self, text: str, details: Any = None) -> None:
        super().__init__(text)
        self.details = details


def prepare(base: Path, pack: Path | None = ROOT) -> None:
    """Makes a host's folders and puts the pack into `custom_nodes`."""
    for name in FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    if pack:
        linked(base / "custom_nodes" / pack.name, pack)


def command(install: ComfyInstall, base: Path, port: int, arguments: Sequence[str] = ()) -> list[str]:
    """How to start that host: ours through the launcher, a user's through its own `main.py`."""
    launcher = Path(__file__).with_name("launch.py")
    start = [str(launcher), str(install.comfyui)] if install.fetched else [str(install.comfyui / "main.py")]
    return [
        *(str(install.python), *start, "--port", str(port), "--disable-auto-launch"),
        *("--base-directory", str(base), "--database-url", "sqlite:///:memory:", *arguments),
    ]


class Host(Process):
    """A host; its log is `base/host.log`. `home`: its temporary NANO_BANANA_HOME, None when the caller set one."""

    def __init__(
        self, install: ComfyInstall, base: Path, port: int, args: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        super().__init__(command(install, base, port, args), install.comfyui, environment, base / "host.log")
        self.base, self.port, self.url = base, port, f"http://127.0.0.1:{port}"
        self.home: Path | None = None

    @classmethod
    def start(
        cls,
        base: Path,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = TEST_ARGUMENTS,
        port: int = 0,
        *,
        install: ComfyInstall | None = None,
        pack: Path | None = ROOT,
        environment: Mapping[str, str] | None = None,
        patience: float = 600.0,
    ) -> "Host":
        """Starts ComfyUI on `base` and waits until it answers.

        `env`: variables on top of the cleaned ones, NANO_BANANA_HOME included. `port` 0: any free one. `install`: which
        host, else the one `dev.py` has made ready. `pack` None: the bare host. `environment`: all of the variables, in
        place of the cleaned ones. `patience`: in seconds. Raises UserError, with the end of the log, when the process dies
        or stays silent.
        """
        install = install or ready()
        base = base.absolute()
        prepare(base, pack)
        home = None
        if environment is None:
            if "NANO_BANANA_HOME" not in (env or {}):
                home = Path(tempfile.mkdtemp(prefix="nano-banana-home-"))
            environment = clean(os.environ, ({"NANO_BANANA_HOME": str(home)} if home else {}) | dict(env or {}))
        for left in reversed(range(1 if port else TRIES)):
            host = cls(install, base, port or process.free_port(), args, environment)
            try:
                host._wait_for_answer(patience)
                break
            except BaseException as error:
                late = isinstance(error, UserError) and any(words in host.tail().lower() for words in TAKEN)
                host.home = None if late and left else home
                host.stop()
                if not (late and left):
                    raise
        host.home = home
        return host

    def _wait_for_answer(self, patience: float) -> None:
        end = time.monotonic() + patience
        while self.alive() and time.monotonic() < end:
            try:
                self.get("/queue")
                return
            except (OSError, Answered):
                time.sleep(POLL)
        became = (
            f"didn't answer within {patience:.0f} s"
            if self.alive()
            else f"ended with code {self.ended()} while it started"
        )
        raise UserError(f"ComfyUI {became}; the end of its log:\n{self.tail()}")

    def stop(self, patience: float = 10.0) -> None:
        """Ends the host and removes its temporary data folder; `kill` leaves it, for tests of what survives."""
        super().stop(patience)
        if self.home:
            shutil.rmtree(self.home, ignore_errors=True)

    def queue_prompt(self, prompt: Mapping[str, Any], client: str = "") -> str:
        """Queues an API prompt; its id. Raises PromptFailed when the host refuses it."""
        body = {"prompt": prompt, "client_id": client or uuid.uuid4().hex}
        try:
            return str(self.post("/prompt", body)["prompt_id"])
        except Answered as error:
            raise PromptFailed(refusal(error.body), error.body) from None

    def wait_prompt(self, prompt_id: str, timeout: float = 600.0) -> dict[str, Any]:
        """The finished prompt's history entry, whatever became of it. Raises PromptFailed on a dead host or timeout."""
        end, pause = time.monotonic() + timeout, FIRST_POLL
        while self.alive() and time.monotonic() < end:
            with suppress(OSError):
                entry = self.get(f"/history/{prompt_id}").get(prompt_id)
                if entry and entry.get("status", {}).get("status_str"):
                    return dict(entry)
            time.sleep(pause)
            pause = min(pause * POLL_GROWTH, LONGEST_POLL)
        became = f"no end within {timeout:.0f} s" if self.alive() else "the host died"
        raise PromptFailed(f"{became}; the end of the host's log:\n{self.tail()}")

    def run_prompt(self, prompt: Mapping[str, Any], timeout: float = 600.0) -> dict[str, Any]:
        """Runs an API prompt and returns its outputs by node id. Raises PromptFailed with the failing node's text."""
        entry = self.wait_prompt(self.queue_prompt(prompt), timeout)
        if entry["status"]["status_str"] != "success":
            raise PromptFailed(failure(entry), entry)
        return dict(entry["outputs"])

    def file(self, image: Mapping[str, str]) -> Path:
        """The file of an image named in a prompt's outputs."""
        return self.base / image.get("type", "output") / image.get("subfolder", "") / image["filename"]


def refusal(body: Any) -> str:
    """The text of a 400: each node's own messages, else the host's."""
    if not isinstance(body, dict):
        return str(body)
    errors = [("", body["error"])] if isinstance(body.get("error"), dict) else []
    reports = body.get("node_errors") or {}
    found = [
        (f"{each['class_type']} (node {node}): ", error) for node, each in reports.items() for error in each["errors"]
    ]
    lines = [
        f"{where}{error.get('message', '')} {error.get('details', '')}".rstrip() for where, error in found or errors
    ]
    return "\n".join(lines) or str(body)


def failure(entry: Mapping[str, Any]) -> str:
    """The text of a failed run: the node's exception message, or that it was interrupted."""
    for kind, data in entry.get("status", {}).get("messages", []):
        if kind in ("execution_error", "execution_interrupted"):
            text = data.get("exception_message", "interrupted").strip()
            return f"{data.get('node_type')} (node {data.get('node_id')}): {text}"
    return f"the run ended as {entry.get('status', {}).get('status_str')} without a message"
