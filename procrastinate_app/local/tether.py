"""Runs a command that must end when its starter ends: `tether.py <seconds> <command> ...`.

For parts that do not watch their own stdin. End of input, or SIGTERM, is passed on as SIGTERM;
what has not ended after the given seconds is killed, and at the kernel's hand (Linux) when this
process is killed itself. Run as a script; standard library only, so that it starts fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from functools import partial

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)


def main() -> int:
    seconds, command = float(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, preexec_fn=partial(end_with_parent, os.getpid())
    )

    def end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        killer = threading.Timer(seconds, child.kill)
        killer.daemon = True
        killer.start()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        end()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=watch, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
