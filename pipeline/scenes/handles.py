"""Handles: a few files stay open between reads, so that a file is not opened anew for each of its windows.

In: URLs and paths. Out: open datasets, each lent to one thread at a time. Refuses to know retries and pixels.

A handle stands for the file as it was when it was opened: a local file that was written again since is opened anew, and
so is a URL that was signed again, or that was opened some minutes ago. Who met a fault closes what it was lent.
"""

import atexit
import os
import threading
import time
from typing import Any

import rasterio

MOST = 64
"""Files left open in a process while nobody reads them; those read last."""

_FRESH_S = 600
"""A URL is opened anew after so long at most: what lies behind it may have been replaced."""

Key = tuple[object, ...]
_lock = threading.Lock()
_idle: list[tuple[Key, Any]] = []


def far(url: str) -> bool:
    """True for what is no path of this machine's file system."""
    return "://" in url or url.startswith("/vsi")


def key_of(url: str) -> Key:
    """What tells one state of a file from another, in this process: open files are not shared with a child."""
    if far(url):
        return os.getpid(), url, time.monotonic() // _FRESH_S
    about = os.stat(url)
    return os.getpid(), url, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def taken(key: Key) -> Any | None:
    """An open file that nobody reads; the caller closes it or leaves it again."""
    with _lock:
        for place in range(len(_idle) - 1, -1, -1):
            if _idle[place][0] == key:
                return _idle.pop(place)[1]
    return None


def left(key: Key, dataset: Any) -> None:
    """Leave a file open for the next reader; those left longest ago are closed beyond `MOST`."""
    with _lock:
        _idle.append((key, dataset))
        surplus = [_idle.pop(0)[1] for _ in range(len(_idle) - MOST)]
    for other in surplus:
        other.close()


@atexit.register
def close_all() -> None:
    """Close what nobody reads."""
    with _lock:
        idle = [dataset for _, dataset in _idle]
        _idle.clear()
    with rasterio.Env():
        for dataset in idle:
            dataset.close()
