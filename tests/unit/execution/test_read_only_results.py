"""A folder for results that can't be written any more costs nothing: it is found before anything is sent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from engine_play import IMAGE, answering, engine_at, play
from pack.core.errors import LedgerFailed


@pytest.mark.skipif(
    not Path("/proc/self").is_dir() or sys.platform == "win32", reason="needs a folder that nobody can write"
)
def test_a_folder_that_became_read_only_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    """It is there, and root may do anything in it: only writing tells."""
    with answering({"status": 200, "body": IMAGE}) as server:
        results = tmp_path / "results"
        results.mkdir()
        (results / "incoming").symlink_to("/proc/self")
        engine = engine_at(tmp_path / "home", "nanobanana", server.url, NANO_BANANA_RESULTS=str(results))
        with pytest.raises(LedgerFailed, match="folder for results .* can't be used") as failed:
            play(engine, "nanobanana")
        assert failed.value.charged == "no" and not server.posts
