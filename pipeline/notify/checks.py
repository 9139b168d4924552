"""Everything about who is told, checked whole before any work.

In: a folder of configuration and the ids of AOIs. Out: `Groups`. Asks no service.
"""

from collections.abc import Collection
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.notify import groups, post
from pipeline.notify.groups import Groups


def load(configs: Path, aois: Collection[str]) -> Groups:
    """Read who is told, and see whether Apprise can use every address.

    Args:
        configs: folder of the configuration.
        aois: ids of all AOIs there are.

    Raises:
        ConfigError: one line for every mistake; none shows an address.
    """
    found = groups.load(configs, aois)
    mistakes = [
        f"{configs / groups.FILE}: groups.{group.name}.addresses.{address.name}: {wrong}"
        for group in found.groups
        for address in group.addresses
        if (wrong := post.check(address.url))
    ]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return found
