"""Bars are for people at a terminal: results on standard output stay clean."""

import os
import pty
import subprocess
import sys

PROGRAM = (
    "from pipeline.progress import bar\nwith bar('chips', 3, done=1) as step:\n    step(); step()\nprint('result')\n"
)
ENVIRONMENT = os.environ | {"TERM": "xterm", "COLUMNS": "100"}


def test_bar_on_a_terminal_is_drawn_on_standard_error_only() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=ENVIRONMENT) as process:
        os.close(theirs)
        result, _ = process.communicate(timeout=60)
        drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert result == b"result\n"
    assert "chips" in drawn
    assert "3/3" in drawn


def test_bar_without_a_terminal_says_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert (done.stdout, done.stderr) == ("result\n", "")
