"""The program that a worker process runs: `python -P worker_main.py CONTROL LIFELINE PARENT FOLDER`.

Two processes come of it. The *warden* does nothing but wait: when the worker ends it tells how, and when the
process that asked is gone, however it went, it ends the worker and all that the worker started. The *worker*
runs the calls. Standard library only, and of tierproof only what is listed below.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path


def main(control: int, lifeline: int, parent: int, folder: str) -> None:
    """Become the warden, and the worker.

    Args:
        control: descriptor of the socket over which calls come.
        lifeline: descriptor of the socket whose end-of-file says that the asking process is gone.
        parent: number of that process.
        folder: where the tierproof that asks is imported from.
    """
    # The very files of the process that asks, also where a layer brings another tierproof.
    sys.path.insert(0, folder)
    from tierproof.guard.isolate.warden import become_child_of, guard

    warden = os.getpid()
    worker = os.fork()
    if worker:
        os.close(control)
        guard(worker, socket.socket(fileno=lifeline), parent)
    os.close(lifeline)
    become_child_of(warden)
    from tierproof.guard.isolate.serve_calls import serve_calls

    sys.path.remove(folder)
    serve_calls(socket.socket(fileno=control))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), str(Path(sys.argv[4])))
