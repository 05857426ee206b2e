"""`tierproof.snapshot`: keep a copy of the loaded packages, so that a heal needs no network."""

from __future__ import annotations

from tierproof.guard.mend.snapshot import Snapshot
from tierproof.guard.mend.snapshot_process import snapshot_this_process


def snapshot() -> Snapshot:
    """Keep the files of every distribution that the calling process has loaded, until the process ends.

    They are kept as hard links (else clones, else copies up to 512 MB) in the user's data folder. `heal` uses
    them first, which is exact and needs no network, also for local wheels and URLs. Left out are torch, nvidia-*,
    editable installs, and everything beyond 2 GB in total.
    """
    return snapshot_this_process()
