"""Finds out whether a folder is on a network drive. Linux only: elsewhere no folder counts as one."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")
"""Device, mount point, type and options of each file system, in the order in which they were mounted."""
_TYPES = {
    "nfs": "NFS",
    "nfs3": "NFS",
    "nfs4": "NFS",
    "cifs": "SMB",
    "smb2": "SMB",
    "smb3": "SMB",
    "smbfs": "SMB",
    "afs": "AFS",
    "ceph": "CephFS",
    "fuse.ceph": "CephFS",
    "fuse.ceph-fuse": "CephFS",
    "fuse.glusterfs": "GlusterFS",
    "fuse.sshfs": "SSHFS",
    "glusterfs": "GlusterFS",
    "lustre": "Lustre",
}
"""Those whose locks can fail between machines, and on which SQLite's shared memory is each machine's own.

Folders that Docker Desktop and WSL share with their own host have other types: 9p, drvfs, fakeowner, fuse.grpcfuse, fuse.osxfs,
virtiofs."""


def network_drive(folder: Path) -> str:
    """The kind of the network drive that the folder, which need not be there, is on; "" for none. Raises nothing."""
    try:
        lines = MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
        place = folder.resolve()
    except (OSError, RuntimeError):
        return ""
    found, depth = "", -1
    for fields in (line.split(" ") for line in lines):
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        # Of two at the same point the later one covers the earlier.
        if (place == point or point in place.parents) and len(point.parts) >= depth:
            found, depth = fields[2], len(point.parts)
    return _TYPES.get(found, "")
