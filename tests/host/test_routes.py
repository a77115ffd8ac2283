"""The routes behind the browser side, in a real host that lets other origins in: the pack does not.

One host for all tests, with the addresses and keys that its pages have given it.
"""

from __future__ import annotations

import http.client
import io
import json
import math
import os
import secrets
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pack.dev import process
from pack.dev.comfy_host import TEST_ARGUMENTS, Host
from pack.tests.host.kit import UNREADABLE, Bench, chat_answer, colours, node
from pack.tests.host.page import ROOT, Page
from pack.tests.raw_server import Connection, RawServer, json_answers, serving
from PIL import Image

ENTERED = f"sim-entered-{secrets.token_hex(12)}"
"""The key that a page has entered."""


@pytest.fixture(scope="module")
def stranger() -> Iterator[RawServer]:
    """An address that a page might give a provider: it writes down who comes."""
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def page(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Runflow's key and APIFRAME's are in the environment, APIFRAME's address too; the rest is entered by a page."""
    home = tmp_path_factory.mktemp("data") / "home"
    variables = {
        "NANO_BANANA_HOME": str(home),
        "NANO_BANANA_CAP_DAY": "none",
        "RUNFLOW_API_KEY": "sim-environment-runflow",
        "NANO_BANANA_APIFRAME_API_KEY": "sim-environment-apiframe",
        "NANO_BANANA_APIFRAME_BASE_URL": doubles.base_url("apiframe"),
    }
    args = (*TEST_ARGUMENTS, "--enable-cors-header", "--verbose", "DEBUG")
    with Host.start(tmp_path_factory.mktemp("routes"), variables, args) as host:
        host.home = home
        yield Page(Bench(host, doubles))


@pytest.fixture
def shop(page: Page) -> Page:
    """OneRouter at the doubles, with the key that was entered for it."""
    page.at("onerouter", page.doubles.base_url("onerouter"), ENTERED)
    return page


# --------------------------------------------------------------------------------------------------------------- keys


def test_a_key_that_is_entered_reaches_its_provider_and_nothing_else(shop: Page, stranger: RawServer, tag: str) -> None:
    """Exactly as it was entered, in the next paid request; no answer, file, picture or log line has it."""
    ran = shop.bench.run(
        {
            "config": node("ProviderConfig", provider="onerouter"),
            "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0]),
            "save": node("SaveImage", images=["make", 0], filename_prefix="routes-secret"),
            "say": node("PreviewAny", source=["make", 3]),
        }
    )
    assert ran.status == "success", ran.error
    (asked,) = shop.bench.asked(tag)
    assert asked["headers"]["authorization"] == "bearer sim-…"

    def refuse(connection: Connection) -> None:
        connection.read_body()
        connection.answer_json({"error": {"message": f"no {ENTERED}"}}, "401 Unauthorized")

    stranger.handle(refuse)
    shop.at("nanobanana", stranger.url, f" 'Bearer {ENTERED}'\n")
    refused = shop.bench.generate(tag, "nanobanana")
    assert refused.status == "error"
    assert [connection.header("authorization") for connection in stranger.requests] == [f"Bearer {ENTERED}"]

    asks = ["/providers", "/settings", "/results", "/spend?by=day,provider,profile", f"/results?query={tag}"]
    (uid,) = [each["id"] for each in shop.pictures(tag) if each["provider"] == "onerouter"]
    asks += [f"/results/{uid}/graph", f"/results/{uid}/image"]
    texts = {path: shop.ask("GET", path).data for path in asks}
    texts["estimate"] = shop.ask("POST", "/estimate", {"prompt": ran.entry["prompt"][2], "detail": True}).data
    for path in ("/history", "/object_info", "/settings", "/queue", "/userdata?dir=."):
        try:
            texts[f"host {path}"] = process.fetch(shop.host.url + path)
        except process.Answered as answered:
            texts[f"host {path}"] = str(answered).encode()
    texts["error"] = refused.error.encode()
    texts["log"] = shop.host.log.read_bytes()
    for folder in (shop.host.base, shop.home):
        for file in folder.rglob("*"):
            if file.is_file() and "custom_nodes" not in file.parts and file.name != "keys.json":
                texts[str(file)] = file.read_bytes()
    pictures = [name for name in texts if "routes-secret" in name]
    assert pictures and b"ProviderConfig" in texts[pictures[0]], "the graph is not in it, so this proves nothing"
    assert [name for name, text in texts.items() if ENTERED.encode() in text] == []
    keys = shop.home / "keys.json"
    assert ENTERED.encode() in keys.read_bytes()
    if os.name == "posix":
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600


def test_a_key_is_disabled_when_the_address_changes(shop: Page, stranger: RawServer, tag: str) -> None:
    """The run is refused with the way out and nothing is sent; back at the first address it works again."""
    stranger.forget()
    assert shop.key("onerouter")["state"] == "stored"
    shop.at("onerouter", stranger.url)
    seen = shop.key("onerouter")
    assert seen["state"] == "disabled" and "another address" in seen["problem"] and seen["replaceable"]
    ran = shop.bench.generate(tag, "onerouter")
    assert ran.status == "error" and "another address" in ran.error and "Settings" in ran.error, ran.error
    assert shop.ask("POST", "/keys/onerouter/default/test", {}).status in (400, 429)
    assert stranger.requests == [] and not shop.bench.asked(tag)
    shop.at("onerouter", f"  {shop.doubles.base_url('onerouter')}/v1/images/generations ")
    assert shop.provider("onerouter")["base_url"] == shop.doubles.base_url("onerouter")
    assert shop.key("onerouter")["state"] == "stored"
    assert shop.bench.generate(tag, "onerouter").status == "success"


def test_a_key_of_the_environment_does_not_follow_a_page(page: Page, stranger: RawServer, tag: str) -> None:
    """A page that changes the address gets nobody's key sent there."""
    stranger.forget()
    try:
        assert page.key("runflow")["state"] == "environment" and page.key("runflow")["source"] == "RUNFLOW_API_KEY"
        page.at("runflow", stranger.url)
        assert page.key("runflow")["state"] == "disabled"
        ran = page.bench.generate(tag, "runflow")
        assert ran.status == "error" and "RUNFLOW_API_KEY" in ran.error and "NANO_BANANA_RUNFLOW_BASE_URL" in ran.error
        assert page.ask("POST", "/keys/runflow/default/test", {}).status in (400, 429)
        assert stranger.requests == []
    finally:
        page.at("runflow", None)
    assert page.key("runflow")["state"] == "environment" and page.provider("runflow")["base_url_source"] == "row"


def test_a_key_is_deleted_by_its_name_once(shop: Page, tag: str) -> None:
    """A profile of its own, used and gone; the default key stays."""
    shop.good("PUT", "/keys/onerouter/team-1", {"key": "sim-team"})
    info = shop.host.get("/object_info/ProviderConfig")["ProviderConfig"]
    assert "team-1" in json.dumps(info["input"])
    assert shop.bench.generate(tag, "onerouter", {"profile": "team-1"}).status == "success"
    shop.good("DELETE", "/keys/onerouter/team-1")
    assert shop.ask("DELETE", "/keys/onerouter/team-1").status == 404
    ran = shop.bench.generate(f"{tag} again", "onerouter", {"profile": "team-1"})
    assert ran.status == "error" and "team-1" in ran.error and not shop.bench.asked(f"{tag} again")
    assert shop.key("onerouter")["state"] == "stored" and ENTERED in (shop.home / "keys.json").read_text()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/keys/onerouter/default", {}, 400),
        ("/keys/onerouter/default", {"key": None}, 400),
        ("/keys/onerouter/default", {"key": ["sim-x"]}, 400),
        ("/keys/onerouter/default", {"key": "sim-x", "origin": "https://evil.example"}, 400),
        ("/keys/onerouter/default", {"key": ""}, 400),
        ("/keys/onerouter/default", {"key": "sim canary zero\u200bwidth"}, 400),
        ("/keys/onerouter/sk-canary1234567890abcdef", {"key": "sim-x"}, 400),
        ("/keys/onerouter/a%2Fb", {"key": "sim-x"}, 400),
        ("/keys/nobody/default", {"key": "sim-x"}, 404),
        ("/keys/offline/default", {"key": "sim-x"}, 400),
    ],
)
def test_a_key_that_can_t_be_one_changes_nothing(path: str, body: Any, status: int, shop: Page) -> None:
    """Nor is anything of it repeated."""
    before = (shop.home / "keys.json").read_bytes()
    answer = shop.ask("PUT", path, body)
    assert answer.status == status and b"canary" not in answer.data
    assert (shop.home / "keys.json").read_bytes() == before


def test_a_damaged_file_of_keys_is_said_and_stops_nobody_else(shop: Page, tag: str) -> None:
    """The list is still there, and so are the keys of the environment."""
    keys = shop.home / "keys.json"
    whole = keys.read_bytes()
    keys.write_bytes(b"{ not json")
    try:
        assert shop.key("onerouter")["state"] == "disabled" and "keys.json" in shop.key("onerouter")["problem"]
        assert shop.key("apiframe")["state"] == "environment"
        assert "keys.json" in shop.ask("PUT", "/keys/onerouter/default", {"key": ENTERED}).error
        assert shop.bench.generate(tag, "apiframe").status == "success"
        assert keys.read_bytes() == b"{ not json"
    finally:
        keys.write_bytes(whole)


def test_a_key_is_tested_for_nothing_and_not_too_often(page: Page) -> None:
    """Works, refused, and after ten a pause with its length; the verdict is remembered without the key."""
    page.at("runflow", page.doubles.base_url("runflow"), "sim-right")
    before = page.doubles.request_log(provider="runflow")["requests"]
    try:
        assert page.good("POST", "/keys/runflow/default/test", {})["verdict"] == "works"
        tested = page.key("runflow")["tested"]
        assert tested["verdict"] == "works" and abs(tested["at"] - time.time()) < 60
        page.good("PUT", "/keys/runflow/default", {"key": "wrong-canary-key"})
        assert page.key("runflow")["tested"] is None
        answer = page.ask("POST", "/keys/runflow/default/test", {})
        assert answer.json["verdict"] == "refused" and b"canary" not in answer.data
        for _ in range(10):
            answer = page.ask("POST", "/keys/runflow/default/test", {})
            if answer.status != 200:
                break
        assert answer.status == 429 and 1 <= int(answer.headers["retry-after"]) <= 61 and "wait" in answer.error
    finally:
        page.good("DELETE", "/keys/runflow/default")
        page.at("runflow", None)
    assert page.doubles.request_log(provider="runflow")["requests"] == before


# --------------------------------------------------------------------------------------------------------------- guard


CROSS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/providers", {"Sec_Fetch_Site": "cross-site"}),
    ("GET", "/settings", {"Sec_Fetch_Site": "same-site"}),
    ("GET", "/results", {"Origin": "https://evil.example"}),
    ("GET", "/spend", {"Referer": "https://evil.example/page"}),
    ("GET", "/results", {"Host": "rebound.example"}),
    ("GET", "/providers", {"Origin": "null"}),
    ("PUT", "/settings", {"Origin": "https://evil.example"}),
    ("PUT", "/settings", {"Sec_Fetch_Site": "cross-site"}),
    ("PUT", "/settings", {"Sec_Fetch_Site": "none"}),
    ("PUT", "/keys/onerouter/default", {"Origin": "https://evil.example"}),
    ("PUT", "/providers/onerouter", {"Host": "rebound.example", "Sec_Fetch_Site": "same-origin"}),
    ("POST", "/keys/onerouter/default/test", {"Referer": "https://evil.example/"}),
    ("POST", "/estimate", {"Origin": "https://evil.example"}),
    ("POST", "/drafts", {"Sec_Fetch_Site": "cross-site"}),
    ("POST", "/results/0123456789abcdef0123456789abcdef/read", {"Origin": "https://evil.example"}),
    ("POST", "/results/0123456789abcdef0123456789abcdef/read", {"Sec_Fetch_Site": "cross-site"}),
    ("POST", "/results/pay_again", {"Sec_Fetch_Site": "cross-site"}),
    ("POST", "/results/withdraw", {"Origin": "https://evil.example"}),
    ("DELETE", "/keys/onerouter/default", {"Origin": "https://evil.example"}),
    ("DELETE", "/results?all=yes", {"Sec_Fetch_Site": "cross-site"}),
]


@pytest.mark.parametrize("root", [ROOT, f"/api{ROOT}"])
@pytest.mark.parametrize(("method", "path", "headers"), CROSS)
def test_other_sites_are_refused_although_the_host_lets_them_in(
    method: str, path: str, headers: dict[str, str], root: str, shop: Page
) -> None:
    """Under both of the host's addresses for a route; nothing is changed and nothing is told."""
    files = {name: (shop.home / name).read_bytes() for name in ("keys.json", "settings.json")}
    body = {"key": "sim-evil", "cap_run": "none", "base_url": "https://evil.example"} if method[0] == "P" else None
    answer = shop.ask(method, path, body, root, **headers)
    assert answer.status == 403 and answer.json["error"]["kind"] == "forbidden"
    assert b"onerouter" not in answer.data
    assert files == {name: (shop.home / name).read_bytes() for name in files}


def test_the_host_itself_would_have_let_them_in(page: Page) -> None:
    """Else the tests above prove nothing: this host's own routes answer another origin."""
    connection = http.client.HTTPConnection("127.0.0.1", page.host.port, timeout=300)
    connection.request("GET", "/queue", headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("access-control-allow-origin") == "*"
    connection.close()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"cap_run": "none"}', "text/plain", 415),
        (b"cap_run=none", "application/x-www-form-urlencoded", 415),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b'{"cap_run": NaN}', "application/json", 400),
    ],
)
def test_bodies_that_are_no_json_object_are_refused(body: bytes, kind: str, status: int, page: Page) -> None:
    """A form on a web page can send the first two without asking."""
    answer = page.ask("PUT", "/settings", body, Content_Type=kind)
    assert answer.status == status and page.good("GET", "/settings")["settings"]["cap_run"]["value"] == "5"


def test_a_body_that_is_too_long_is_refused(page: Page) -> None:
    """Before it is all here."""
    with socket.create_connection(("127.0.0.1", page.host.port), timeout=300) as line:
        head = "POST /nano_banana/estimate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        line.sendall(f"{head}Content-Length: {1 << 33}\r\n\r\n".encode())
        for _ in range(9 << 4):
            line.sendall(b" " * (1 << 16))
        assert line.recv(64).startswith(b"HTTP/1.1 413")


# ------------------------------------------------------------------------------------------------------------- results


@pytest.fixture
def made(page: Page) -> list[dict[str, Any]]:
    """Five pictures in three runs, the newest first; made again when a test has forgotten them."""
    if len(page.pictures("gallery")) != 5:
        page.at("onerouter", page.doubles.base_url("onerouter"), ENTERED)
        page.doubles.fault("longest=0", match="gallery")
        for name, count in (("first", 1), ("second", 3), ("third 100%_x", 1)):
            ran = page.bench.generate(f"gallery {name}", "onerouter", num_images=count)
            assert ran.status == "success", ran.error
        page.doubles.clear_faults()
    return page.pictures("gallery")


def test_pictures_are_listed_by_pages_and_found_by_words(page: Page, made: list[dict[str, Any]]) -> None:
    """Every picture once, the newest first; a percent sign is a percent sign."""
    assert [each["prompt"] for each in made] == ["gallery third 100%_x", *["gallery second"] * 3, "gallery first"]
    assert all(e["state"] == "stored" and e["picture"] and not e["open"] and e["label"] == "OneRouter" for e in made)
    pages, cursor = [], ""
    for _ in range(3):
        found = page.good("GET", f"/results?query=gallery&limit=2&cursor={cursor}")
        pages.append([each["id"] for each in found["results"]])
        cursor = found["next"]
    assert sum(pages, []) == [each["id"] for each in made] and cursor is None
    assert [len(each) for each in pages] == [2, 2, 1]
    assert len(page.pictures("GALLERY Second")) == 3 and len(page.pictures("100%_")) == 1
    assert page.pictures("gallery", state="unknown,sent") == [] and len(page.pictures("gallery", state="stored")) == 5
    assert page.ask("GET", "/results?limit=many").status == 400
    assert len(page.good("GET", "/results?limit=-3")["results"]) == 1


def test_the_original_is_the_provider_s_own_bytes(page: Page) -> None:
    """Bit for bit what is on the provider's server, under its own type; the second time by its tag."""

    def fetched() -> set[str]:
        calls = page.doubles.request_log(provider="onerouter")["free"]
        return {call["path"] for call in calls if call["kind"] == "file"}

    page.at("onerouter", page.doubles.base_url("onerouter"), ENTERED)
    before = fetched()
    assert page.bench.generate("its own bytes", "onerouter").status == "success"
    (path,) = fetched() - before
    (row,) = page.pictures("its own bytes")
    answer = page.ask("GET", f"/results/{row['id']}/image")
    assert answer.headers["content-type"] == "image/png"
    assert answer.data == process.fetch(page.doubles.origin + path)
    assert (
        "private" in answer.headers["cache-control"] and answer.headers["cross-origin-resource-policy"] == "same-origin"
    )
    again = page.ask("GET", f"/results/{row['id']}/image", If_None_Match=answer.headers["etag"])
    assert again.status == 304 and not again.data


def test_a_thumbnail_is_made_small_by_the_server(page: Page, made: list[dict[str, Any]]) -> None:
    """WebP, at most as long as asked for and not much shorter, never larger than the original; the same picture."""
    path = f"/results/{made[0]['id']}/image"
    whole = page.ask("GET", path)
    original = Image.open(io.BytesIO(whole.data)).convert("RGB")
    for size, side in (("200", 200), ("1", 16), ("99999", max(original.size))):
        answer = page.ask("GET", f"{path}?max={size}")
        small = Image.open(io.BytesIO(answer.data))
        assert answer.headers["content-type"] == "image/webp" and small.format == "WEBP"
        assert side / 2 < max(small.size) <= side and answer.headers["etag"] != whole.headers["etag"]
        ratio = original.width / original.height
        assert abs(small.width / small.height - ratio) < 0.1
    near = np.asarray(Image.open(io.BytesIO(page.ask("GET", f"{path}?max=200").data)).convert("RGB"), float)
    far = np.asarray(original.resize((near.shape[1], near.shape[0]), Image.Resampling.LANCZOS), float)
    assert np.abs(near - far).mean() < 6 and len(page.ask("GET", f"{path}?max=200").data) < len(whole.data) / 4
    for size in ("x", "-5", "1.5", ""):
        answer = page.ask("GET", f"{path}?max={size}")
        assert answer.status == (400 if size else 200)


def test_the_graph_of_a_picture_can_be_queued_again(page: Page, made: list[dict[str, Any]]) -> None:
    """And gives the same picture for nothing."""
    found = page.good("GET", f"/results/{made[-1]['id']}/graph")
    assert found["workflow"] is None and found["prompt"]["make"]["inputs"]["prompt"] == "gallery first"
    before = page.bench.paid("gallery")
    ran = page.bench.run(found["prompt"])
    assert ran.status == "success" and page.bench.paid("gallery") == before


def test_a_picture_goes_into_the_input_folder_and_can_be_loaded(page: Page, made: list[dict[str, Any]]) -> None:
    """Once, however often it is asked; LoadImage gives its pixels."""
    name = page.good("POST", f"/results/{made[0]['id']}/input", {})["name"]
    assert page.good("POST", f"/results/{made[0]['id']}/input", {})["name"] == name
    assert len(list((page.host.base / "input").glob("*nano_banana*"))) == 1
    ran = page.bench.run({"load": node("LoadImage", image=name), "show": node("PreviewImage", images=["load", 0])})
    assert ran.status == "success", ran.refusal or ran.error
    original = Image.open(io.BytesIO(page.ask("GET", f"/results/{made[0]['id']}/image").data)).convert("RGB")
    assert (ran.images()[0][..., :3] == np.asarray(original)).all()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/results/nothing/image"),
        ("GET", "/results/..%2F..%2Fkeys.json/image"),
        ("GET", "/results/nothing/graph"),
        ("POST", "/results/nothing/recover"),
        ("POST", "/results/nothing/input"),
        ("DELETE", "/results/nothing"),
    ],
)
def test_what_isn_t_there_is_said(method: str, path: str, page: Page) -> None:
    """As 404, for every route."""
    assert page.ask(method, path, {} if method == "POST" else None).status == 404


@pytest.mark.usefixtures("one_day")
def test_pictures_are_forgotten_one_by_one_by_age_and_all(page: Page, tag: str) -> None:
    """Bytes, prompt and graph are gone, what was spent stays; nothing is forgotten by saying it half."""
    page.at("onerouter", page.doubles.base_url("onerouter"), ENTERED)
    assert page.bench.generate(f"{tag} old", "onerouter", num_images=2).status == "success"
    page.bench.generate(f"{tag} new", "onerouter")
    spent = page.good("GET", "/spend")["today"]["usd"]
    new, old = page.pictures(f"{tag} new"), page.pictures(f"{tag} old")
    page.good("DELETE", f"/results/{old[0]['id']}")
    assert page.ask("DELETE", f"/results/{old[0]['id']}").status == 404
    assert page.ask("GET", f"/results/{old[0]['id']}/image?max=64").status == 404
    assert [each["id"] for each in page.pictures(f"{tag} old")] == [old[1]["id"]]
    for query in ("", "?before=", "?all=no", "?all=yes&before=1", "?before=yesterday", "?before=inf", "?before=1e999"):
        assert page.ask("DELETE", f"/results{query}").status == 400
    assert page.good("DELETE", "/results?before=nan")["forgotten"] == 0
    assert page.good("DELETE", f"/results?before={new[0]['created']}")["forgotten"] >= 1
    assert not page.pictures(f"{tag} old") and len(page.pictures(f"{tag} new")) == 1
    assert page.good("DELETE", "/results?all=yes")["forgotten"] >= 1
    assert page.good("GET", "/results")["results"] == []
    assert page.good("GET", "/spend")["today"]["usd"] == pytest.approx(spent) and spent > 0
    assert tag.encode() not in b"".join(
        f.read_bytes() for f in page.home.rglob("*") if f.is_file() and "wal" not in f.name
    )


# -------------------------------------------------------------------------------------------------------------- money


@pytest.mark.usefixtures("one_day")
def test_what_was_spent_is_what_the_provider_has_billed(page: Page, tag: str) -> None:
    """Today, this month and by provider, to the cent; what may have been charged is said apart."""
    page.at("runflow", page.doubles.base_url("runflow"), "sim-right")
    try:
        before = page.good("GET", "/spend")
        ran = page.bench.generate(tag, "runflow", num_images=3, resolution="1K")
        assert ran.status == "success", ran.error
        lost = page.bench.generate(f"{tag} lost [[sim: drop=headers]]", "runflow", resolution="1K")
        assert lost.status == "error"
    finally:
        page.good("DELETE", "/keys/runflow/default")
        page.at("runflow", None)
    after = page.good("GET", "/spend?by=provider&days=1")
    billed = page.doubles.request_log(prompt=tag)
    assert billed["paid_images"] == 4
    for period in ("today", "month"):
        gain = {name: after[period][name] - before[period][name] for name in after[period]}
        assert gain["pictures"] == 3 and gain["usd"] == pytest.approx(billed["cost_usd"])
        assert gain["usd_in_doubt"] == pytest.approx(billed["cost_usd"] / 4)
    assert after["caps"] == {"run": 5, "day": None, "month": None}
    assert sum(row["usd"] for row in after["rows"]) == pytest.approx(after["today"]["usd"], abs=1e-6)
    for query in ("by=nothing", "by=day&days=many"):
        assert page.ask("GET", f"/spend?{query}").status == 400


def test_a_cap_that_is_set_holds_at_once(shop: Page, tag: str) -> None:
    """And a senseless one changes nothing; null takes it back."""
    try:
        seen = shop.good("PUT", "/settings", {"cap_run": 0.05})["settings"]["cap_run"]
        assert seen == {"value": "0.05", "source": "settings", "variable": "NANO_BANANA_CAP_RUN"}
        ran = shop.bench.generate(tag, "onerouter", num_images=4)
        assert ran.status == "error" and "cap per run is $0.05" in ran.error and not shop.bench.asked(tag)
        for change in ({"cap_run": "5,00"}, {"cap_run": True}, {"cap_run": 1, "results": "/"}, {"order": ["nobody"]}):
            assert shop.ask("PUT", "/settings", change).status == 400
        assert shop.good("GET", "/settings")["settings"]["cap_run"] == seen
        assert shop.good("GET", "/settings")["settings"]["cap_day"]["source"] == "environment"
    finally:
        shop.good("PUT", "/settings", {"cap_run": None})
    assert shop.good("GET", "/settings")["settings"]["cap_run"]["source"] == "default"


def test_the_order_of_auto_is_the_user_s(shop: Page, tag: str) -> None:
    """In the list of providers and in the next run."""
    try:
        shop.good("PUT", "/settings", {"order": ["apiframe", "onerouter"]})
        assert [p["id"] for p in shop.good("GET", "/providers")["providers"]][:2] == ["apiframe", "onerouter"]
        ran = shop.bench.generate(tag, "auto", on_failure="fail", resolution="1K")
        assert ran.status == "success" and ran.info()["provider"] == "apiframe"
    finally:
        shop.good("PUT", "/settings", {"order": None})


def test_an_estimate_says_what_the_run_then_does(shop: Page, tag: str) -> None:
    """A generation and an edit of a loaded picture: paid before, stored after, and nothing sent by asking."""
    name = shop.bench.put(f"{tag}.png".replace("/", "-"), colours(40, 60, seed=3))
    prompt = {
        "config": node("ProviderConfig", provider="onerouter", model="nano-banana-2"),
        "make": node("NanoBananaGenerate", prompt=f"{tag} make", provider=["config", 0], num_images=2, resolution="1K"),
        "load": node("LoadImage", image=name),
        "edit": node("NanoBananaEdit", prompt=f"{tag} edit", provider=["config", 0], images__image_1=["load", 0]),
        "later": node("NanoBananaEdit", prompt=f"{tag} later", provider=["config", 0], images__image_1=["make", 0]),
        "show": node("PreviewImage", images=["make", 0]),
        "show2": node("PreviewImage", images=["edit", 0]),
    }
    ask = {"prompt": prompt, "detail": True, "everywhere": True}
    before = shop.good("POST", "/estimate", ask)["nodes"]
    assert set(before) == {"make", "edit", "later"} and not shop.bench.asked(tag)
    make, edit, later = before["make"], before["edit"], before["later"]
    assert make["problem"] is None and (make["pictures"], make["stored"]) == (2, 0) and make["usd"] > 0
    assert {each["provider"] for each in make["everywhere"]} >= {"onerouter", "apiframe"}
    for offer in make["everywhere"]:
        known = offer.get("usd_each") is not None
        assert bool(offer.get("price_source")) == known, f"{offer['provider']}: where its price is from"
    assert (edit["stored"], edit["sure"]) == (0, True)
    assert edit["references"] == [
        {"input": "image_1", "from": f"LoadImage '{name}'", "width": 60, "height": 40, "number": 1}
    ]
    assert (later["stored"], later["sure"], later["frames_known"]) == (None, False, False)
    (send,) = edit["sends"]
    assert "<picture 1: 60x40>" in send["body"] and send["headers"]["Authorization"] == "Bearer ***"
    quick = shop.good("POST", "/estimate", {"prompt": prompt})["nodes"]
    assert quick["edit"]["sends"] == [] and quick["make"]["stored"] == 0 and quick["make"]["usd"] == make["usd"]
    ran = shop.bench.run(prompt)
    assert ran.status == "success", ran.error
    asked = shop.bench.asked(f"{tag} edit")
    sent = {key: value for key, value in json.loads(send["body"]).items() if key != "image_urls"}
    assert [entry["fields"] for entry in asked] == [sent] and asked[0]["route"] == "/onerouter/v1/images/edits"
    assert ran.info("make")["cost_usd"] == pytest.approx(make["usd"])
    after = shop.good("POST", "/estimate", ask)["nodes"]
    assert [(after[name]["stored"], after[name]["usd"], after[name]["sends"]) for name in ("make", "edit")] == [
        (2, 0, []),
        (1, 0, []),
    ]


ODD_VALUES: list[dict[str, Any]] = [
    {"num_images": math.inf},
    {"num_images": math.nan, "seed": -math.inf},
    {"num_images": "many", "seed": None, "resolution": {"x": 1}},
    {"prompt": "half \ud800 a character"},
    {"prompt": ["gone", 0], "seed": ["gone", 1], "aspect_ratio": ["gone", 2]},
    {"prompt": None, "provider": "onerouter"},
    {"provider": ["config", 0, 0], "images.image_1": 5},
    {"provider": ["loop", 0]},
    {"seed": 10**40, "num_images": 10**9},
]


@pytest.mark.parametrize("inputs", ODD_VALUES)
@pytest.mark.parametrize("kind", ["NanoBananaGenerate", "NanoBananaEdit"])
def test_an_estimate_of_an_odd_prompt_is_an_answer_in_words(kind: str, inputs: dict[str, Any], shop: Page) -> None:
    """A badge is drawn while a person types: numbers without end, half characters, links into nothing, loops."""
    prompt = {
        "make": {"class_type": kind, "inputs": {"prompt": "x", "images.image_1": ["gone", 0], **inputs}},
        "loop": node("ProviderConfig", provider="onerouter", fallback=["loop", 0]),
        "broken": 5,
        "odd": {"class_type": ["x"], "inputs": None},
    }
    found = shop.good("POST", "/estimate", {"prompt": prompt, "detail": True, "everywhere": True})["nodes"]
    assert set(found) == {"make"} and (found["make"]["problem"] or found["make"]["pictures"] >= 1)


def test_an_estimate_names_the_missing_key_before_the_run_does(page: Page) -> None:
    """In the same words, with its way out."""
    prompt = {
        "config": node("ProviderConfig", provider="onerouter", profile="nobody"),
        "make": node("NanoBananaGenerate", prompt="x", provider=["config", 0]),
    }
    problem = page.good("POST", "/estimate", {"prompt": prompt})["nodes"]["make"]["problem"]
    assert problem["kind"] == "config" and "profile nobody" in problem["what"] and "Settings" in problem["cure"]
    bodies: list[Any] = [{}, {"prompt": []}, {"prompt": "x"}]
    for body in bodies:
        assert page.ask("POST", "/estimate", body).status == 400


# ---------------------------------------------------------------------------------------------------------- providers


def test_an_own_provider_is_there_at_once_and_makes_pictures(page: Page, tag: str) -> None:
    """Added by a page, chosen in the node, paid with its own key; removed, it is gone with its key."""
    facts = {"label": "Corner shop", "base_url": page.doubles.base_url("nanobanana"), "dialect": "openai_images"}
    assert page.ask("PUT", "/providers/corner", {**facts, "dialect": "smtp"}).status == 400
    assert page.ask("PUT", "/providers/corner", {**facts, "base_url": "http://lan.example"}).status == 400
    assert page.ask("PUT", "/providers/offline", facts).status == 400
    assert page.ask("PUT", "/providers/onerouter", facts).status == 400
    assert page.ask("PUT", "/providers/onerouter", {"base_url": 5}).status == 400
    assert page.ask("DELETE", "/providers/onerouter").status == 400
    added = page.good("PUT", "/providers/corner", facts)
    assert added["own"] and added["label"] == "Corner shop" and added["keys"][0]["state"] == "none"
    assert added["auth"] == "bearer" and all(model["price"] is None for model in added["models"])
    info = page.host.get("/object_info/ProviderConfig")["ProviderConfig"]
    assert '"corner"' in json.dumps(info["input"])
    ran = page.bench.generate(tag, "corner")
    assert ran.status == "error" and "Corner shop" in ran.error and not page.bench.asked(tag)
    page.good("PUT", "/keys/corner/default", {"key": "sim-corner"})
    ran = page.bench.generate(tag, "corner")
    assert ran.status == "success" and ran.info()["provider"] == "corner" and ran.info()["cost_usd"] is None
    (shown,) = page.pictures(tag)
    assert shown["label"] == "Corner shop" and shown["usd"] == pytest.approx(0.30) and not shown["exact"]
    page.good("PUT", "/providers/corner", {**facts, "base_url": "http://127.0.0.1:9"})
    assert page.key("corner")["state"] == "disabled"
    assert page.good("DELETE", "/providers/corner") == {"removed": "corner"}
    assert page.ask("DELETE", "/providers/corner").status == 404
    assert "sim-corner" not in (page.home / "keys.json").read_text()
    info = page.host.get("/object_info/ProviderConfig")["ProviderConfig"]
    assert '"corner"' not in json.dumps(info["input"])
    assert page.ask("GET", f"/results/{shown['id']}/image").status == 200


def test_a_model_is_added_to_a_built_in_provider_and_taken_away(shop: Page, tag: str) -> None:
    """Offered by the node, described, priced in the estimate, asked for by its id; nothing else of the provider changes."""
    page = shop
    before = page.provider("onerouter")["models"]
    for wrong in ({}, {"models": 5}, {"models": {"a": {"wire": ""}}}, {"models": {"a": {"wire": "x"}}, "label": "A"}):
        assert page.ask("PUT", "/providers/onerouter", wrong).status == 400
    assert page.ask("PUT", "/providers/offline", {"models": {"a": {"wire": "x"}}}).status == 400
    wires = {"generate": "google/nano-banana-text-to-image", "edit": "google/nano-banana-image-to-image"}
    facts = {"wire": wires, "price": {"1K": 0.012}, "like": "nano-banana"}
    shown = page.good("PUT", "/providers/onerouter", {"models": {"banana-next": facts}})
    model = shown["models"][-1]
    assert shown["models"][:-1] == before and (model["name"], model["added"], model["like"]) == (
        "banana-next",
        True,
        "nano-banana",
    )
    assert model["generate"]["wire"] == wires["generate"] and model["price"]["source"] == "Settings"
    info = page.host.get("/object_info/ProviderConfig")["ProviderConfig"]
    assert '"banana-next"' in json.dumps(info["input"])
    ran = page.bench.generate(tag, config={"model": "banana-next"})
    assert ran.status == "success", ran.error
    assert ran.info()["cost_usd"] == 0.012
    (asked,) = page.bench.asked(tag)
    assert asked["fields"]["model"] == wires["generate"]
    assert page.good("PUT", "/providers/onerouter", {"models": {"banana-next": None}})["models"] == before
    page.good("PUT", "/providers/onerouter", {"models": {"banana-next": facts}})
    assert page.good("DELETE", "/providers/onerouter") == {"removed": "onerouter"}
    assert page.provider("onerouter")["models"] == before and page.ask("DELETE", "/providers/onerouter").status == 400


def test_every_provider_is_described_from_its_spec(page: Page) -> None:
    """What the page needs to draw its lists; the simulation is last and asks for no key."""
    found = page.good("GET", "/providers")
    assert found["providers"][-1]["id"] == "offline" and not found["providers"][-1]["needs_key"]
    for each in found["providers"]:
        assert [m["name"] for m in each["models"] if m["recommended"]] == [each["recommended"]]
        assert each["local"] or each["base_url"] or each["base_url_problem"]
        assert each["local"] or each["key_variable"].startswith("NANO_BANANA_")
    apiframe = page.provider("apiframe")
    assert (
        apiframe["base_url_source"] == "environment" and apiframe["keys"][0]["source"] == "NANO_BANANA_APIFRAME_API_KEY"
    )
    assert "bearer" in found["auths"] and "openai_images" in found["dialects"]


# ------------------------------------------------------------------------------------------------------------ recovery


def test_a_paid_picture_comes_home_when_its_key_is_back(page: Page, doubles: Any, tag: str) -> None:
    """Its address failed, its key is gone meanwhile: it waits, is listed, and is fetched for nothing."""
    page.at("onerouter", doubles.base_url("onerouter"), ENTERED)
    words = "task steps=2 file_status=403 times=2"
    ran = page.bench.generate(f"{tag} [[sim: {words}]]", "onerouter")
    assert ran.status == "error", "there was nothing to recover"
    (stuck,) = page.pictures(tag)
    assert stuck["recoverable"] and not stuck["running"] and stuck["open"] and not stuck["picture"]
    assert page.ask("GET", f"/results/{stuck['id']}/image").status == 404
    page.good("DELETE", "/keys/onerouter/default")
    found = page.good("POST", f"/results/{stuck['id']}/recover", {})
    assert found["ended"] and found["pictures"] == 0 and found["result"]["recoverable"]
    page.good("PUT", "/keys/onerouter/default", {"key": ENTERED})
    found = page.good("POST", f"/results/{stuck['id']}/recover", {})
    assert found["ended"] and found["pictures"] == 1 and found["failed"] == 0, found
    assert found["result"]["state"] == "stored" and found["result"]["picture"] and not found["result"]["recoverable"]
    assert page.ask("GET", f"/results/{stuck['id']}/image").data[:8] == b"\x89PNG\r\n\x1a\n"
    assert page.good("POST", "/results/recover", {})["pictures"] == 0
    ran = page.bench.generate(f"{tag} [[sim: {words}]]", "onerouter")
    assert ran.status == "success" and ran.info()["images"][0]["from"] == "store" and page.bench.paid(tag) == 1


# ---------------------------------------------------------------------------------------------------------- read again


@pytest.fixture
def unreadable_shop(page: Page, stranger: RawServer) -> Iterator[Page]:
    """OpenRouter at a server that answers in a way that no version of the pack knows."""
    page.at("openrouter", stranger.url, ENTERED)
    stranger.handle(json_answers(UNREADABLE))
    yield page
    page.good("DELETE", "/keys/openrouter/default")
    page.at("openrouter", None)


def kept_file(page: Page, row: dict[str, Any]) -> Path:
    return page.home / "results" / "unreadable" / str(row["answer"])


def test_an_answer_that_could_not_be_read_is_kept_and_read_again(
    unreadable_shop: Page, stranger: RawServer, tag: str
) -> None:
    """The run fails and says where the answer is; it is read again for nothing, and in vain until its shape is known."""
    ran = unreadable_shop.bench.generate(tag, "openrouter")
    assert ran.status == "error" and "Read again" in ran.error and "may have charged" in ran.error
    (row,) = unreadable_shop.pictures(tag)
    file = kept_file(unreadable_shop, row)
    assert row["answer"] and row["answer"] in ran.error and not row["picture"] and row["usd"] > 0
    assert file.exists() and ENTERED.encode() not in file.read_bytes()
    path = f"/results/{row['id']}/read"
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert unreadable_shop.ask("POST", path, {}, ROOT, **headers).status == 403
    again = unreadable_shop.good("POST", path, {})
    assert again["pictures"] == 0 and "OpenRouter" in again["reason"] and again["result"] == row
    head = file.read_bytes().partition(b"\n")[0]
    file.write_bytes(head + b"\n" + json.dumps(chat_answer(colours(24, 32, seed=5))).encode())
    again = unreadable_shop.good("POST", path, {})
    assert again["pictures"] == 1 and again["reason"] == ""
    assert again["result"]["picture"] and again["result"]["state"] == "stored" and again["result"]["answer"] == ""
    data = unreadable_shop.ask("GET", f"/results/{row['id']}/image").data
    assert (np.asarray(Image.open(io.BytesIO(data))) == colours(24, 32, seed=5)).all()
    ran = unreadable_shop.bench.generate(tag, "openrouter")
    assert ran.status == "success" and ran.info()["images"][0]["from"] == "store" and len(stranger.requests) == 1
    assert unreadable_shop.good("POST", path, {})["pictures"] == 0
    assert unreadable_shop.ask("POST", "/results/nobody/read", {}).status == 404


def test_forgetting_deletes_a_kept_answer(unreadable_shop: Page, tag: str) -> None:
    """It may hold the prompt."""
    unreadable_shop.bench.generate(tag, "openrouter")
    (row,) = unreadable_shop.pictures(tag)
    file = kept_file(unreadable_shop, row)
    assert file.exists()
    assert unreadable_shop.good("DELETE", f"/results/{row['id']}") == {"forgotten": 1}
    assert not file.exists() and unreadable_shop.pictures(tag) == []
    assert unreadable_shop.ask("POST", f"/results/{row['id']}/read", {}).status == 404


def test_info_names_the_row_and_the_answer_of_what_failed(unreadable_shop: Page, stranger: RawServer, tag: str) -> None:
    """One of two pictures is made; the other's answer could not be read."""
    stranger.handle(json_answers(UNREADABLE, chat_answer(colours(24, 32, seed=6))))
    ran = unreadable_shop.bench.generate(tag, "openrouter", num_images=2)
    assert ran.status == "success", ran.error
    (failed,) = ran.info()["failed"]
    (row,) = [each for each in unreadable_shop.pictures(tag) if not each["picture"]]
    assert (failed["id"], failed["answer"]) == (row["id"], row["answer"]) and failed["charged"] == "maybe"
    assert row["answer"] and kept_file(unreadable_shop, row).exists()


def test_a_picture_that_is_under_way_is_left_alone(shop: Page, doubles: Any, tag: str) -> None:
    """It can't be forgotten, nor recovered from under the call that is on it."""
    prompt = {
        "config": node("ProviderConfig", provider="onerouter"),
        "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0]),
        "show": node("PreviewImage", images=["make", 0]),
    }
    doubles.fault("hold", provider="onerouter", match=tag)
    try:
        queued = shop.host.queue_prompt(prompt)
        assert doubles.wait(prompt=tag)
        (running,) = shop.pictures(tag)
        assert running["running"] and running["open"] and not running["recoverable"]
        assert shop.ask("DELETE", f"/results/{running['id']}").status == 409
        assert shop.good("POST", f"/results/{running['id']}/recover", {})["pictures"] == 0
    finally:
        doubles.clear_faults()
    assert shop.host.wait_prompt(queued)["status"]["status_str"] == "success" and shop.bench.paid(tag) == 1
