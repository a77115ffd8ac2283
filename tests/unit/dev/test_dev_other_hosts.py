"""The hosts at both ends: what the pack declares is the oldest one tried, and a frontend is fetched whole or not at all."""

import re
import shutil
import zipfile
from pathlib import Path

import pytest
from pack.dev import comfy_install, environment, other_hosts
from pack.dev.other_hosts import NEWEST, OLDEST

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


def test_a_frontend_is_unpacked_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "good-1.2.whl", "w") as wheel:
        wheel.writestr("comfyui_frontend_package/static/index.html", "page")

    def pip(*arguments: str) -> None:
        folder = Path(arguments[arguments.index("-d") + 1])
        folder.mkdir(parents=True)
        shutil.copy(tmp_path / "good-1.2.whl", folder)

    cache = tmp_path / "cache"
    cache.mkdir()
    for _ in range(2):
        NEWEST.steps(cache, pip)[1].work()
    files = [path.relative_to(NEWEST.packages(cache)) for path in cache.rglob("*") if path.is_file()]
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
