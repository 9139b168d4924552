"""Where a deployment keeps things: below its home, unless `configs/deployment.toml` says otherwise.

In: a home, and the environment's `VANWATCH_DATABASE`. Out: folders, and the URL of the ledger. Makes nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field

from pipeline import config
from pipeline.errors import ConfigError


class Settings(config.Model):
    """The keys of `configs/deployment.toml`; every one may be left out."""

    state: str = Field(default="state", min_length=1)
    """Folder of the arrays, and of the ledger unless `database` names another place: absolute, or below the home."""
    out: str = Field(default="out", min_length=1)
    """Folder of the results."""
    database: str = ""
    """The ledger: `postgresql://USER@HOST/NAME` or `sqlite:///PATH`; empty for `vanwatch.db` in the state folder."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where things are."""

    state: Path
    out: Path
    database: str
    """URL of the ledger; empty for the usual file in `state`."""


def load(home: Path) -> Deployment:
    """The places of a home; `VANWATCH_DATABASE` goes before the file.

    Raises:
        ConfigError: the file is no TOML, or a key or value is wrong.
    """
    path = home / "configs" / "deployment.toml"
    told = config.load(Settings, path) if path.exists() else Settings()
    database = os.environ.get("VANWATCH_DATABASE", "") or told.database
    return Deployment(
        _folder(home, told.state, f"{path}: state"), _folder(home, told.out, f"{path}: out"), _below(home, database)
    )


def _folder(home: Path, told: str, source: str) -> Path:
    parts = urlsplit(told)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if "://" in told:
        raise ConfigError(f"{source}: {parts.scheme}:// is not known; give a folder, or file:// and a folder")
    return home / told


def _below(home: Path, url: str) -> str:
    """A relative SQLite file lies below the home, whatever folder the command is called from."""
    start = "sqlite:///"
    return f"{start}{home / url.removeprefix(start)}" if url.startswith(start) else url
