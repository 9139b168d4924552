"""What a run is about: which AOIs, and the catalogues in which their scenes are listed.

In: names as the user gave them, and the folders of a home. Out: AOIs, checked whole. Reads no pixel and no ledger.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline import aoi as areas
from pipeline import config
from pipeline.aoi import Aoi
from pipeline.catalog import files, search
from pipeline.config import Catalog
from pipeline.errors import CatalogError, ConfigError

Watched = tuple[Aoi, tuple[tuple[str, Catalog], ...]]
"""An AOI, and its catalogues in fail-over order."""
_ENDINGS = (".geojson", ".json")


def aois(folder: Path, configs: Path, names: Sequence[str]) -> tuple[Aoi, ...]:
    """The AOIs that are meant, each once.

    Args:
        folder: of the AOI files.
        configs: folder of the profiles.
        names: ids in `folder`, or paths of GeoJSON files; none for all that are enabled.

    Raises:
        ConfigError: an AOI, its profile or a name is wrong, or two files bear the same id.
    """
    if not names:
        enabled = tuple(item for item in areas.load_all(folder, configs) if item.enabled)
        if not enabled:
            raise ConfigError(f"{folder}: no AOI is enabled; set properties.enabled to true in one of them")
        return enabled
    paths = [Path(name) for name in names if name.endswith(_ENDINGS)]
    ids = [name for name in names if not name.endswith(_ENDINGS)]
    found = [areas.load(path, configs) for path in paths]
    known = {item.id: item for item in areas.load_all(folder, configs)} if ids else {}
    for name in ids:
        if name not in known:
            raise ConfigError(f"--aoi {name}: no such AOI in {folder}; there are: {', '.join(sorted(known))}")
        found.append(known[name])
    return _each_once(found)


def catalogs(configs: Path, aoi: Aoi, override: str) -> tuple[tuple[str, Catalog], ...]:
    """The catalogues of an AOI in fail-over order.

    Args:
        configs: folder of `catalogs.toml`.
        aoi: the AOI.
        override: name, URL or file to use in place of its profile's; empty for those.

    Raises:
        ConfigError: a name is not in `catalogs.toml`, or a file that the user gave holds no items.
    """
    path = configs / "catalogs.toml"
    known = config.load_catalogs(path) if path.exists() else {}
    names = [override] if override else list(aoi.profile.search.catalogs)
    try:
        found = tuple(search.resolve(name, known) for name in names)
    except ConfigError as err:
        raise err if override else ConfigError(f"{aoi.path}: search.catalogs of its profile: {err}") from err
    if override and not search.is_url(found[0][1].url):
        try:
            files.read(found[0][1], name=override)
        except CatalogError as err:  # wrong input, told before anything is changed; of a profile it is an outage
            raise ConfigError(f"--catalog: {err}") from err
    return found


def _each_once(found: Sequence[Aoi]) -> tuple[Aoi, ...]:
    """Results and state are kept by id: two runs of one id in a night would be one too many."""
    once: dict[str, Aoi] = {}
    for item in found:
        other = once.setdefault(item.id, item)
        if other.path.resolve() != item.path.resolve():
            raise ConfigError(f"--aoi: {other.path} and {item.path} are both {item.id!r}; name one, or change an id")
    return tuple(once.values())
