"""The checks of `web/` with the real tools: what is wrong in a module is found, and named by its line.

They need what `dev.py test` has fetched, and are skipped without it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from long_rows import first
from pack.dev import cache, node
from pack.dev.env import clean

PANEL = """
import { api } from "/scripts/api.js";
import { app } from "/scripts/app.js";
import { line } from "./line.mjs";

/** @type {Comfy.SettingRenderer} */
const editor = (name, setter, value) => line(`${name}: ${String(value)}`, () => setter(""));

app.registerExtension({
  name: "nano_banana.trial",
  settings: [{ id: "NanoBanana.Trial", name: "Trial", type: editor, defaultValue: "" }],
  commands: [{ id: "NanoBanana.Reload", label: "Reload", function: () => reload() }],
  setup() {
    app.extensionManager.registerSidebarTab({
      id: "nano-banana-trial",
      title: "Trial",
      type: "custom",
      render: (container) => container.replaceChildren(line("here", () => reload())),
    });
    api.addEventListener("execution_error", ({ detail }) => {
      app.extensionManager.toast.add({ severity: "error", detail: detail.exception_message });
    });
    api.addCustomEventListener("nano_banana.made", (event) => console.debug(event.detail));
  },
  nodeCreated(node) {
    const widget = node.addDOMWidget("trial", "nano_banana_trial", line("x", () => reload()), { serialize: false });
    widget.serialize = false;
    const { LGraphBadge } = window;
    if (LGraphBadge) node.badges.push(() => new LGraphBadge({ text: "$" }));
  },
});

async function reload() {
  const { workflow, output } = await app.graphToPrompt();
  await app.loadGraphData(workflow);
  console.debug(output["1"]?.class_type, app.rootGraph.nodes.length);
}
"""

LINE = """
/**
 * @param {string} text
 * @param {() => void} pressed
 */
export function line(text, pressed) {
  const button = document.createElement("button");
  button.textContent = text;
  button.addEventListener("click", pressed);
  return button;
}
"""

HOST = 'import { api } from "/scripts/api.js";\nimport { app } from "/scripts/app.js";\nconsole.debug(api, app);\n'

MISUSES = {
    "hook": 'app.registerExtension({ name: "x", nodeCreatd() {} });',
    "method": 'app.registerExtension({ name: "x", nodeCreated: (node) => node.addDOMWidge() });',
    "element": 'app.registerExtension({ name: "x", nodeCreated: (node) => void node.addDOMWidget("a", "b", "html") });',
    "setting": 'app.registerExtension({ name: "x", settings: [{ id: "x", name: "n", type: "password", defaultValue: 1 }] });',
    "tab": 'app.extensionManager.registerSidebarTab({ id: "x", title: "y", type: "custom" });',
    "toast": 'app.extensionManager.toast.add({ severity: "bad" });',
    "event": 'api.addEventListener("executd", () => {});',
    "detail": 'api.addEventListener("executed", ({ detail }) => console.debug(detail.nod));',
    "prompt": "console.debug((await app.graphToPrompt()).output.a?.class_typ);",
    "badge": 'console.debug(new window.LGraphBadge({ text: "x" }));',
    "type": "/** @param {Comfy.Nod} node */ export const f = (node) => node;",
    "script": 'import { ui } from "/scripts/ui.js"; console.debug(ui);',
}
"""What the published types alone would let through, or what is easily misspelt."""


@pytest.fixture(scope="module")
def tools() -> node.Node:
    """Node and its packages, as `dev.py test` has left them."""
    found = node.ready(cache.opened())
    if found is None:
        pytest.skip("there is no Node in the cache: `python3 dev.py test --lint` fetches it")
    return found


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with the real settings and an empty `web/`."""
    shutil.copytree(cache.ROOT / "dev" / "javascript", tmp_path / "dev" / "javascript")
    (tmp_path / "web").mkdir()
    return tmp_path


def complaints(tools: node.Node, clone: Path) -> dict[str, str]:
    """What each check prints that isn't content."""
    found = {}
    for stage, command in tools.commands(clone).items():
        environment = clean(os.environ, tools.variables())
        done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
        if done.returncode:
            found[stage] = done.stdout + done.stderr
    return found


@pytest.mark.long
def test_no_modules_at_all_are_fine(tools: node.Node, clone: Path) -> None:
    assert complaints(tools, clone) == {}


@pytest.mark.long
def test_modules_that_use_most_of_the_host_are_fine(tools: node.Node, clone: Path) -> None:
    (clone / "web" / "panel.js").write_text(PANEL)
    (clone / "web" / "line.mjs").write_text(LINE)
    assert complaints(tools, clone) == {}


MISTAKES = {
    "number": ("tsc", '/** @type {number} */\nexport const x = "1";', "TS2322"),
    "parameter": ("tsc", "export const f = (x) => x;", "implicitly has an 'any' type"),
    "unused": ("eslint", "const unused = 1;", "no-unused-vars"),
    "markup": ("eslint", "document.body.innerHTML = location.hash;", "no-restricted-properties"),
}
"""By name: the check that finds it, the mistake, and what the check says."""


@pytest.mark.parametrize("name", first(0, ["parts/deep/{}.mjs", "{}.js"]))
def test_a_mistake_is_found_in_every_kind_and_depth_of_module(tools: node.Node, clone: Path, name: str) -> None:
    """By its own check and no other."""
    for mistake, (_, text, _) in MISTAKES.items():
        path = clone / "web" / name.format(mistake)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\nexport {};\n")
    found = complaints(tools, clone)
    assert set(found) == {"tsc", "eslint"}
    for mistake, (stage, _, message) in MISTAKES.items():
        assert message in found[stage]
        assert [check for check in found if Path(name.format(mistake)).name in found[check]] == [stage]


def test_each_misuse_of_the_host_is_a_type_error(tools: node.Node, clone: Path) -> None:
    for name, text in MISUSES.items():
        (clone / "web" / f"{name}.mjs").write_text(HOST + text)
    found = complaints(tools, clone)["tsc"]
    assert [name for name in MISUSES if f"{name}.mjs" not in found] == []
    assert found.count("error TS") == len(MISUSES)


MARKUP = (
    ("box.innerHTML = text;", "no-restricted-properties"),
    ('box["outerHTML"] = text;', "no-restricted-properties"),
    ('box.insertAdjacentHTML("beforeend", text);', "no-restricted-properties"),
    ("document.createRange().createContextualFragment(text);", "no-restricted-properties"),
    ("document.write(text);", "no-restricted-properties"),
    ("Object.assign(box, { innerHTML: text });", "no-restricted-syntax"),
    ('Object.assign(box, { "srcdoc": text });', "no-restricted-syntax"),
    ("eval(text);", "no-eval"),
    ("new Function(text)();", "no-new-func"),
    ('setTimeout("text", 1);', "no-implied-eval"),
    ('location.href = "javascript:alert(1)";', "no-script-url"),
)
"""Ways from text to markup or code, and the rule against each."""


def test_no_way_from_text_to_markup_or_code(tools: node.Node, clone: Path) -> None:
    for number, (text, _) in enumerate(MARKUP):
        module = f"export function f(box, text) {{ console.debug(box, text); {text} }}\n"
        (clone / "web" / f"way{number:02}.mjs").write_text(module)
    found = re.split(r"^(?=\S*way\d\d\.mjs)", complaints(tools, clone)["eslint"], flags=re.MULTILINE)[1:]
    assert len(found) == len(MARKUP)
    for message, (_, rule) in zip(found, MARKUP, strict=True):
        assert f" {rule}\n" in message and message.count(" error ") == 1
