"""The archive that the registry gets, unpacked into a real host: everything the frontend asks for is there, offline works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from pack.dev import environment, process
from pack.dev.cache import opened
from pack.dev.comfy_host import Host
from pack.dev.env import clean
from pack.dev.test_command import REGISTRY_CLIENT
from pack.tests.host.kit import Bench
from pack.tests.published_archive import NOT_SHIPPED, ROOT, build, tracked_files

NAME = "nano-banana-your-key"
"""The folder that the registry's client unpacks into: the project's name."""
LARGEST = 4_000_000
"""Bytes of the archive. Pictures of the help and the templates are most of it."""
NODES = ("NanoBananaGenerate", "NanoBananaEdit", "ProviderConfig", "NanoBananaConversation")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "pack.zip"
    build(path)
    return path


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A host whose only pack is the unpacked archive."""
    base = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(archive) as content:
        content.extractall(base / "custom_nodes" / NAME)
    with Host.start(base, pack=None) as host:
        yield Bench(host, None)


@pytest.mark.long
def test_the_registry_s_client_takes_it_as_it_is(archive: Path, tmp_path: Path) -> None:
    """`comfy node validate` finds nothing, and `comfy node pack` makes the archive that the other tests here install."""
    client, steps = environment.plan_apart(opened(), *REGISTRY_CLIENT)
    if not client.stamped(steps):
        pytest.skip("comfy-cli couldn't be installed")
    clone, home = tmp_path / "clone", tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    for name in tracked_files():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, clone / name)
    for command in (["init", "-q"], ["add", "--all", "--force"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    comfy = [str(client.python), "-m", "comfy_cli", "--skip-prompt", "node"]
    settings = {"HOME": str(home), "USERPROFILE": str(home), "COMFY_NO_TELEMETRY": "1"}
    options: dict[str, Any] = {"cwd": clone, "env": clean(os.environ, settings), "stdin": subprocess.DEVNULL}
    options |= {"capture_output": True, "text": True, "errors": "replace"}
    validated = subprocess.run([*comfy, "validate"], **options)
    message = validated.stdout + validated.stderr
    assert validated.returncode == 0 and "All validation checks passed" in message and "Warning" not in message, message
    packed = subprocess.run([*comfy, "pack"], **options)
    assert packed.returncode == 0, packed.stdout + packed.stderr
    with zipfile.ZipFile(clone / "node.zip") as theirs, zipfile.ZipFile(archive) as ours:
        assert sorted(theirs.namelist()) == ours.namelist()
        assert all(theirs.read(name) == ours.read(name) for name in ours.namelist())


def test_its_size_and_what_is_not_in_it(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(archive) as content:
        names = content.namelist()
    with capsys.disabled():
        print(f"\nThe published archive: {len(names)} files, {archive.stat().st_size / 1000:,.0f} kB")
    assert not [name for name in names if name.partition("/")[0] in NOT_SHIPPED]
    assert not [name for name in names if "double" in name or Path(name).name.startswith("test_")]
    assert archive.stat().st_size < LARGEST


def test_every_file_of_the_page_is_served(installed: Bench) -> None:
    """Modules, styles, texts, help pages and their pictures, byte for byte."""
    files = [path for path in (ROOT / "web").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".js", ".mjs", ".css", ".json", ".md", ".jpg"}
    for path in files:
        address = f"/extensions/{NAME}/{path.relative_to(ROOT / 'web').as_posix()}"
        assert fetched(installed, address) == path.read_bytes(), address


@pytest.mark.parametrize("name", NODES)
def test_each_node_has_help_in_both_languages(installed: Bench, name: str) -> None:
    """At the addresses that the frontend tries: the language's page first, then the page without a language."""
    chinese = fetched(installed, f"/extensions/{NAME}/docs/{name}/zh.md").decode()
    english = fetched(installed, f"/extensions/{NAME}/docs/{name}.md").decode()
    assert chinese != english and name in json.dumps(installed.host.get(f"/object_info/{name}"))
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese)


def test_every_template_and_its_thumbnail_is_listed_and_served(installed: Bench) -> None:
    folder = ROOT / "example_workflows"
    listed = installed.host.get("/workflow_templates")[NAME]
    assert sorted(listed) == sorted(path.stem for path in folder.glob("*.json")) and listed
    for name in listed:
        for file in (folder / f"{name}.json", folder / f"{name}.jpg"):
            address = f"/api/workflow_templates/{NAME}/{quote(file.name)}"
            assert fetched(installed, address) == file.read_bytes(), address


@pytest.mark.parametrize("language", sorted(path.name for path in (ROOT / "locales").iterdir() if path.is_dir()))
def test_every_locale_is_served(installed: Bench, language: str) -> None:
    """The host merges the files of all packs: each value of ours must be in it."""
    served = installed.host.get("/i18n")[language]
    # The host knows nothing of the catalogue of messages, which the pack reads by itself.
    for path in sorted((ROOT / "locales" / language).glob("*.json")):
        if path.name == "messages.json":
            continue
        ours = json.loads(path.read_text("utf-8"))
        assert holds(served if path.stem == "main" else served[path.stem], ours), path


def test_a_refusal_has_its_text_from_the_catalogue(installed: Bench) -> None:
    """The texts of messages are a file of the archive, too."""
    texts = json.loads((ROOT / "locales" / "en" / "messages.json").read_text("utf-8"))
    ran = installed.generate("", "offline")
    assert texts["negotiate.prompt_is_empty"] in ran.error


def test_offline_makes_a_picture(installed: Bench) -> None:
    ran = installed.generate("a lighthouse", "offline", aspect_ratio="16:9")
    assert ran.status == "success", ran.error or ran.refusal
    (picture,) = ran.images()
    height, width = picture.shape[:2]
    assert width > height and np.ptp(picture) > 50 and ran.info()["cost_usd"] == 0


def fetched(bench: Bench, path: str) -> bytes:
    return process.fetch(bench.host.url + path)


def holds(whole: Any, part: Any) -> bool:
    """Whether every value of `part` is in `whole`."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(name in whole and holds(whole[name], part[name]) for name in part)
    return bool(whole == part)
