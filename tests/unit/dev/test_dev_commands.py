"""Commands end with one sentence and an exit code, never with a traceback, where a person can do something."""

import errno
from pathlib import Path

import pytest
from pack.dev import cache, commands
from pack.dev.commands import Command, run
from pack.dev.user_error import UserError


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """A command `try` that raises."""

    def work(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(commands, "COMMANDS", (Command("try", "fails", work),))


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UserError("Do this."), 2, "Do this."),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 2, "make room"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "/x can't be written"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 2, "NANO_BANANA_DEV_CACHE"),
        (KeyboardInterrupt(), 130, "run the same command again"),
    ],
)
def test_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    text: str,
) -> None:
    failing(monkeypatch, error)
    assert run(["try"]) == code
    message = capsys.readouterr().err
    assert text in message and message.strip().count("\n") == 0


def test_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, OSError(errno.EBADF, "Bad file descriptor"))
    with pytest.raises(OSError, match="Bad file"):
        run(["try"])


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {command.name} " in printed for command in commands.COMMANDS)
    assert run([]) == 2


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dmeo"]) == 2
    assert "demo, test, host, bench" in capsys.readouterr().err


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        cache.opened({cache.VARIABLE: str(tmp_path / "file" / "below")})


def test_a_cache_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(UserError, match="can't be written"):
        cache.opened({cache.VARIABLE: str(tmp_path / "below")})


def test_a_cache_inside_the_repository() -> None:
    with pytest.raises(UserError, match="outside"):
        cache.opened({cache.VARIABLE: str(cache.ROOT / "cache")})
    assert not (cache.ROOT / "cache").exists()


@pytest.mark.parametrize(
    ("platform", "environ", "end"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/nano-banana-dev"),
        ("linux", {}, "/.cache/nano-banana-dev"),
        ("darwin", {}, "/Library/Caches/nano-banana-dev"),
        ("win32", {"LOCALAPPDATA": "/L"}, "/L/nano-banana-dev"),
    ],
)
def test_where_the_cache_is(platform: str, environ: dict[str, str], end: str) -> None:
    assert cache.location(environ, platform).as_posix().endswith(end)


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    cache.write_whole(tmp_path / "a" / "b", "text")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
