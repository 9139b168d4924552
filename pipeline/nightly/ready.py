"""Ready: what must hold of the workers before a night is begun on them.

In: workers of this machine or on a Dask scheduler, and a home. Out: nothing, or one line on what is wrong. Changes
nothing.

Workers need the same code as the driver, for the same bytes, and its state: a folder that they share with it, or a
bucket that their own credentials open. All else that a tile needs travels with its job, the model by its name.
"""

from collections.abc import Iterable
from pathlib import Path

from models import card, runtime
from pipeline.aoi import Aoi
from pipeline.bucket import Bucket
from pipeline.config import Profile
from pipeline.errors import ConfigError, VanwatchError
from pipeline.nightly import packing
from pipeline.nightly.workers import OnDask


def check_here(aoi: Aoi) -> None:
    """What this machine's own workers need.

    Raises:
        ConfigError: the AOI's network is to run on a GPU, and this machine has none.
    """
    if aoi.profile.detect.on_gpu and (missing := _gpu()):
        raise ConfigError(f"{aoi.path}: detect.device: {missing}; write cpu")


def check(crew: OnDask, state: Path | Bucket, profiles: Iterable[Profile]) -> None:
    """Ask every worker that has joined so far.

    Args:
        crew: the workers.
        state: where the arrays are; a folder is locked by this run.
        profiles: of the AOIs that the run is about.

    Raises:
        ConfigError: a worker runs other code, does not see the state, or would not have a model or the GPU for it.
    """
    profiles = tuple(profiles)
    if isinstance(state, Bucket):
        for profile in profiles:
            _shipped(profile.detect.model)
    mine = packing.source_sha256()
    locked = state if isinstance(state, Bucket) else (state / "lock").read_text()
    on_gpu = any(profile.detect.on_gpu for profile in profiles)
    for worker, found in crew.everywhere(_tell, state, on_gpu).items():
        if isinstance(found, Exception):
            raise ConfigError(f"{worker}: {found}") from found
        if found[2]:
            raise ConfigError(
                f"{worker}: {found[2]}, and a profile says detect.device = 'gpu'; write cpu, or give every worker a GPU"
            )
        if found[0] != mine:
            raise ConfigError(
                f"{worker}: runs other code than this process ({found[0][:12]}... and {mine[:12]}...); install one "
                "version of Vanwatch on all machines"
            )
        if found[1] != locked and isinstance(state, Bucket):
            raise ConfigError(f"{worker}: {found[1]} of the worker")
        if found[1] != locked:
            raise ConfigError(
                f"{worker}: does not see {state}; share the folder with all workers, or set state to "
                "s3://bucket/prefix in configs/deployment.toml"
            )


def _shipped(model: str) -> None:
    if card.folder_of(model, card.BUILT_IN).parent != card.BUILT_IN:
        raise ConfigError(
            f"detect.model: {model} is a folder of this machine, which workers that share only a bucket do not have; "
            "name a model that comes with Vanwatch, or put it into models/weights/ of what is installed on all machines"
        )


def _tell(state: Path | Bucket, on_gpu: bool) -> tuple[str, str | Bucket, str]:
    """A worker's code, what it sees of the state, and what speaks against its GPU; called there."""
    code, missing = packing.source_sha256(), _gpu() if on_gpu else ""
    if isinstance(state, Bucket):
        try:
            state.check("state")
        except VanwatchError as err:
            return code, str(err), missing
        return code, state, missing
    lock = state / "lock"
    return code, lock.read_text() if lock.is_file() else "", missing


def _gpu() -> str:
    """Why there is none; empty if there is."""
    try:
        runtime.gpu()
    except ValueError as err:
        return str(err)
    return ""
