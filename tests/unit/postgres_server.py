"""A PostgreSQL server for tests, from the machine's own package, in a temporary folder and as a user of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

WHERE = "/usr/lib/postgresql/*/bin"
"""Where Debian has the programs; they are in no PATH there."""
SECONDS = 60.0


def missing() -> str:
    """Why no server can be started here; "" when one can."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed"
    return "" if program("initdb") and program("postgres") else "PostgreSQL is not installed"


def program(name: str) -> str | None:
    found = sorted(Path("/").glob(f"{WHERE[1:]}/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


def owned_folder(parent: Path) -> tuple[Path, int | None]:
    """A new folder for the server's user, and that user's number, None for that of this process."""
    folder, user = Path(tempfile.mkdtemp(prefix="pg-", dir=parent)), None
    if os.getuid() == 0:  # it refuses to run as root
        import pwd  # Windows has none

        names = {entry.pw_name: entry for entry in pwd.getpwall()}
        entry = names.get("postgres") or names["nobody"]
        user = entry.pw_uid
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder, user


def make_data(data: Path, user: int | None) -> None:
    """The data of a server that has never run."""
    subprocess.run(_initdb(data), check=True, capture_output=True, user=user, cwd="/")


def _initdb(data: Path) -> list[str]:
    options = ["-U", "farm", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync"]
    return [program("initdb") or "", "-D", str(data), *options]


class DataForAll:
    """The data of `make_data`, made while other work is done, for processes that are forked later."""

    def __init__(self) -> None:
        self.folder, user = owned_folder(memory())
        self._making = subprocess.Popen(
            _initdb(self.data), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd="/"
        )

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def wait(self) -> None:
        assert self._making.wait() == 0, "initdb has failed"

    def remove(self) -> None:
        self._making.kill()
        self._making.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def memory() -> Path:
    """Where the folder of a server lies that need not outlive anything. Not below the folder of the tests: its user must be
    able to reach it, and the path of a socket is short."""
    return Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path("/tmp")


class PostgresServer:
    """A running server. Only those who can read its folder reach it: it has a socket there and no port."""

    def __init__(self, *, fsync: bool = False, data: Path | None = None) -> None:
        """`fsync`: a commit waits for the disk; it is then on one, and not in memory. `data`: of `make_data`, to be copied."""
        self._fsync = fsync
        self.folder, self._user = owned_folder(Path("/tmp") if fsync else memory())
        if data is None:
            make_data(self.data, self._user)
        else:
            subprocess.run(["cp", "-a", str(data), str(self.data)], check=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, schema: str = "public", password: str = "no-secret") -> str:
        """The address of one schema, which need not be there."""
        options = f"options=-csearch_path%3D{schema}"
        return f"postgresql+psycopg://farm:{password}@/postgres?host={self.folder}&{options}"

    def start(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.folder,
            "fsync": "on" if self._fsync else "off",
            "shared_buffers": "128MB" if self._fsync else "32MB",
            "max_connections": "200",
            "wal_level": "minimal",
            "max_wal_senders": "0",
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [program("postgres") or "", "-D", str(self.data), *arguments],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
            )
        self._wait_until_ready()

    def run(self, statement: str) -> list[tuple[object, ...]]:
        """Runs one statement; gives its rows."""
        import psycopg

        with psycopg.connect(host=str(self.folder), user="farm", dbname="postgres", autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def kill(self) -> None:
        """Ends it as a loss of power does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        # Its children hold its shared memory until they have noticed.
        end = time.monotonic() + SECONDS
        while self._children() and time.monotonic() < end:
            time.sleep(0.02)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _children(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cwd").resolve() == self.data:
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def _wait_until_ready(self) -> None:
        import psycopg

        end = time.monotonic() + SECONDS
        while True:
            try:
                self.run("SELECT 1")
                return
            except psycopg.OperationalError:
                assert self._process is not None and self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.05)
