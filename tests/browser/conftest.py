"""A real headless Chromium on a real ComfyUI, with every provider pointed at the strict doubles in this process."""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pack.dev import chromium as browsers
from pack.dev.comfy_host import Host
from pack.dev.environment import ready
from pack.tests.browser.used_pages import UsedPage, UsedPages
from pack.tests.doubles import start
from pack.tests.host.kit import provider_variables
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect, sync_playwright

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
READY = "() => window.app && window.app.graph && window.app.extensionManager && window.app.vueAppReady !== false"
STRANGER = "comfy.stranger.example"
"""A name that the browser finds at this machine, as a web site can let its own names be found."""
NO_SUCH_NAME = f"""
import socket
look_up = socket.getaddrinfo
def known(host, *args, **more):
    if host == "{STRANGER}":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return look_up(host, *args, **more)
socket.getaddrinfo = known
NODE_CLASS_MAPPINGS = {{}}
"""
"""A pack for the host: the name is unknown at once. ComfyUI looks up the name of each request in its event loop, and a
machine whose name server is silent keeps every request waiting for five seconds."""
ROTATING = ("vue", "locale")
"""Parameters of a test of which a run without --looks tries one combination: the renderer and the language."""
ROTATING_IN_SHORT = (*ROTATING, "light")
"""The same for a run without --long: the colours, too."""

expect.set_options(timeout=120_000)  # five seconds, what it is otherwise, is short for a busy machine


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "used_pages: tests take the pages that earlier tests have left")
    config.addinivalue_line(
        "markers", "own_page: its page is new and nobody's afterwards, also where others take used ones"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --looks a test runs in one renderer and one language, without --long in one theme; they rotate from test to test.

    All combinations of a test that is named by `file::test` run, too. Tests that take used pages come by renderer and
    language, so that few pages wait for the next one.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    items[:] = [item for group in files.values() for item in (sorted(group, key=_look) if _shares(group) else group)]
    if config.getoption("--looks") or any("::" in each for each in config.args):
        return
    rotating = ROTATING if config.getoption("--long") else ROTATING_IN_SHORT
    chosen = {item for group in _rotated(items, rotating) for item in group}
    left_out = [item for item in items if _is_rotated(item, rotating) and item not in chosen]
    if left_out:
        items[:] = [item for item in items if item not in set(left_out)]
        config.hook.pytest_deselected(items=left_out)


def _parameters(item: pytest.Item) -> dict[str, Any]:
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


def _look(item: pytest.Item) -> tuple[bool, str]:
    """The renderer and the language of a test."""
    parameters = _parameters(item)
    return bool(parameters.get("vue")), str(parameters.get("locale", "en"))


def _shares(group: list[pytest.Item]) -> bool:
    """Whether the tests of a file take the pages of each other."""
    return any(item.get_closest_marker("used_pages") for item in group)


def _is_rotated(item: pytest.Item, rotating: tuple[str, ...]) -> bool:
    ours = item.path.parent == Path(__file__).parent
    return ours and any(name in _parameters(item) for name in rotating)


def _rotated(items: list[pytest.Item], rotating: tuple[str, ...]) -> Iterator[list[pytest.Item]]:
    """The cases of each test that run: one for every choice of its other parameters."""
    tests: dict[str, dict[str, list[pytest.Item]]] = {}
    for item in items:
        if not _is_rotated(item, rotating):
            continue
        others = {name: value for name, value in _parameters(item).items() if name not in rotating}
        tests.setdefault(item.nodeid.partition("[")[0], {}).setdefault(repr(others), []).append(item)
    for number, groups in enumerate(tests.values()):
        yield [group[(number + index) % len(group)] for index, group in enumerate(groups.values())]


@pytest.fixture(scope="session")
def doubles() -> Iterator[Any]:
    with start(0) as running:
        yield running


@pytest.fixture(scope="session")
def host(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    base = tmp_path_factory.mktemp("host")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "no_such_name.py").write_text(NO_SUCH_NAME)
    # Partner nodes are on, as with most people: they have nearly the same names as ours.
    with Host.start(base, provider_variables(doubles), ("--cpu",)) as running:
        shutil.copy(ready().comfyui / "input" / "example.png", base / "input" / "example.png")
        yield running


@pytest.fixture(scope="session")
def bare_host(doubles: Any, host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host that knows where the providers are and has no key. `host` is started first: never two at once."""
    variables = {n: v for n, v in provider_variables(doubles).items() if not n.endswith("_API_KEY")}
    variables.pop("NANO_BANANA_CAP_DAY")
    with Host.start(tmp_path_factory.mktemp("bare"), variables) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = browsers.chromium(os.environ)
    if program is None:
        pytest.skip(browsers.MISSING)
    with sync_playwright() as driver:
        yield driver.chromium.launch(
            executable_path=str(program), args=[*FLAGS, f"--host-resolver-rules=MAP {STRANGER} 127.0.0.1"]
        )


@pytest.fixture(scope="session")
def shots() -> Path | None:
    """The folder for screenshots, NANO_BANANA_SCREENSHOTS; without it none are taken."""
    named = os.environ.get("NANO_BANANA_SCREENSHOTS")
    if named is None:
        return None
    Path(named).mkdir(parents=True, exist_ok=True)
    return Path(named)


class Canvas:
    """The frontend in a test's hands."""

    def __init__(self, page: Page, host: Host, shots: Path | None, look: str) -> None:
        self.page, self.host, self._shots, self.look = page, host, shots, look
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", self._hear_error)

    def stop_listening(self) -> None:
        self.page.remove_listener("console", self._hear)
        self.page.remove_listener("pageerror", self._hear_error)

    def _hear_error(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _hear(self, message: ConsoleMessage) -> None:
        kind, text = message.type, message.text
        # The frontend alone, without any pack, says several things; what concerns us names us.
        if kind in ("error", "warning") and any(word in text.lower() for word in ("nano", "banana", "/extensions/")):
            self.complaints.append(text)

    def open(self, name: str = "") -> None:
        """Opens the frontend, under the machine's usual address or under `name`."""
        self.page.goto(f"http://{name}:{self.host.port}" if name else self.host.url)
        self.page.wait_for_function(READY)
        self.page.wait_for_function("() => !!window.LiteGraph.registered_node_types['NanoBananaEdit']")

    def load(self, workflow: dict[str, Any]) -> None:
        """Loads a graph and waits until it is drawn."""
        self.page.evaluate("async (w) => { await window.app.loadGraphData(w) }", workflow)
        count = len(workflow["nodes"])
        self.page.wait_for_function(f"() => window.app.graph.nodes.length === {count}")
        self.command("Comfy.Canvas.FitView")

    def command(self, name: str) -> None:
        """Runs a command of the frontend by its id, and waits until the page is drawn."""
        self.page.evaluate("(name) => window.app.extensionManager.command.execute(name)", name)
        self.settle()

    def choose(self, kind: str, name: str, value: Any, nth: int = 0) -> None:
        """Sets a widget as a person does: the value, and the callback that the frontend calls with it."""
        self.page.evaluate(
            """([kind, nth, name, value]) => {
                const node = window.app.graph.nodes.filter((n) => n.type === kind)[nth];
                const widget = node.widgets.find((w) => w.name === name);
                widget.value = value;
                widget.callback?.(value, window.app.canvas, node);
            }""",
            [kind, nth, name, value],
        )

    def widget(self, kind: str, name: str, nth: int = 0) -> dict[str, Any]:
        """A widget's value, and the values it offers."""
        found: dict[str, Any] = self.page.evaluate(
            """([kind, nth, name]) => {
                const node = window.app.graph.nodes.filter((n) => n.type === kind)[nth];
                const widget = node.widgets.find((w) => w.name === name);
                return { value: widget.value, values: [...(widget.options.values ?? [])] };
            }""",
            [kind, nth, name],
        )
        return found

    def settle(self) -> None:
        """Waits for two drawn frames."""
        self.page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def prompt(self) -> dict[str, Any]:
        """The API form of the graph on the canvas."""
        found: dict[str, Any] = self.page.evaluate("async () => (await window.app.graphToPrompt()).output")
        return found

    def workflow(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate("() => window.app.graph.serialize()")
        return found

    def queue(self, timeout: float = 600, press: Callable[[], Any] | None = None) -> dict[str, Any]:
        """Presses Run (as its command), or what `press` presses, and waits for the end; the history entry."""
        with self.page.expect_response(lambda answer: answer.url.endswith("/prompt")) as answer:
            if press is None:
                self.page.evaluate("() => window.app.queuePrompt(0)")
            else:
                press()
        prompt_id = answer.value.json()["prompt_id"]
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            entry = self.host.get(f"/history/{prompt_id}").get(prompt_id)
            if entry and entry.get("status", {}).get("status_str"):
                return dict(entry)
            self.page.wait_for_timeout(50)  # lets the page go on living between two looks
        raise AssertionError(f"the prompt did not end; the host's log:\n{self.host.tail()}")

    def shoot(self, name: str) -> None:
        """A screenshot where they are asked for, named after what is seen and how it is drawn."""
        if self._shots is None:
            self.settle()
            return
        self.page.wait_for_timeout(600)  # fades of the frontend; nothing is asserted on the picture
        self.page.screenshot(path=self._shots / f"{name}-{self.look}.png")


@pytest.fixture(scope="session")
def waiting_pages(chromium: Browser) -> Iterator[UsedPages]:
    pages = UsedPages()
    yield pages
    pages.close()


@pytest.fixture(scope="module")
def used_pages(waiting_pages: UsedPages, host: Host) -> Iterator[UsedPages]:
    """Pages that earlier tests have left, of other files only those of `host`, which no file stops."""
    yield waiting_pages
    waiting_pages.close(but=host.url)


@pytest.fixture
def canvas(
    request: pytest.FixtureRequest, chromium: Browser, host: Host, shots: Path | None, used_pages: UsedPages
) -> Iterator[Callable[..., Canvas]]:
    """Opens the frontend: `canvas(vue=False, light=False, locale="en", on=another_host, name="of.the.machine")`.

    In a file marked `used_pages` it may be a page of an earlier test, cleared up, save for tests marked `own_page`.
    """
    shared = request.node.get_closest_marker("used_pages") and not request.node.get_closest_marker("own_page")
    failures = request.session.testsfailed
    with frontends(chromium, host, shots, used_pages if shared else None) as opened:
        yield opened
        if request.session.testsfailed > failures:  # what such a test leaves is not the next one's trouble
            opened.spoiled = True


@pytest.fixture(scope="module")
def lasting_canvas(chromium: Browser, host: Host, shots: Path | None) -> Iterator[Callable[..., Canvas]]:
    """The same, open until the last test of the file."""
    with frontends(chromium, host, shots) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(lasting_canvas: Callable[..., Canvas]) -> Callable[[bool], Canvas]:
    """`pages(vue)`: one page for each renderer, for all tests of the file; what the last test did is still there."""
    return page_of_each_renderer(lasting_canvas)


def page_of_each_renderer(opened: Callable[..., Canvas]) -> Callable[[bool], Canvas]:
    """Opens a page for a renderer when it is first asked for."""
    pages: dict[bool, Canvas] = {}

    def page(vue: bool) -> Canvas:
        if vue not in pages:
            pages[vue] = opened(vue=vue)
        pages[vue].complaints.clear()
        return pages[vue]

    return page


class Frontends:
    """Opens the frontend: called as the fixture `canvas` says. `used`: where pages come from and go to, None for new ones."""

    def __init__(self, chromium: Browser, host: Host, shots: Path | None, used: UsedPages | None) -> None:
        self._chromium, self._host, self._shots, self._used = chromium, host, shots, used
        self._contexts: list[BrowserContext] = []
        self._opened: list[tuple[Canvas, UsedPage]] = []
        self.spoiled = False
        """Whether the pages are nothing for another test."""

    def __call__(
        self, vue: bool = False, light: bool = False, locale: str = "en", on: Host | None = None, name: str = ""
    ) -> Canvas:
        host = on or self._host
        settings = {
            "Comfy.Locale": locale,
            "Comfy.TutorialCompleted": True,
            "Comfy.VueNodes.Enabled": vue,
            "Comfy.VueNodes.AutoScaleLayout": False,
            "Comfy.ColorPalette": "light" if light else "dark",
            "Comfy.UseNewMenu": "Top",
            "Comfy.Minimap.Visible": False,
            "Comfy.Node.AlwaysShowAdvancedWidgets": False,
            "Comfy.Workflow.Persist": True,
            "NanoBanana.ShowDrafts": False,
        }
        look = f"{'nodes2' if vue else 'classic'}-{'light' if light else 'dark'}"
        if locale != "en":
            look += f"-{locale}"
        _set(host, settings)
        key = (host.url, name, vue, locale)
        used = self._used.take(key, settings) if self._used else None
        if used:
            canvas = Canvas(used.page, host, self._shots, look)
        else:
            context = self._chromium.new_context(viewport={"width": 1600, "height": 950})
            context.set_default_timeout(120_000)
            self._contexts.append(context)
            canvas = Canvas(context.new_page(), host, self._shots, look)
            canvas.open(name)
            if self._used:
                used = UsedPage.new(key, canvas.page, host)
        if used:
            self._opened.append((canvas, used))
        return canvas

    def close(self) -> None:
        for canvas, used in self._opened:
            canvas.stop_listening()
            if self._used and not self.spoiled and self._used.leave(used):
                self._contexts = [each for each in self._contexts if each is not used.page.context]
            else:
                used.close()
        for context in self._contexts:
            context.close()


@contextmanager
def frontends(chromium: Browser, host: Host, shots: Path | None, used: UsedPages | None = None) -> Iterator[Frontends]:
    opened = Frontends(chromium, host, shots, used)
    yield opened
    opened.close()


def _set(host: Host, settings: dict[str, Any]) -> None:
    """Writes settings as the frontend does; its route answers without JSON."""
    request = urllib.request.Request(
        f"{host.url}/settings", json.dumps(settings).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()
