"""`tierproof.snapshot`: keep what is loaded, so that a heal needs no network."""

from __future__ import annotations

from tierproof.guard.mend.snapshot import Snapshot
from tierproof.guard.mend.snapshot_process import snapshot_this_process


def snapshot() -> Snapshot:
    """Keep the files of every distribution that the calling process has loaded, for as long as it lives.

    They are kept by hard links (else clones, else copies up to 512 MB) in the user's data folder. `heal` uses
    them first: without a network and exact, also for what came from a local wheel or a URL. torch, nvidia-*
    and editable installs are left out, and what goes beyond 2 GB.
    """
    return snapshot_this_process()
