"""Where a deployment keeps things: below its home, unless `configs/deployment.toml` says otherwise.

In: a home, and the environment's `VANWATCH_DATABASE` and AWS variables. Out: folders or buckets, and the URL of the
ledger. Makes nothing, asks nobody.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field

from pipeline import bucket, config
from pipeline.bucket import Bucket
from pipeline.errors import ConfigError

OUTGOING = "outgoing"
"""Folder in `state` in which a night is built that goes to a bucket."""


class ObjectStore(config.Model):
    """Where an object store is that is not Amazon's; the AWS variables of the environment go before it."""

    endpoint: str = ""
    """Its URL."""
    region: str = ""


class Settings(config.Model):
    """The keys of `configs/deployment.toml`; every one may be left out."""

    state: str = Field(default="state", min_length=1)
    """Folder of the arrays, and of the ledger unless `database` names another place: absolute, or below the home. Or
    `s3://BUCKET/PREFIX`: only the arrays lie there, and `database` must be given."""
    out: str = Field(default="out", min_length=1)
    """Folder of the results, or `s3://BUCKET/PREFIX`."""
    database: str = ""
    """The ledger: `postgresql://USER@HOST/NAME` or `sqlite:///PATH`; empty for `vanwatch.db` in the state folder."""
    object_store: ObjectStore = ObjectStore()


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where things are."""

    state: Path
    """Holds the lock of a run and scratch files, and, unless there is a `state_bucket`, the arrays."""
    out: Path
    """Results; with an `out_bucket`, a folder in `state` in which a night is built before it is sent there."""
    database: str
    """URL of the ledger; empty for the usual file in `state`."""
    state_bucket: Bucket | None = None
    out_bucket: Bucket | None = None


def load(home: Path) -> Deployment:
    """The places of a home; `VANWATCH_DATABASE` goes before the file.

    Raises:
        ConfigError: the file is no TOML, or a key or value is wrong.
    """
    path = home / "configs" / "deployment.toml"
    told = config.load(Settings, path) if path.exists() else Settings()
    database = os.environ.get("VANWATCH_DATABASE", "") or told.database
    arrays, results = (_place(home, told, path, name) for name in ("state", "out"))
    if isinstance(arrays, Bucket) and not database:
        raise ConfigError(
            f"{path}: state: {arrays} cannot hold the ledger; set database to postgresql://USER@HOST/NAME, or to "
            "sqlite:///PATH where one machine does it all"
        )
    state = home / "state" if isinstance(arrays, Bucket) else arrays
    return Deployment(
        state=state,
        out=state / OUTGOING if isinstance(results, Bucket) else results,
        database=_below(home, database),
        state_bucket=arrays if isinstance(arrays, Bucket) else None,
        out_bucket=results if isinstance(results, Bucket) else None,
    )


def _place(home: Path, settings: Settings, path: Path, name: str) -> Path | Bucket:
    """The folder or bucket that a key names."""
    told: str = getattr(settings, name)
    parts = urlsplit(told)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme == "s3":
        try:
            return bucket.parsed(told, endpoint=settings.object_store.endpoint, region=settings.object_store.region)
        except ConfigError as err:
            raise ConfigError(f"{path}: {name}: {err}") from err
    if "://" in told:
        raise ConfigError(
            f"{path}: {name}: {parts.scheme}:// is not known; give a folder, file:// or s3://bucket/prefix"
        )
    return home / told


def _below(home: Path, url: str) -> str:
    """A relative SQLite file lies below the home, whatever folder the command is called from."""
    start = "sqlite:///"
    return f"{start}{home / url.removeprefix(start)}" if url.startswith(start) else url
