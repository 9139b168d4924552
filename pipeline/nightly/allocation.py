"""Allocation: memory that a process has freed stays with it, for the next array.

In: nothing. Out: nothing. Knows no arrays; changes no result.

A tile's work frees and takes arrays of some ten megabytes again and again. By default the GNU C library gives each back
to the system and fetches fresh pages for the next one, which is dear on a virtual machine: on one, the tiles of a night
took 35 s, and 22 s with what is told here. Dask makes it worse: its workers are asked to give back all beyond 64 KiB.
"""

import ctypes
import sys
from functools import lru_cache

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of malloc.h
_MOST = 2**31 - 1


@lru_cache(maxsize=1)
def keep_freed() -> bool:
    """Tell this process to keep what it frees, once; True where the C library can be told so.

    What it keeps is about what it once used at most: its own peak hardly grows, but all processes together hold more.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        tell = ctypes.CDLL(None).mallopt  # musl and others have none
    except (OSError, AttributeError):
        return False
    return all([tell(_MMAP_MAX, 0), tell(_TRIM_THRESHOLD, _MOST), tell(_TOP_PAD, 1 << 26)])
