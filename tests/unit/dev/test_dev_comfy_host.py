"""How a host is started and what is told when a prompt fails; the host itself is in the host tests."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pack.dev import comfy_host, host_command
from pack.dev.cache import ROOT
from pack.dev.comfy_install import ComfyInstall
from pack.dev.user_error import UserError

THEIRS = ComfyInstall(Path("/their/ComfyUI"), Path("/their/python"), Path("/tools"), fetched=False, why="")
OURS = ComfyInstall(Path("/cache/ComfyUI"), Path("/cache/python"), Path("/cache/python"), fetched=True, why="")


def test_a_users_comfyui_is_started_as_it_is() -> None:
    command = comfy_host.command(THEIRS, Path("/base"), 1234, ["--cpu"])
    assert command[:2] == [str(THEIRS.python), str(THEIRS.comfyui / "main.py")]
    assert "launch.py" not in " ".join(command)
    assert command[command.index("--base-directory") + 1] == str(Path("/base"))


def test_ours_is_started_through_the_launcher() -> None:
    command = comfy_host.command(OURS, Path("/base"), 1234)
    assert command[1].endswith("launch.py") and command[2] == str(OURS.comfyui)


def pack(folder: Path) -> Path:
    """A clone."""
    (folder / ".git").mkdir(parents=True)
    (folder / "nodes").mkdir()
    (folder / "nodes" / "a.py").write_text("1")
    return folder


def test_the_pack_is_linked(tmp_path: Path) -> None:
    clone = pack(tmp_path / "my clone")
    for _ in range(2):
        comfy_host.prepare(tmp_path / "base", clone)
    assert (tmp_path / "base" / "custom_nodes" / "my clone" / "nodes" / "a.py").is_file()
    assert all((tmp_path / "base" / name).is_dir() for name in comfy_host.FOLDERS)


def test_the_pack_is_copied_where_links_are_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    clone = pack(tmp_path / "clone")
    for _ in range(2):
        comfy_host.prepare(tmp_path / "base", clone)
    copy = tmp_path / "base" / "custom_nodes" / "clone"
    assert (copy / "nodes" / "a.py").is_file() and not (copy / ".git").exists()


def test_no_pack(tmp_path: Path) -> None:
    comfy_host.prepare(tmp_path / "base", None)
    assert not list((tmp_path / "base" / "custom_nodes").iterdir())


def test_a_refused_prompt_tells_the_nodes_words() -> None:
    body = {
        "error": {"message": "Prompt outputs failed validation"},
        "node_errors": {
            "7": {"class_type": "ProviderConfig", "errors": [{"message": "Custom", "details": "that is a key"}]}
        },
    }
    assert comfy_host.refusal(body) == "ProviderConfig (node 7): Custom that is a key"
    assert comfy_host.refusal({"error": {"message": "No prompt", "details": ""}}) == "No prompt"
    assert comfy_host.refusal("plain") == "plain"


def test_a_failed_run_tells_the_nodes_words() -> None:
    error = ["execution_error", {"node_type": "NanoBananaEdit", "node_id": "3", "exception_message": "no credit\n"}]
    entry = {"status": {"status_str": "error", "messages": [["execution_start", {}], error]}}
    assert comfy_host.failure(entry) == "NanoBananaEdit (node 3): no credit"
    assert "error" in comfy_host.failure({"status": {"status_str": "error"}})


def test_a_host_that_dies_shows_its_log(tmp_path: Path) -> None:
    comfyui = tmp_path / "C"
    comfyui.mkdir()
    (comfyui / "main.py").write_text("print('\\x1b[31mno luck\\x1b[0m'); raise SystemExit(3)")
    install = ComfyInstall(comfyui, Path(sys.executable), Path(sys.executable), fetched=False, why="")
    with pytest.raises(UserError, match="code 3") as caught:
        comfy_host.Host.start(tmp_path / "base", install=install, pack=None)
    assert str(caught.value).endswith("no luck")


LATE = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), reuse_port=False) as server:
    while True:
        line, _ = server.accept()
        line.recv(4096)
        line.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
        line.close()
"""
"""Stands in for ComfyUI: dies where its port is taken, else answers."""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows says it in the user's language")
def test_a_port_that_somebody_else_has_taken_meanwhile_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one is tried; one that a person has named isn't changed."""
    comfyui = tmp_path / "C"
    comfyui.mkdir()
    (comfyui / "main.py").write_text(LATE)
    install = ComfyInstall(comfyui, Path(sys.executable), Path(sys.executable), fetched=False, why="")
    free = comfy_host.process.free_port
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        offered = [taken, taken]
        monkeypatch.setattr(comfy_host.process, "free_port", lambda: offered.pop() if offered else free())
        with comfy_host.Host.start(tmp_path / "base", install=install, pack=None) as host:
            assert host.alive() and host.port != taken and not offered
        with pytest.raises(UserError, match="in use"):
            comfy_host.Host.start(tmp_path / "base", install=install, pack=None, port=taken)


@pytest.mark.parametrize("arguments", [["--port", "9000", "--lowvram"], ["--lowvram", "--port=9000"]])
def test_the_port_a_person_wants(arguments: list[str]) -> None:
    assert host_command.port_wanted(arguments) == (9000, ["--lowvram"])


def test_a_port_that_is_none() -> None:
    with pytest.raises(UserError, match="number"):
        host_command.port_wanted(["--port", "x"])


COMFYUI = """
import os, pathlib, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

pathlib.Path(__file__).with_name("pid").write_text(str(os.getpid()))
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Answer).serve_forever()
"""
"""As much of a ComfyUI as `dev.py host` needs."""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could handle")
def test_sigterm_ends_the_host_too(tmp_path: Path) -> None:
    comfyui = tmp_path / "ComfyUI"
    (comfyui / "comfy").mkdir(parents=True)
    (comfyui / "nodes.py").touch()
    (comfyui / "main.py").write_text(COMFYUI)
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    variables = {
        "COMFYUI_DIR": str(comfyui),
        "COMFYUI_PYTHON": sys.executable,
        "NANO_BANANA_DEV_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(tmp_path),  # a torch to be found
    }
    with subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "dev.py"), "host"],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert running.stdout and any("Ctrl+C ends it" in line for line in running.stdout), "it never said it is up"
            host = int((comfyui / "pid").read_text())
            os.kill(host, 0)
            running.terminate()
            assert running.wait() == 0
            with pytest.raises(ProcessLookupError):
                os.kill(host, 0)
        finally:
            running.kill()
