"""Taking up a training that was stopped: what it was begun with, and its last whole epoch.

In: the folder of a run and its settings. Out: `settings.json` and `last.ckpt` there, each whole. Trains nothing.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from models import loading
from pipeline import disk
from pipeline.errors import ConfigError
from pipeline.learn.settings import Settings

CHECKPOINT, SETTINGS = "last.ckpt", "settings.json"

_WHERE_IT_RUNS = {"data": {"root", "workers", "test_chips"}, "fit": {"threads", "workers", "accelerator"}}
"""Settings that a run may be taken up with otherwise."""


class WholeCheckpoints(TorchCheckpointIO):
    """Written aside in the same folder: Lightning's own are copied there from the folder of temporary files."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Called by Lightning after each epoch."""
        with disk.whole(Path(path)) as file:
            torch.save(checkpoint, file)


def begin(out: Path, settings: Settings, *, resume: bool) -> None:
    """Note what a run is made with; without `resume`, what an earlier one left goes: no later one takes it up.

    Raises:
        ConfigError: what is to be taken up was begun with other settings, or is damaged; or `out` cannot be made.
        WriteError: the disk is full.
    """
    if resume:
        compare(out, settings)
        _check_checkpoint(out / CHECKPOINT)
    with disk.writing(out, ConfigError):
        out.mkdir(parents=True, exist_ok=True)
        if not resume:
            for name in (loading.CARD, CHECKPOINT):
                (out / name).unlink(missing_ok=True)
    with disk.whole(out / SETTINGS) as file:
        file.write(json.dumps(_noted(settings), indent=1).encode() + b"\n")


def compare(out: Path, settings: Settings) -> None:
    """ConfigError if an earlier run there was made with other settings; what has no note of them is not known."""
    try:
        was = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    changed = []
    for part, now in _noted(settings).items():
        if isinstance(now, dict) and isinstance(was.get(part), dict):
            changed += [f"{part}.{key}" for key in now if was[part].get(key) != now[key]]
        elif was.get(part) != now:
            changed.append(part)
    if changed:
        raise ConfigError(
            f"{out}: was begun with another {', '.join(changed)}; give what it was begun with, leave --resume away to "
            "begin anew, or name another folder with --out"
        )


def _noted(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude=_WHERE_IT_RUNS)


def _check_checkpoint(path: Path) -> None:
    try:
        if path.exists():
            torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as err:
        raise ConfigError(f"{path}: not readable; delete it to begin this seed anew") from err
