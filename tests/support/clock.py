"""Programs whose clock is off: the wall clock of one process, moved by a small library."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

int clock_gettime(clockid_t which, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(which, now);
    if (done == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += SHIFT;
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0)
        return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *kept)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (kept)
        *kept = now.tv_sec;
    return now.tv_sec;
}
"""


def shifted_clock(folder: Path, seconds: int) -> list[str]:
    """The words to put before a command, so that its wall clock is that much ahead.

    Clocks that measure time passed stay right, as on a machine whose date is wrong.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make the moved clock with")
    source, library = folder / "clock.c", folder / f"clock{seconds}.so"
    source.write_text(SOURCE)
    subprocess.run(
        [compiler, "-shared", "-fPIC", f"-DSHIFT={seconds}", "-o", library, source, "-ldl"],
        check=True,
        capture_output=True,
    )
    return ["env", f"LD_PRELOAD={library}"]
