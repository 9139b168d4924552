"""Runs nights in processes that kill themselves at a given moment: `python tests/nightly/killed.py HOME ITEMS DAYS...`.

In: one moment per line on standard input, like `any 40`, `committing 2` or `never 0`. Out: a line for each: `killed`,
or `done` and the numbers of moments and of nights that passed. A moment is a file about to be written, renamed or
removed below the home, a statement about to be sent to the ledger, or a file about to be `sent` to an object store;
`committing` and `committed` are before and after the transaction of a night. Each process is forked from this one,
which has only imported what a night needs; SIGKILL leaves it no time for anything.
"""

import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from pipeline.bucket import Bucket
from pipeline.ledger import database
from pipeline.ledger.nights import Books
from pipeline.nightly import run

AOI = "planted-world"
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}


class Moments:
    """Counts moments, and kills this process at one of them."""

    def __init__(self, home: Path, kind: str, number: int) -> None:
        self.passed: Counter[str] = Counter()
        self._home, self._kind, self._number, self._of_night = str(home), kind, number, False

    def passes(self, kind: str) -> None:
        for name in (kind, "any"):
            self.passed[name] += 1
            if (name, self.passed[name]) == (self._kind, self._number):
                os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        written = name == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if (written or name in CHANGES) and str(arguments[0]).startswith(self._home):
            self.passes("file")

    def statement(self, connection: Connection, cursor: Any, text: str, *_: Any) -> None:
        self._of_night |= text.startswith("INSERT INTO nights")
        self.passes("statement")

    def commit(self, connection: Connection) -> None:
        if self._of_night:
            self.passes("committing")

    def checkin(self, *_: Any) -> None:
        if self._of_night:
            self._of_night = False
            self.passes("committed")


def counted(method: Callable[..., None], moments: Moments) -> Callable[..., None]:
    def first_passes(*args: Any, **more: Any) -> None:
        moments.passes("sent")
        method(*args, **more)

    return first_passes


def nights(home: Path, items: str, days: list[date], moments: Moments) -> None:
    """Run the nights that are not whole yet; where all are, the last one again."""
    place = run.home(home)
    last = None
    file = database.file_of(place.ledger)
    if file and file.exists():
        with database.opened(place.ledger) as ledger:
            last = Books(ledger, AOI).last()
    sys.addaudithook(moments.audit)
    for name in ("put", "copy"):
        setattr(Bucket, name, counted(getattr(Bucket, name), moments))
    event.listen(Engine, "before_cursor_execute", moments.statement)
    event.listen(Engine, "commit", moments.commit)
    event.listen(Engine, "checkin", moments.checkin)
    left = [day for day in days if last is None or day > last] or days[-1:]
    report = run.over(place, left, run.Options(catalog=items, workers=0))
    if report.exit_code:
        raise RuntimeError(str(report))


def main() -> None:
    home, items, days = Path(sys.argv[1]), sys.argv[2], [date.fromisoformat(text) for text in sys.argv[3:]]
    for line in sys.stdin:
        kind, number = line.split()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            moments = Moments(home, kind, int(number))
            with contextlib.suppress(BrokenPipeError):
                nights(home, items, days, moments)
                print("done", moments.passed["any"], moments.passed["committing"], flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            print("killed", flush=True)
    sys.stdout.flush()
    os._exit(0)  # nothing is left to do, and taking everything down takes its time


if __name__ == "__main__":
    main()
