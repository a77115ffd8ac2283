"""What a stranger's workflow, a hostile page, a damaged file or another user of the machine may try, in a real host."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import TEST_ARGUMENTS, Host
from pack.tests.host.kit import ODD_NODE, Bench, colours, node, provider_variables
from pack.tests.host.page import Page


@pytest.fixture(scope="module")
def page(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A host with a key for every provider, a data folder that is made by it under umask 0, and --multi-user."""
    home = tmp_path_factory.mktemp("attacked") / "home"
    variables = {**provider_variables(doubles), "NANO_BANANA_HOME": str(home)}
    base = tmp_path_factory.mktemp("host")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "odd_values.py").write_text(ODD_NODE)
    before = os.umask(0) if os.name == "posix" else 0
    try:
        host = Host.start(base, variables, (*TEST_ARGUMENTS, "--multi-user", "--verbose", "DEBUG"))
    finally:
        if os.name == "posix":
            os.umask(before)
    with host:
        host.home = home
        yield Page(Bench(host, doubles))


# ------------------------------------------------------------------------------------------------------- files on disk


@pytest.mark.long
def test_settings_with_a_byte_order_mark_keep_their_caps(page: Page) -> None:
    """As Windows' editors save it: another setting that is saved doesn't put the caps back."""
    page.good("PUT", "/settings", {"parallel": 2})
    (page.home / "settings.json").write_text('{"cap_run": "1", "cap_month": "2"}', "utf-8-sig")
    found = page.good("PUT", "/settings", {"parallel": 3})["settings"]
    assert [found[name]["value"] for name in ("cap_run", "cap_month", "parallel")] == ["1", "2", "3"]
    page.good("PUT", "/settings", {"cap_run": None, "cap_month": None, "parallel": None})


@pytest.mark.parametrize(
    "content",
    [
        b'{"cap_run": "0.01",}',
        pytest.param(b"[1]", marks=pytest.mark.long),
        pytest.param(b"", marks=pytest.mark.long),
        b"[" * 100_000,
        pytest.param(b'{"a":' * 90 + b"1" + b"}" * 90, marks=pytest.mark.long),
    ],
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


# -------------------------------------------------------------------------------------------------- names (rebinding)


def under(name: str) -> dict[str, str]:
    """The headers of a page whose name points at this machine: to the browser it is this machine's own page."""
    return {"Host": name, "Origin": f"http://{name}", "Sec_Fetch_Site": "same-origin"}


def codes_in(log: Path, name: str) -> list[str]:
    """The codes for a name that are in the host's console, the oldest first."""
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if f"as {name}," in line]
    return [line.partition("enter the code ")[2].split()[0] for line in lines]


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/settings", None),
    ("PUT", "/settings", {"cap_run": "none", "cap_day": "none", "hosts": ["rebound.example"]}),
    ("DELETE", "/settings", None),
    ("GET", "/providers", None),
    ("PUT", "/providers/fal", {"base_url": "https://rebound.example"}),
    ("PUT", "/keys/fal/default", {"key": "sim-evil"}),
    ("DELETE", "/keys/fal/default", None),
    ("POST", "/estimate", {"prompt": {}}),
    ("GET", "/results", None),
    ("DELETE", "/results?all=yes", None),
    ("DELETE", "/hosts/rebound.example", None),
    ("GET", "/spend", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_a_name_that_a_stranger_points_here_may_do_nothing(method: str, path: str, body: Any, page: Page) -> None:
    """Nor with the headers of a reverse proxy, which a page can write itself."""
    page.good("PUT", "/settings", {"parallel": 4})
    before = (page.home / "settings.json").read_bytes()
    forged = {"X_Forwarded_Host": "localhost", "X_Forwarded_For": "127.0.0.1", "Forwarded": "host=localhost"}
    for more in ({}, forged):
        answer = page.ask(method, path, body, **under("rebound.example"), **more)
        assert answer.status == 403 and answer.json["unknown_host"] == "rebound.example"
        assert "NANO_BANANA_HOSTS" in answer.error and "This name is mine" in answer.error
    assert (page.home / "settings.json").read_bytes() == before


def test_the_code_stands_in_the_console_and_nowhere_that_a_page_can_read(page: Page) -> None:
    """Once per name; ComfyUI shows its own log to every page, also to a stranger's."""
    for _ in range(3):
        page.ask("GET", "/providers", **under("reader.example"))
    (code,) = codes_in(page.host.log, "reader.example")
    for path in ("/internal/logs", "/internal/logs/raw", "/system_stats", "/history"):
        answer = page.ask("GET", path, root="", **under("reader.example"))
        assert answer.status == 200 and code.encode() not in answer.data, path
    texts = [file.read_bytes() for file in page.host.base.rglob("*.log") if file != page.host.log]
    assert not any(code.encode() in text for text in texts)


def test_codes_can_t_be_guessed_and_help_no_other_name(page: Page) -> None:
    """Five tries, then a pause; another name's code, a foreign page and a name that isn't the page's own change nothing."""

    def say(name: str, asked: str, code: str = "", **more: str) -> Any:
        return page.ask("POST", "/hosts", {"name": asked, "code": code}, **{**under(name), **more})

    assert say("victim.example", "victim.example").json["code"] is True
    assert say("guess.example", "guess.example").json["code"] is True
    (victim,), (own,) = codes_in(page.host.log, "victim.example"), codes_in(page.host.log, "guess.example")
    assert say("guess.example", "victim.example", victim).status == 400
    assert say("guess.example", "guess.example", victim).status == 403
    assert say("victim.example", "victim.example", victim, Sec_Fetch_Site="cross-site").status == 403
    assert (
        say("victim.example", "victim.example", victim, Origin="http://evil.example", Sec_Fetch_Site="").status == 403
    )
    for _ in range(4):
        assert say("guess.example", "guess.example", "AAAAA-AAAAA").status == 403
    late = say("guess.example", "guess.example", own)
    assert late.status == 429 and 1 <= int(late.headers["retry-after"]) <= 60
    for name in ("guess.example", "victim.example"):
        assert page.ask("GET", "/settings", **under(name)).status == 403
    bodies: list[Any] = [{"name": 5}, {"name": "guess.example", "code": 5}, {"name": "guess.example", "hosts": []}, {}]
    for body in bodies:
        assert page.ask("POST", "/hosts", body, **under("guess.example")).status == 400
    for number in range(20):
        page.ask("GET", "/providers", **under(f"n{number}.example"))
    assert sum(len(codes_in(page.host.log, f"n{number}.example")) for number in range(20)) <= 8


def test_somebody_who_reads_the_console_accepts_the_name(page: Page, tag: str) -> None:
    """From then on its page is this machine's; graphs ran under it before; the acceptance is taken back in Settings."""
    (page.home / "settings.json").unlink(missing_ok=True)
    mine = under("victim.example")
    graph = {
        "config": node("ProviderConfig", provider="onerouter"),
        "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0]),
        "show": node("PreviewImage", images=["make", 0]),
    }
    queued = page.ask("POST", "/prompt", {"prompt": graph}, root="", **mine)
    assert queued.status == 200
    assert page.host.wait_prompt(queued.json["prompt_id"])["status"]["status_str"] == "success"
    code = codes_in(page.host.log, "victim.example")[-1]
    answer = page.ask("POST", "/hosts", {"name": "Victim.example", "code": f" {code.lower()} "}, **mine)
    assert answer.json == {"name": "victim.example", "known": True, "code": False}
    assert page.ask("GET", "/settings", **mine).json["hosts"]["accepted"] == ["victim.example"]
    assert page.ask("GET", "/settings", **under("x.victim.example")).status == 403
    assert page.ask("GET", "/settings", **{**mine, "Sec_Fetch_Site": "cross-site"}).status == 403
    page.good("DELETE", "/hosts/victim.example")
    assert page.ask("GET", "/settings", **mine).status == 403
    assert page.ask("POST", "/hosts", {"name": "victim.example", "code": code}, **mine).status in (403, 429)


# ------------------------------------------------------------------------------------------------- a stranger's model


VIDEO = "fal-ai/veo3"


def test_a_stranger_s_workflow_orders_no_videos(page: Page, tag: str) -> None:
    """Sixteen nodes that name any endpoint of the provider: not one order is sent, and the estimate says so before Run."""
    graph: dict[str, Any] = {"config": node("ProviderConfig", provider="fal", model_override=VIDEO)}
    for number in range(16):
        graph[f"make{number}"] = node(
            "NanoBananaGenerate", prompt=f"{tag} {number}", provider=["config", 0], num_images=16
        )
        graph[f"show{number}"] = node("PreviewImage", images=[f"make{number}", 0])
    before = len(page.doubles.request_log(provider="fal")["requests"])
    found = page.good("POST", "/estimate", {"prompt": graph})["nodes"]
    assert len(found) == 16
    for each in found.values():
        assert each["problem"]["model"]["wire"] == VIDEO and each["problem"]["model"]["provider"] == "fal"
        assert "price unknown" in each["problem"]["what"]
    ran = page.bench.run(graph)
    assert ran.status == "error" and VIDEO in ran.error and "NANO_BANANA_ALLOW_MODELS" in ran.error
    assert "Nothing was charged" in ran.error and len(page.doubles.request_log(provider="fal")["requests"]) == before


def test_a_model_is_allowed_on_this_machine_and_taken_back(page: Page, tag: str) -> None:
    """By the user, with the price that it counts as; a page of another site can't."""
    body = {"wire": VIDEO, "price": 1.5}
    for headers in (under("rebound.example"), {"Sec_Fetch_Site": "cross-site"}):
        assert page.ask("PUT", "/models/fal", body, **headers).status == 403
    for wrong in ({"wire": "../x"}, {"wire": VIDEO, "price": -1}, {"wire": VIDEO, "all": True}, {}):
        assert page.ask("PUT", "/models/fal", wrong).status == 400
    assert page.ask("PUT", "/models/nobody", body).status == 404
    assert page.ask("PUT", "/settings", {"allowed_models": {"fal": {VIDEO: {"price": 0}}}}).status == 400
    page.good("PUT", "/models/fal", body)
    graph = {
        "config": node("ProviderConfig", provider="fal", model_override=VIDEO),
        "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0], num_images=4),
        "show": node("PreviewImage", images=["make", 0]),
    }
    found = page.good("POST", "/estimate", {"prompt": graph})["nodes"]["make"]
    assert (found["problem"], found["usd_counted"], found["usd_each"]) == (None, 6.0, None)
    ran = page.bench.run(graph)
    assert ran.status == "error" and "cap" in ran.error and not page.bench.asked(tag)  # 4 x $1.50 is over $5
    assert page.good("GET", "/settings")["allowed_models"][0]["wire"] == VIDEO
    assert page.good("DELETE", f"/models/fal?wire={VIDEO}")["allowed_models"] == []
    assert page.ask("DELETE", f"/models/fal?wire={VIDEO}").status == 404
    assert "price unknown" in page.bench.run(graph).error


def test_a_fallback_s_model_is_asked_about_too(page: Page, tag: str) -> None:
    """The chain is refused before its first link is asked."""
    ran = page.bench.run(
        {
            "last": node("ProviderConfig", provider="fal", model_override=VIDEO),
            "config": node("ProviderConfig", provider="onerouter", fallback=["last", 0]),
            "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0]),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    assert ran.status == "error" and VIDEO in ran.error and not page.bench.asked(tag)


# ------------------------------------------------------------------------------------------------------------- values


def graph_of(
    tag: str, config: dict[str, Any], make: dict[str, Any], more: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One picture through OneRouter, with these values instead of the good ones."""
    return {
        "config": node("ProviderConfig", **{"provider": "onerouter", **config}),
        "make": node("NanoBananaGenerate", **{"prompt": tag, "provider": ["config", 0], **make}),
        "show": node("PreviewImage", images=["make", 0]),
        **(more or {}),
    }


PYTHON = (
    "Traceback",
    "object has no attribute",
    "Error:",
    "not supported between",
    "NoneType",
    "unhashable",
    "recursion",
)
ODD: list[Any] = [None, 7, 1.5, True, "x", [], {}, {"a": 1}]
ODD_CONFIG = [
    (name, value)
    for name in ("provider", "model", "profile", "model_override", "timeout", "max_parallel", "fallback")
    for value in ODD
    if not (isinstance(value, str) and name == "model_override") and value != []
]
ODD_MAKE = [
    (name, value)
    for name in ("provider", "prompt", "aspect_ratio", "resolution", "num_images", "seed", "enable_web_search",
                 "safety_tolerance", "output_format", "thinking", "system_prompt", "on_failure")
    for value in ODD
    if value != []
]  # fmt: skip


def test_values_of_another_type_are_refused_by_name(page: Page, some: Callable[..., list[Any]], tag: str) -> None:
    """By API prompt, in every input of ProviderConfig and of Generate. What the host makes a good value of may run: a
    number where a text is wanted. Nothing else is sent, and no error is Python's."""
    for changed_node, cases in (("config", ODD_CONFIG), ("make", ODD_MAKE)):
        names = list(dict.fromkeys(name for name, _ in cases))
        chosen = [
            pair for turn, name in enumerate(names) for pair in some([one for one in cases if one[0] == name], turn)
        ]
        for number, (name, value) in enumerate(chosen):
            words = f"{tag} {changed_node} {number}"
            changed = {name: value}
            graph = graph_of(
                words, changed if changed_node == "config" else {}, changed if changed_node == "make" else {}
            )
            estimate = page.good("POST", "/estimate", {"prompt": graph})["nodes"]["make"]
            ran = page.bench.run(graph)
            reported = ran.error + ran.refusal
            assert not any(sign in ran.error for sign in PYTHON), (name, value, reported)
            if ran.status == "success":
                continue
            assert name in reported or "fallbacks" in reported, (name, value, reported)
            assert not page.bench.asked(words), (name, value)
            if ran.error:  # the host's own refusals come before any node of ours is asked
                assert estimate["problem"], (name, value)


LINKED: list[tuple[str, Any]] = [
    ("num_images", 99), ("num_images", 0), ("num_images", 1.5), ("num_images", "2"), ("resolution", "9K"),
    ("aspect_ratio", "7:5"), ("enable_web_search", 1), ("prompt", 5), ("on_failure", "pay"), ("system_prompt", 5.5),
    ("output_format", True), ("num_images", True), ("seed", 1.5), ("seed", "5"),
]  # fmt: skip


FIRST = {name: number for number, (name, _) in reversed(list(enumerate(LINKED)))}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, marks=() if FIRST[name] == number else pytest.mark.long)
        for number, (name, value) in enumerate(LINKED)
    ],
)
def test_values_from_links_are_checked_as_widgets_are(name: str, value: Any, page: Page, tag: str) -> None:
    """Through an output of any type, which the host lets into every input."""
    kind = {bool: "PrimitiveBoolean", int: "PrimitiveInt", float: "PrimitiveFloat", str: "PrimitiveString"}[type(value)]
    more = {
        "value": node(kind, value=value),
        # Gives its input on, whatever it is.
        "any": node("ComfySwitchNode", switch=True, on_true=["value", 0], on_false=["value", 0]),
    }
    ran = page.bench.run(graph_of(tag, {}, {name: ["any", 0]}, more))
    assert ran.status == "error" and name in (ran.error + ran.refusal), ran.error + ran.refusal
    assert not page.bench.asked(tag)
    assert not any(sign in ran.error for sign in PYTHON)


ODD_VALUES = (
    "None", "{}", "[]", "b'x'", "float('nan')", "torch.zeros(1, 8, 8, 3)", "torch.tensor(3)", "torch.tensor(True)",
    "np.zeros(3)", "np.bool_(True)", "object()", "Index()",
)  # fmt: skip
ODD_TENSORS = (
    "torch.empty(1, 8, 8, 3, device='meta')", "torch.zeros(1, 8, 8, 3).to_sparse()", "torch.zeros(1, 8, 8, 3) * 1j",
    "torch.nested.nested_tensor([torch.zeros(8, 8, 3)])", "torch.zeros(1, 8, 8, 3, dtype=torch.uint8)",
    "torch.quantize_per_tensor(torch.zeros(1, 8, 8, 3), 0.1, 0, torch.quint8)", "torch.zeros(1, 8, 8, 3).to_mkldnn()",
    "torch.zeros(1, 1, 8, 8, 3)", "torch.zeros(8)", "torch.zeros(1, 8, 0, 3)", "torch.zeros(1, 8, 8, 3) + float('nan')",
    "[torch.zeros(1, 8, 8, 3)]",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["ProviderConfig", "NanoBananaGenerate", "NanoBananaEdit"])
def test_what_other_packs_give_is_refused_by_name(
    kind: str, page: Page, some: Callable[..., tuple[str, ...]], tag: str
) -> None:
    """Every input of three nodes linked to what no widget gives: tensors of other kinds, bytes, an index that raises."""
    page.bench.put("attacked.png", colours(40, 60))
    inputs = {
        name for part in page.ask("GET", f"/object_info/{kind}", root="").json[kind]["input"].values() for name in part
    }
    good: dict[str, Any] = {"prompt": tag, "provider": ["config", 0]}
    if kind == "NanoBananaEdit":
        # The others are Generate's, too.
        inputs &= {"mask", "batch_mode", "output_size", "mask_feather", "mask_hint", "reference_format"} | {
            "region",
            "region_context",
            "align",
        }
        inputs |= {"images.image_1", "images.image_2"}
        good["images.image_1"] = ["load", 0]
    if kind == "ProviderConfig":
        good = {"provider": "onerouter"}
    asked = 0
    for turn, name in enumerate(sorted(inputs)):
        pictures = name.startswith("images.") or name == "mask"
        for code in some(ODD_TENSORS if pictures else ODD_VALUES, turn):
            node_of = {"class_type": kind, "inputs": {**good, name: ["odd", 0]}}
            graph = {"load": node("LoadImage", image="attacked.png"), "config": node("ProviderConfig", provider="onerouter"),
                     "odd": node("TestOdd", code=code)}  # fmt: skip
            if kind == "ProviderConfig":
                graph |= {"config": node_of, "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0])}
            else:
                graph["make"] = node_of
            ran = page.bench.run({**graph, "show": node("PreviewImage", images=["make", 0])})
            reported, short = ran.error + ran.refusal, name.rpartition(".")[2]
            assert ran.status != "success" and short in reported and "Nothing was charged" in reported, (
                name,
                code,
                reported,
            )
            assert ran.error_type.startswith("NanoBanana") or "Impossible" in ran.error_type, (
                name,
                code,
                ran.error_type,
            )
            asked += 1
    assert asked >= 3 * len(inputs) > 20 and not page.bench.asked(tag)


def test_a_seed_of_thousands_of_digits_is_folded(page: Page, tag: str) -> None:
    """Python refuses to write it down."""
    more = {"odd": node("TestOdd", code="10**5000")}
    ran = page.bench.run(graph_of(tag, {}, {"seed": ["odd", 0]}, more))
    assert ran.status == "success" and any("bits" in notice for notice in ran.info()["notices"])


def test_what_is_linked_to_a_socket_and_is_something_else_is_refused(page: Page, tag: str) -> None:
    """A mask that is a text, a provider that is a picture, an image that is a number."""
    page.bench.put("attacked.png", colours(40, 60))
    load = {"load": node("LoadImage", image="attacked.png")}
    good: dict[str, Any] = {"prompt": tag, "images.image_1": ["load", 0], "provider": ["config", 0]}
    cases: list[dict[str, Any]] = [
        {"mask": "x"}, {"mask": 5}, {"mask": None}, {"mask": {}}, {"provider": "onerouter"}, {"provider": None},
        {"provider": {}}, {"images.image_1": 5}, {"images.image_1": None}, {"images.image_2": "x"},
        {"images.image_2": None}, {"mask_feather": None}, {"batch_mode": 5}, {"mask": float("inf")},
    ]  # fmt: skip
    for case in cases:
        edit = {"class_type": "NanoBananaEdit", "inputs": {**good, **case}}
        graph = {"config": node("ProviderConfig", provider="onerouter"), **load, "make": edit,
                 "show": node("PreviewImage", images=["make", 0])}  # fmt: skip
        ran = page.bench.run(graph)
        reported = ran.error + ran.refusal
        (name,) = case
        assert ran.status != "success" and name.rpartition(".")[2] in reported, (case, reported)
        assert not any(sign in ran.error for sign in PYTHON), (case, reported)
    assert not page.bench.asked(tag)


def chain(length: int) -> dict[str, Any]:
    """So many ProviderConfigs behind one another; the first is "c0"."""
    found = {f"c{n}": node("ProviderConfig", provider="onerouter", fallback=[f"c{n + 1}", 0]) for n in range(length)}
    return {**found, f"c{length}": node("ProviderConfig", provider="onerouter")}


def test_fallbacks_have_an_end(page: Page, tag: str) -> None:
    """Thirty-two run, more are refused by name, five thousand are answered quickly, a circle too."""
    make = {
        "make": node("NanoBananaGenerate", prompt=tag, provider=["c0", 0]),
        "show": node("PreviewImage", images=["make", 0]),
    }
    assert page.bench.run({**chain(32), **make}).status == "error" and not page.bench.asked(tag)
    assert page.good("POST", "/estimate", {"prompt": {**chain(32), **make}})["nodes"]["make"]["problem"]
    ran = page.bench.run({**chain(31), **make})
    assert ran.status == "success", ran.error
    for graph in (
        {**chain(5000), **make},
        {**make, "c0": node("ProviderConfig", provider="onerouter", fallback=["c0", 0])},
    ):
        begin = time.monotonic()
        problem = page.good("POST", "/estimate", {"prompt": graph})["nodes"]["make"]["problem"]
        assert "More than 32 providers" in problem["what"] and time.monotonic() - begin < 10


def test_an_estimate_of_ten_thousand_nodes_ends_and_says_what_it_left_out(page: Page, tag: str) -> None:
    """In time, and so that the page can tell."""
    graph: dict[str, Any] = {"config": node("ProviderConfig", provider="onerouter")}
    for number in range(10_000):
        graph[f"m{number}"] = node("NanoBananaGenerate", prompt=f"{tag} {number}", provider=["config", 0])
    begin = time.monotonic()
    found = page.good("POST", "/estimate", {"prompt": graph, "everywhere": True})
    assert time.monotonic() - begin < 30  # five seconds of work, on a machine that may be busy
    assert len(found["nodes"]) + found["left_out"] == 10_000 and 0 < len(found["nodes"]) <= 1000
    assert page.good("POST", "/estimate", {"prompt": {"m": graph["m0"], "config": graph["config"]}})["left_out"] == 0


def test_an_estimate_of_deeply_nested_values_is_an_answer(page: Page) -> None:
    """Lists in lists wherever a prompt can have them."""
    deep: Any = "x"
    for _ in range(400):
        deep = [deep]
    for make in ({"prompt": deep}, {"provider": deep}, {"seed": deep}, {"prompt": [deep, 0]}, {"provider": [deep, 0]}):
        graph = {
            "make": node("NanoBananaGenerate", **{"prompt": "x", **make}),
            "odd": {"class_type": deep, "inputs": deep},
        }
        assert page.ask("POST", "/estimate", {"prompt": graph, "detail": True}).status in (200, 400), make
    edit = node("NanoBananaEdit", prompt="x", images__image_1=["a", 0])
    odd = {"class_type": deep, "inputs": {"image": deep}, "_meta": {"title": deep}}
    assert page.ask("POST", "/estimate", {"prompt": {"make": edit, "a": odd}, "detail": True}).status == 200
