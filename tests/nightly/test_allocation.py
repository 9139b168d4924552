import subprocess
import sys

import pytest

FETCHED = """
import resource, sys
import numpy as np
from pipeline.nightly import allocation

told = sys.argv[1] == "told" and allocation.keep_freed()
assert told == (sys.argv[1] == "told")
for _ in range(2):
    np.ones(10_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _pages_fetched(how: str) -> int:
    """By five arrays of 80 MB, after two others were freed; small pages, or the number depends on the system."""
    found = subprocess.run(
        [sys.executable, "-c", FETCHED, how],
        env={"NUMPY_MADVISE_HUGEPAGE": "0", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(found.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only the GNU C library can be told")
def test_a_freed_array_makes_room_for_the_next_without_fetching_pages():
    assert _pages_fetched("told") < _pages_fetched("not told") / 10
