"""`dev.py` must be readable for any Python, so that an old one gets a sentence."""

import ast
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "dev.py"
NEW_SYNTAX = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Nonlocal, ast.Starred, ast.Match)


@pytest.fixture
def script() -> ModuleType:
    """`dev.py` as a module."""
    spec = importlib.util.spec_from_file_location("dev_script", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_syntax_newer_than_python_2() -> None:
    source = SCRIPT.read_bytes()
    source.decode("ascii")
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, NEW_SYNTAX), ast.dump(node)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None and not node.args.kwonlyargs and not node.args.posonlyargs
            assert all(argument.annotation is None for argument in node.args.args)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"


@pytest.mark.parametrize("name", ["python2.7", "python3.6", "python3.8"])
def test_old_pythons_that_are_here_get_the_sentence(name: str) -> None:
    found = shutil.which(name)
    if not found or subprocess.run([found, "-c", ""], capture_output=True).returncode:
        return  # nothing to try it with; the syntax test above stands in for it
    done = subprocess.run([found, str(SCRIPT), "demo"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "Python 3.10 to 3.14 is needed" in done.stderr


@pytest.mark.parametrize("version", [(3, 10), (3, 11, 7), (3, 14, 9)])
def test_good_versions(script: ModuleType, version: tuple[int, ...]) -> None:
    assert script.complaint(version, lambda name: False) is None


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 9), (3, 15), (4, 0)])
def test_other_versions(script: ModuleType, version: tuple[int, ...]) -> None:
    assert "install one" in script.complaint(version, lambda name: False)
    assert "`python3.13 dev.py`" in script.complaint(version, lambda name: name == "python3.13")


def test_sentence_and_exit_code(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script.sys, "version_info", (3, 9, 1, "final", 0))
    monkeypatch.setattr(script, "runs", lambda name: False)
    assert script.main() == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_runs_nothing_but_the_standard_library() -> None:
    package = SCRIPT.with_name("dev")
    for path in [SCRIPT, *package.glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                # The clone's own provider specs are plain Python too, and read only by the command that needs them.
                ours = {"dev"} if node in tree.body else {"dev", "core"}
                assert name.split(".")[0] in {*sys.stdlib_module_names, *ours}, f"{path.name} imports {name}"
