"""Open pages that go from one test to the next: loading the frontend anew costs five to seven seconds of CPU each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pack.dev.comfy_host import Host
from playwright.sync_api import Error, Page

Key = tuple[str, str, bool, str]
"""The host's address, another name for it, the renderer and the language: what a page keeps from when it was loaded."""
MOST = 2
"""So many pages wait: each takes half a gigabyte."""
STORED = "() => [{ ...localStorage }, { ...sessionStorage }]"
CLEAN = """async (stored) => {
    const { app } = window;
    const { toast, workflow, sidebarTab, queueSettings } = app.extensionManager;
    const stores = document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s;
    const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    queueSettings.mode = 'disabled';
    for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
    const hosts = stores.get('dialog');
    for (const { key } of [...hosts.dialogStack]) hosts.closeDialog({ key });
    if (sidebarTab.activeSidebarTabId) sidebarTab.toggleSidebarTab(sidebarTab.activeSidebarTabId);
    stores.get('rightSidePanel')?.closePanel?.();
    document.activeElement?.blur();
    const empty = { last_node_id: 0, last_link_id: 0, nodes: [], links: [], groups: [], config: {}, extra: {}, version: 0.4 };
    await app.loadGraphData(empty);
    for (const each of [...workflow.openWorkflows]) {
        if (each.path !== workflow.activeWorkflow.path) await workflow.closeWorkflow(each);
    }
    app.canvas.ds.reset();
    await frames();
    toast.removeAll();
    [localStorage, sessionStorage].forEach((storage, at) => {
        storage.clear();
        for (const [name, value] of Object.entries(stored[at])) storage.setItem(name, value);
    });
    await frames();
}"""
"""Closes what a test has opened, empties the canvas and what it stored."""
NOTHING_LEFT = """() => {
    const { workflow, sidebarTab } = window.app.extensionManager;
    return window.app.graph.nodes.length === 0 && workflow.openWorkflows.length === 1 && !sidebarTab.activeSidebarTabId
        && !document.querySelector('dialog[open], [role=dialog], [role=alertdialog], .p-toast-message, .nb-footer');
}"""
REST = """() => {
    const { requestAnimationFrame, cancelAnimationFrame } = window;
    const asked = [];
    window.requestAnimationFrame = (callback) => -asked.push(callback);
    window.cancelAnimationFrame = (id) => {
        if (id < 0) delete asked[-id - 1];
        else cancelAnimationFrame(id);
    };
    window.wake = () => {
        Object.assign(window, { requestAnimationFrame, cancelAnimationFrame });
        asked.forEach((callback) => requestAnimationFrame(callback));
        delete window.wake;
    };
}"""
"""Draws no frame until `wake()`: the canvas of an idle page takes some hundredths of a core."""
FADED = 10_000
"""Milliseconds in which what was closed is gone."""
SETTLED = """async (settings) => {
    window.wake();
    const { setting, toast } = window.app.extensionManager;
    toast.removeAll();
    for (const [name, value] of Object.entries(settings)) {
        if (setting.get(name) !== value) await setting.set(name, value);
    }
    const style = document.querySelector('link[href*="/extensions/"][href$="/style.css"]');
    const { providerStore } = await import(new URL('provider_store.mjs', style.href));
    await providerStore.refresh();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
"""Has the settings of the next test, and who is on the server now."""


@dataclass(frozen=True)
class UsedPage:
    """A page, and what it had stored when it was new."""

    key: Key
    page: Page
    host: Host
    stored: list[dict[str, str]]

    @classmethod
    def new(cls, key: Key, page: Page, host: Host) -> UsedPage:
        return cls(key, page, host, page.evaluate(STORED))

    def cleaned(self) -> bool:
        """Whether the page is as if it were new."""
        queue = self.host.get("/queue")
        if queue["queue_running"] or queue["queue_pending"] or len(self.page.context.pages) > 1:
            return False
        try:
            self.page.unroute_all()
            self.page.mouse.move(-9, -9)
            self.page.evaluate(CLEAN, self.stored)
            self.page.wait_for_function(NOTHING_LEFT, timeout=FADED)
            self.page.evaluate(REST)
        except Error:
            return False
        return True

    def close(self) -> None:
        self.page.context.close()


class UsedPages:
    """The pages that wait for a test."""

    def __init__(self) -> None:
        self._waiting: list[UsedPage] = []

    def take(self, key: Key, settings: dict[str, Any]) -> UsedPage | None:
        """A page as if it were new, None where none of the kind waits."""
        for used in [used for used in self._waiting if used.key == key]:
            self._waiting.remove(used)
            try:
                used.page.evaluate(SETTLED, settings)
            except Error:
                used.close()
            else:
                return used
        return None

    def leave(self, used: UsedPage) -> bool:
        """Takes a page that a test is done with; False where something of the test is left, and it may only be closed."""
        if not used.cleaned():
            return False
        self._waiting.append(used)
        if len(self._waiting) > MOST:
            self._waiting.pop(0).close()
        return True

    def close(self, but: str = "") -> None:
        """Closes the pages of all hosts, save of one by its address."""
        for used in [used for used in self._waiting if used.host.url != but]:
            self._waiting.remove(used)
            used.close()
