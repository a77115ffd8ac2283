"""What a stranger's workflow, a hostile page, a damaged file or another user of the machine may try, in a real host."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from typing import Any

import pytest
from pack.dev.running import Host
from pack.tests.host.kit import Bench, provider_variables
from pack.tests.host.page import Page


@pytest.fixture(scope="module")
def page(simulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A host with a key for every provider, a data folder that is made by it under umask 0, and --multi-user."""
    home = tmp_path_factory.mktemp("attacked") / "home"
    variables = {**provider_variables(simulator), "NANO_BANANA_HOME": str(home)}
    before = os.umask(0) if os.name == "posix" else 0
    try:
        host = Host.start(tmp_path_factory.mktemp("host"), variables, ("--cpu", "--multi-user", "--verbose", "DEBUG"))
    finally:
        if os.name == "posix":
            os.umask(before)
    with host:
        host.home = home
        yield Page(Bench(host, simulator))


# ------------------------------------------------------------------------------------------------------- files on disk


def test_settings_with_a_byte_order_mark_keep_their_caps(page: Page) -> None:
    """As Windows' editors save it: another setting that is saved doesn't put the caps back."""
    page.good("PUT", "/settings", {"parallel": 2})
    (page.home / "settings.json").write_text('{"cap_run": "1", "cap_month": "2"}', "utf-8-sig")
    found = page.good("PUT", "/settings", {"parallel": 3})["settings"]
    assert [found[name]["value"] for name in ("cap_run", "cap_month", "parallel")] == ["1", "2", "3"]
    page.good("PUT", "/settings", {"cap_run": None, "cap_month": None, "parallel": None})


@pytest.mark.parametrize(
    "content", [b'{"cap_run": "0.01",}', b"[1]", b"", b"[" * 100_000, b'{"a":' * 90 + b"1" + b"}" * 90]
)
def test_damaged_settings_stay_until_somebody_sets_them_aside(content: bytes, page: Page, tag: str) -> None:
    """Nothing is paid, nothing is saved over them, and every route answers in words."""
    page.good("PUT", "/settings", {"parallel": None})
    whole = (page.home / "settings.json").read_bytes()
    (page.home / "settings.json").write_bytes(content)
    try:
        assert page.good("GET", "/settings")["damage"]
        refusal = page.ask("PUT", "/settings", {"parallel": 2})
        assert refusal.status == 400 and "settings.json" in refusal.error and "set it aside" in refusal.error
        for method, path, body in (
            ("PUT", "/providers/fal", {"base_url": None}),
            ("PUT", "/providers/own_one", {"label": "x", "base_url": "https://x.example", "dialect": "fal"}),
            ("DELETE", "/providers/own_one", None),
        ):
            assert page.ask(method, path, body).status == 400, path
        for path in ("/providers", "/results", "/spend"):
            assert page.ask("GET", path).status == 200, path
        ran = page.bench.generate(tag)
        assert ran.status == "error" and "caps" in ran.error and not page.bench.asked(tag)
        assert (page.home / "settings.json").read_bytes() == content
        aside = page.good("DELETE", "/settings")
        assert aside["damage"] == "" and (page.home / aside["set_aside"]).read_bytes() == content
        assert page.ask("DELETE", "/settings").status == 409
    finally:
        (page.home / "settings.json").write_bytes(whole)
    assert page.bench.generate(tag).status == "success"


def test_folders_that_vanish_are_told(page: Page, tag: str) -> None:
    """The results, the input folder, the whole data folder: each route still answers JSON, and a setting is saved."""
    assert page.bench.generate(tag).status == "success"
    (uid,) = [each["id"] for each in page.pictures(tag)]
    shutil.rmtree(page.home / "results")
    asks: list[tuple[str, Any]] = [("GET", None), ("PUT", {"parallel": 4})]
    for method, body in asks:
        found = page.good(method, "/settings", body)
        assert found["results"]["free"] is None and found["results"]["pictures"] >= 1
    assert page.good("GET", "/settings")["settings"]["parallel"]["value"] == "4"
    assert page.pictures(tag)[0]["picture"] is False
    assert page.ask("GET", f"/results/{uid}/image").status == 404
    again = page.bench.generate(f"{tag} again")
    assert again.status == "success", again.error
    (uid,) = [each["id"] for each in page.pictures(f"{tag} again")]
    inputs = page.host.base / "input"
    inputs.rename(inputs.with_name("away"))
    try:
        answer = page.ask("POST", f"/results/{uid}/input", {})
        assert answer.status == 503 and "input folder" in answer.error and "Traceback" not in answer.error
    finally:
        shutil.rmtree(inputs, ignore_errors=True)
        inputs.with_name("away").rename(inputs)
    page.home.rename(page.home.with_name("away"))
    try:
        page.home.write_bytes(b"")  # a mount that has failed may leave anything
        for method, path, body in (
            ("GET", "/settings", None), ("PUT", "/settings", {"parallel": 5}), ("GET", "/providers", None),
            ("GET", "/results", None), ("GET", "/spend?by=day", None), ("DELETE", "/results?all=yes", None),
            ("GET", f"/results/{uid}/image", None), ("POST", "/results/recover", {}), ("POST", "/estimate", {"prompt": {}}),
            ("PUT", "/keys/fal/default", {"key": "sim-x"}), ("DELETE", "/keys/fal/default", None),
            ("PUT", "/providers/fal", {"base_url": None}),
        ):  # fmt: skip
            answer = page.ask(method, path, body)
            assert answer.status != 500 and isinstance(answer.json, dict), (method, path, answer.data)
        ran = page.bench.generate(f"{tag} without a folder")
        assert ran.status == "error" and not page.bench.asked(f"{tag} without a folder")
    finally:
        page.home.unlink()
        page.home.with_name("away").rename(page.home)
    assert page.bench.generate(f"{tag} back").status == "success"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_another_user_of_the_machine_can_read_nothing(page: Page, tag: str) -> None:
    """The host runs with umask 0; nothing of the data folder is open to others."""
    page.good("PUT", "/keys/fal/default", {"key": "sim-x"})
    page.good("PUT", "/settings", {"parallel": 4})
    assert page.bench.generate(tag).status == "success"
    found = {path: stat.S_IMODE(path.lstat().st_mode) for path in (page.home, *page.home.rglob("*"))}
    assert {"keys.json", "journal.sqlite", "settings.lock"} <= {path.name for path in found}
    assert any(path.suffix == ".png" for path in found)
    assert {str(path): oct(mode) for path, mode in found.items() if mode & 0o077} == {}


def test_multi_user_is_said(page: Page) -> None:
    """The keys are the server's: Settings tells its users."""
    assert page.good("GET", "/settings")["multi_user"] is True
