"""Which host is used."""

import sys
from pathlib import Path

import pytest
from pack.dev import comfy_install
from pack.dev.user_error import UserError


def comfyui(folder: Path) -> Path:
    """A folder that looks like a ComfyUI."""
    (folder / "comfy").mkdir(parents=True)
    (folder / "main.py").touch()
    (folder / "nodes.py").touch()
    return folder


def python(path: Path) -> Path:
    """A file where a Python would be."""
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def with_torch(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """The Pythons that have torch."""
    found: set[Path] = set()
    monkeypatch.setattr(comfy_install, "imports_torch", found.__contains__)
    return found


def test_none_is_there(tmp_path: Path) -> None:
    assert comfy_install.users({}, tmp_path / "clone") is None


def test_named_and_its_own_python(tmp_path: Path, with_torch: set[Path]) -> None:
    folder = comfyui(tmp_path / "C")
    own = python(folder / (".venv/Scripts/python.exe" if sys.platform == "win32" else ".venv/bin/python"))
    with_torch.update({own, Path(sys.executable)})
    found = comfy_install.users({"COMFYUI_DIR": str(folder)}, tmp_path / "clone")
    assert found and (found.comfyui, found.python, found.fetched) == (folder, own, False)
    assert "COMFYUI_DIR" in found.why and str(own) in found.why


def test_named_python_wins(tmp_path: Path, with_torch: set[Path]) -> None:
    folder, named = comfyui(tmp_path / "C"), python(tmp_path / "P" / "python")
    environ = {"COMFYUI_DIR": str(folder), "COMFYUI_PYTHON": str(named)}
    with pytest.raises(UserError, match="COMFYUI_PYTHON"):
        comfy_install.users(environ, tmp_path)
    with_torch.add(named)
    found = comfy_install.users(environ, tmp_path)
    assert found and found.python == named


def test_named_is_no_comfyui(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="correct it"):
        comfy_install.users({"COMFYUI_DIR": str(tmp_path)}, tmp_path)


def test_around_the_clone(tmp_path: Path, with_torch: set[Path]) -> None:
    folder = comfyui(tmp_path / "portable" / "ComfyUI")
    embedded = python(tmp_path / "portable" / "python_embeded" / "python.exe")
    with_torch.add(embedded)
    found = comfy_install.users({}, folder / "custom_nodes" / "my clone")
    assert found and (found.comfyui, found.python) == (folder, embedded)


def test_ours_when_it_has_torch_else_a_sentence(tmp_path: Path, with_torch: set[Path]) -> None:
    folder = comfyui(tmp_path / "C")
    with pytest.raises(UserError, match="COMFYUI_PYTHON"):
        comfy_install.users({"COMFYUI_DIR": str(folder)}, tmp_path)
    with_torch.add(Path(sys.executable))
    found = comfy_install.users({"COMFYUI_DIR": str(folder)}, tmp_path)
    assert found and found.python == Path(sys.executable)


def test_a_python_that_does_not_run_has_no_torch(tmp_path: Path) -> None:
    assert not comfy_install.imports_torch(tmp_path / "nothing")
