"""Groups: who is told about which AOIs, at which addresses.

In: `configs/notify.toml` and the environment. Out: `Groups`. Secrets belong into the environment: `${NAME}` in an
address is replaced by its value, and no message of this module shows an address.
"""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from pipeline import config
from pipeline.errors import ConfigError

FILE = "notify.toml"
ALL = "*"
"""In place of ids: every AOI."""
What = Literal["new", "confirmed", "blind", "silent"]
_VARIABLE = re.compile(r"\$\{([^}]*)\}?")


def _named(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name):
        raise ValueError("use lower-case letters, digits and '-', starting with a letter")
    return name


def _web(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return url.rstrip("/")


Name = Annotated[str, AfterValidator(_named)]


class _Secretive(config.Model):
    """What is wrong is told without what was given: it may be an address."""

    model_config = ConfigDict(hide_input_in_errors=True)


class GroupSettings(_Secretive):
    """People who are told about some AOIs."""

    aois: tuple[str, ...] = Field(min_length=1, strict=False)
    """Ids in `aoi/`, or `*` for all."""
    addresses: dict[Name, Annotated[str, StringConstraints(min_length=1)]] = Field(min_length=1)
    """Name to Apprise URL; the name is what logs and results carry, and what the ledger remembers."""
    tell: tuple[What, ...] = Field(default=("new", "confirmed", "blind", "silent"), min_length=1, strict=False)
    """What is worth a message; `blind` and `silent` tell the end as well as the beginning."""
    most: int = Field(default=10, ge=0, le=50)
    """Alerts that one message lists, those of the highest priority; the others are counted."""
    names: bool = False
    """Tell the names of AOIs, and of what an alert lies in and near; else ids only."""
    coordinates: bool = False
    """Tell where alerts lie; else only their ids."""


class Settings(_Secretive):
    """The keys of `configs/notify.toml`."""

    base_url: Annotated[str, AfterValidator(_web)] = ""
    """Where `out/` is served: messages link to reports below it. Empty: they name the file."""
    timeout_s: float = Field(default=30.0, gt=0, le=600)
    """Limit for sending one message."""
    groups: dict[Name, GroupSettings] = Field(default_factory=dict)
    """Name to group."""


@dataclass(frozen=True, slots=True)
class Address:
    """One place to which messages go."""

    group: str
    name: str
    url: str = field(repr=False)
    """With all secrets in it."""

    @property
    def shown(self) -> str:
        """How it is called everywhere."""
        return f"{self.group}/{self.name}"


@dataclass(frozen=True, slots=True)
class Group:
    """One group, its addresses filled in."""

    name: str
    settings: GroupSettings = field(repr=False)
    addresses: tuple[Address, ...]

    def watches(self, aoi: str) -> bool:
        """Is this group told about an AOI?"""
        return ALL in self.settings.aois or aoi in self.settings.aois


@dataclass(frozen=True, slots=True)
class Groups:
    """All that `configs/notify.toml` says."""

    base_url: str = ""
    timeout_s: float = 30.0
    groups: tuple[Group, ...] = ()


NOBODY = Groups()


def load(configs: Path, aois: Collection[str], environment: Mapping[str, str] | None = None) -> Groups:
    """Read who is told; nobody where there is no file.

    Args:
        configs: folder of the configuration.
        aois: ids of all AOIs there are.
        environment: of the process, unless given.

    Raises:
        ConfigError: one line for every mistake: keys, values, unknown AOIs, variables that are not set.
    """
    path = configs / FILE
    if not path.exists():
        return NOBODY
    told = config.load(Settings, path)
    values = os.environ if environment is None else environment
    groups, mistakes = [], []
    for name, settings in told.groups.items():
        source = f"{path}: groups.{name}"
        mistakes += _unknown(settings, aois, source)
        addresses = []
        for key, url in settings.addresses.items():
            try:
                addresses.append(Address(name, key, _filled(url, values)))
            except ConfigError as err:
                mistakes.append(f"{source}.addresses.{key}: {err}")
        groups.append(Group(name, settings, tuple(addresses)))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return Groups(told.base_url, told.timeout_s, tuple(groups))


def _unknown(settings: GroupSettings, aois: Collection[str], source: str) -> list[str]:
    there = ", ".join(sorted(aois)) or "none"
    return [
        f"{source}.aois: {aoi!r} is not in aoi/; there are: {there}"
        for aoi in settings.aois
        if aoi != ALL and aoi not in aois
    ]


def _filled(url: str, environment: Mapping[str, str]) -> str:
    """An address with the values of its variables, as they stand."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if not found.group().endswith("}") or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ConfigError("a variable is written like ${VANWATCH_MAIL}")
        if not environment.get(name):
            raise ConfigError(f"{name} is not set in the environment; set it where the night is started")
        return environment[name]

    return _VARIABLE.sub(value, url).strip()
