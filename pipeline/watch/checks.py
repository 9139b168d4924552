"""Everything a deployment has written down, checked whole before any work.

In: a home folder. Out: a `Report`, or all mistakes at once.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import models
from models import card
from pipeline import aoi, config, context, deployment
from pipeline.config import Profile
from pipeline.errors import ConfigError
from pipeline.notify import checks as notify

WEIGHTS = Path(models.__file__).parent / "weights"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Report:
    """What a check looked at, all of it in order."""

    home: str
    aois: tuple[str, ...]
    disabled: tuple[str, ...]
    profiles: tuple[str, ...]
    catalogs: tuple[str, ...]
    models: tuple[str, ...]
    """Name, version and fingerprint of each model that a profile names."""
    area_km2: float
    """Of the enabled AOIs."""
    told: tuple[str, ...] = ()
    """Addresses that are told what is new, by group and name."""


def check(home: Path, *, weights: Path = WEIGHTS) -> Report:
    """Check all AOIs, profiles, catalogues, the model cards that profiles name, and who is told.

    Args:
        home: folder with `aoi/` and `configs/`.
        weights: folder of the models that come with the project.

    Raises:
        ConfigError: one line for every mistake, each naming file, key and remedy.
    """
    mistakes: list[str] = []
    areas = _tried(lambda: aoi.load_all(home / "aoi", home / "configs"), mistakes) or ()
    known = _tried(lambda: config.load_catalogs(home / "configs" / "catalogs.toml"), mistakes)
    _tried(lambda: _check_deployment(home), mistakes)
    profiles = _profiles(home / "configs", mistakes)
    found: set[str] = set()
    watched = [(str(path), profile) for path, profile in profiles.items()]
    for area in areas:  # what an AOI has from its profile is the profile's mistake
        base = profiles.get(home / "configs" / f"{area.profile_name}.toml")
        if base is None or _named(base) != _named(area.profile):
            watched.append((f"{area.path}: properties.overrides", area.profile))
    for source, profile in watched:
        if known is not None:
            mistakes += _unknown_catalogs(profile, known, source)
        try:
            found.add(check_card(profile, source=source, weights=weights).model_id)
        except ConfigError as err:
            mistakes.append(str(err))
    for area in areas:
        _tried(
            partial(context.load, area.profile.context, area.configs, area.geometry, source=str(area.path)), mistakes
        )
    groups = _tried(lambda: notify.load(home / "configs", [area.id for area in areas]), mistakes) if areas else None
    if mistakes:
        raise ConfigError("\n".join(dict.fromkeys("\n".join(mistakes).splitlines())))
    told = [address.shown for group in groups.groups for address in group.addresses] if groups else []
    return Report(
        home=str(home),
        aois=tuple(area.id for area in areas),
        disabled=tuple(area.id for area in areas if not area.enabled),
        profiles=tuple(path.stem for path in profiles),
        catalogs=tuple(known or ()),
        models=tuple(sorted(found)),
        area_km2=sum(area.area_km2 for area in areas if area.enabled),
        told=tuple(told),
    )


def check_card(profile: Profile, *, source: str, model: str = "", weights: Path = WEIGHTS) -> card.ModelCard:
    """Read the card of the model that a profile names, and check that it may be used so.

    Args:
        profile: `detect.model` and `use` are looked at.
        source: the profile's file, named in errors.
        model: in place of the profile's.
        weights: folder of the models that come with the project.

    Raises:
        ConfigError: there is no such model, its card or weights are wrong, or its terms do not permit the use.
    """
    named = model or profile.detect.model
    folder = card.folder_of(named, weights)
    try:
        found = card.read_card(folder / "card.json")
    except FileNotFoundError as err:
        there = ", ".join(sorted(path.parent.name for path in weights.glob("*/card.json"))) or "none"
        raise ConfigError(
            f"{source}: detect.model: {named!r} has no {folder / 'card.json'}; there are: {there}"
        ) from err
    except (OSError, ValueError) as err:
        raise ConfigError(f"{source}: detect.model: {err}") from err
    _check_weights(folder / "weights.safetensors", found, source)
    if not found.terms.permits(profile.use):
        raise ConfigError(
            f"{source}: detect.model: the terms of {found.name} ({found.terms.licence}) do not permit "
            f"use = {profile.use!r}, only {', '.join(found.terms.allowed)}; name another model"
        )
    return found


def _check_deployment(home: Path) -> None:
    url = deployment.load(home).database
    if url:
        from pipeline.ledger import database  # heavy: only where another ledger than the usual file is named

        database.file_of(url)


def _check_weights(path: Path, told: card.ModelCard, source: str) -> None:
    """Weights that are absent, cut off or of another card are told before a night begins."""
    try:
        fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as err:
        raise ConfigError(f"{source}: detect.model: no {path}; install the model again") from err
    if fingerprint != told.sha256:
        raise ConfigError(
            f"{source}: detect.model: {path} is damaged or of another card (sha256 {fingerprint[:12]}..., "
            f"the card says {told.sha256[:12]}...); install the model again"
        )


def describe(report: Report) -> str:
    """A report in words."""
    off = f" ({len(report.disabled)} disabled: {', '.join(report.disabled)})" if report.disabled else ""
    return "\n".join(
        [
            f"areas     {len(report.aois)}{off}, {report.area_km2:,.0f} km2 watched: {', '.join(report.aois)}",
            f"profiles  {', '.join(report.profiles)}",
            f"catalogs  {', '.join(report.catalogs)}",
            f"models    {', '.join(report.models)}",
            *([f"told      {', '.join(report.told)}"] if report.told else []),
            "all is well",
        ]
    )


def _tried(load: Callable[[], T], mistakes: list[str]) -> T | None:
    """What `load` gives, or None with its mistakes noted."""
    try:
        return load()
    except ConfigError as err:
        mistakes.append(str(err))
        return None


def _profiles(folder: Path, mistakes: list[str]) -> dict[Path, Profile]:
    found = {}
    for path in config.profile_paths(folder):
        profile = _tried(partial(config.load_profile, path), mistakes)
        if profile is not None:
            found[path] = profile
    return found


def _named(profile: Profile) -> tuple[str, str, tuple[str, ...]]:
    """What a profile names outside itself."""
    return profile.use, profile.detect.model, profile.search.catalogs


def _unknown_catalogs(profile: Profile, known: Iterable[str], source: str) -> list[str]:
    return [
        f"{source}: search.catalogs: {name!r} is not in catalogs.toml; there are: {', '.join(known)}"
        for name in profile.search.catalogs
        if name not in known
    ]
