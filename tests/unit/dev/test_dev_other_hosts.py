"""The hosts at both ends: what the pack declares is the oldest one tried, and a frontend is fetched whole or not at all."""

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from pack.dev import comfy_install, environment, other_hosts
from pack.dev.other_hosts import NEWEST, OLDEST
from pack.dev.user_error import UserError

ROOT = Path(__file__).resolve().parents[3]


def test_the_oldest_host_tried_is_the_oldest_one_declared() -> None:
    """In the table for the registry, and on the pages for people."""
    oldest = OLDEST.release.comfyui
    assert f'requires-comfyui = ">={oldest}"\n' in (ROOT / "pyproject.toml").read_text("utf-8")
    for page in ("README.md", "docs/installation.md"):
        named = re.findall(r"ComfyUI (\d[\d.]+\d) or newer", (ROOT / page).read_text("utf-8"))
        assert named == [oldest], page


def test_the_newest_host_is_the_pinned_one() -> None:
    """So that no second tree is fetched for it."""
    assert NEWEST.release is comfy_install.PINNED


class Pip:
    """Downloads a wheel with these files, or something else."""

    def __init__(self, wheel: Path) -> None:
        self.wheel = wheel

    def __call__(self, *arguments: str) -> None:
        folder = Path(arguments[arguments.index("-d") + 1])
        folder.mkdir(parents=True)
        (folder / "frontend.whl").write_bytes(self.wheel.read_bytes())


def test_a_frontend_is_unpacked_without_its_source_maps(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "good.whl", "w") as wheel:
        for name in ("comfyui_frontend_package/static/index.html", "comfyui_frontend_package/static/a.js.map"):
            wheel.writestr(name, name)
    (tmp_path / "bad.whl").write_bytes(b"an error page")
    host = replace(NEWEST, sha256=comfy_install.checksum(tmp_path / "good.whl"))
    cache = tmp_path / "cache"
    _, step = host.steps(cache, Pip(tmp_path / "bad.whl"))
    with pytest.raises(UserError, match="isn't the pinned file"):
        step.work()
    assert not host.packages(cache).exists()
    _, step = host.steps(cache, Pip(tmp_path / "good.whl"))
    step.work()
    files = [path.relative_to(host.packages(cache)) for path in cache.rglob("*") if path.is_file()]
    assert [file.as_posix() for file in files] == ["comfyui_frontend_package/static/index.html"]


def test_a_host_that_was_not_fetched_is_said_to_be(tmp_path: Path) -> None:
    assert "couldn't be fetched" in str(other_hosts.ready(OLDEST, {"NANO_BANANA_DEV_CACHE": str(tmp_path)}))


def test_a_host_of_the_users_is_the_only_one_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched for it: the other hosts run in the pinned host's environment, which isn't there."""
    install = comfy_install.ComfyInstall(tmp_path, tmp_path, tmp_path, fetched=False, why="named")
    nothing = environment.Environment(tmp_path, tmp_path)
    monkeypatch.setattr(environment, "plan", lambda environ: (install, nothing, []))
    environ = {"NANO_BANANA_DEV_CACHE": str(tmp_path)}
    other_hosts.make(environ)
    assert "COMFYUI_DIR" in str(other_hosts.ready(OLDEST, environ)) and not list(tmp_path.glob("*comfyui*"))
