"""As google.colab.drive: `mount` makes `MyDrive` appear below the mount point, or raises ValueError."""

import os
from pathlib import Path

_BROWSER = Path(os.environ.get("COLAB_STAND_IN", "browser"))


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    """Link the stand-in's drive to the mount point."""
    if (_BROWSER / "drive_refused").exists():
        raise ValueError("mount failed")
    (_BROWSER / "drive" / "MyDrive").mkdir(parents=True, exist_ok=True)
    point = Path(mountpoint)
    if point.is_symlink() and not force_remount:
        print(
            f'Drive already mounted at {mountpoint}; to attempt to forcibly remount, call drive.mount("{mountpoint}", force_remount=True).'
        )
        return
    point.unlink(missing_ok=True)
    point.parent.mkdir(parents=True, exist_ok=True)
    point.symlink_to(_BROWSER / "drive")
    print(f"Mounted at {mountpoint}")


def flush_and_unmount(timeout_ms=24 * 60 * 60 * 1000):
    """Nothing is buffered here."""
