"""No journal is begun on a network drive, one that is there goes on with a warning, and shares of the own host are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_driver import claim_one, decide_stalled_row, open_journal
from pack.core.config.settings import Settings
from pack.core.errors import LedgerFailed
from pack.core.files import network_drives
from pack.core.files.network_drives import network_drive
from pack.core.ledger.journal import Journal

TABLE = """\
overlay / overlay rw,relatime 0 0
proc /proc proc rw 0 0
/dev/sda1 /mnt/local ext4 rw 0 0
server:/export /mnt/studio nfs4 rw,vers=4.2 0 0
//server/share /mnt/two\\040words cifs rw 0 0
/dev/sdb1 /mnt/studio/local ext4 rw 0 0
C:\\134 /mnt/c 9p rw,aname=drvfs 0 0
grpcfuse /host_mnt fuse.grpcfuse rw 0 0
/run/host_mark/Users /Users fakeowner rw 0 0
share /data virtiofs rw 0 0
D: /mnt/d drvfs rw 0 0
me@server: /mnt/ssh fuse.sshfs rw,user_id=0 0 0
10.0.0.1:6789:/ /mnt/ceph ceph rw 0 0
ceph-fuse /mnt/ceph-fuse fuse.ceph-fuse rw 0 0
server:volume /mnt/gluster fuse.glusterfs rw 0 0
10.0.0.1@tcp:/scratch /mnt/lustre lustre rw,flock 0 0
AFS /afs afs rw 0 0
server:/a /mnt/covered nfs rw 0 0
tmpfs /mnt/covered tmpfs rw 0 0
broken
"""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    table = tmp_path / "mounts"
    table.write_text(TABLE)
    monkeypatch.setattr(network_drives, "MOUNTS", table)
    return table


@pytest.mark.parametrize(
    ("folder", "drive"),
    [
        ("/mnt/studio", "NFS"),
        ("/mnt/studio/user/__nano_banana", "NFS"),
        ("/mnt/studio2/home", ""),
        ("/mnt/studio/local/home", ""),
        ("/mnt/two words/home", "SMB"),
        ("/mnt/covered/home", ""),
        ("/mnt/ssh/home", "SSHFS"),
        ("/mnt/ceph/home", "CephFS"),
        ("/mnt/ceph-fuse/home", "CephFS"),
        ("/mnt/gluster/home", "GlusterFS"),
        ("/mnt/lustre/home", "Lustre"),
        ("/afs/studio/home", "AFS"),
        ("/mnt/c/Users/me", ""),
        ("/mnt/d/ComfyUI", ""),
        ("/host_mnt/home", ""),
        ("/Users/me/home", ""),
        ("/data/home", ""),
        ("/home/me", ""),
    ],
)
def test_the_kind_of_a_drive_is_that_of_the_mount_that_holds_the_folder(mounts: Path, folder: str, drive: str) -> None:
    assert network_drive(Path(folder)) == drive


def test_without_a_table_no_folder_is_on_a_network_drive(mounts: Path) -> None:
    mounts.unlink()
    assert network_drive(Path("/mnt/studio")) == ""


@pytest.mark.parametrize(("kind", "named"), [("nfs4", "NFS"), ("smb3", "SMB")])
def test_a_new_journal_is_refused_and_an_old_one_warned_about(
    tmp_path: Path, mounts: Path, kind: str, named: str
) -> None:
    home = tmp_path / "home"
    before = open_journal(home, address=None)
    assert claim_one(before) == "reserved"
    before.close()
    mounts.write_text(f"server:/x {tmp_path} {kind} rw 0 0\n")
    later = open_journal(home, address=None)
    assert claim_one(later) == "reserved"
    (notice,) = later.take_notices()
    assert named in notice and "NANO_BANANA_JOURNAL" in notice
    later.database.close()
    assert claim_one(later, "v1:b") == "reserved" and later.take_notices() == []
    later.close()
    new = open_journal(tmp_path / "new", address=None)
    with pytest.raises(LedgerFailed, match=named) as refused:
        claim_one(new)
    assert "NANO_BANANA_NETWORK_DRIVE=1" in str(refused.value) and not (tmp_path / "new" / "journal.sqlite").exists()


def test_the_user_may_allow_it(tmp_path: Path, mounts: Path) -> None:
    mounts.write_text(f"server:/x {tmp_path} nfs rw 0 0\n")
    allowed = Settings({"NANO_BANANA_NETWORK_DRIVE": "1"}).on_network_drive
    assert allowed and not Settings({"NANO_BANANA_NETWORK_DRIVE": "0"}).on_network_drive
    journal = Journal(tmp_path / "home", decide_stalled=decide_stalled_row, on_network=allowed)
    assert claim_one(journal) == "reserved" and len(journal.take_notices()) == 1
    journal.close()
