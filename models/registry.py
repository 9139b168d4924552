"""Which networks a card may name. To add one, write its class and add a line here."""

from collections.abc import Callable
from typing import Any

from torch import nn

from models import siamese


def _torchgeo(name: str, *fixed: str) -> Callable[..., nn.Module]:
    def build(**parameters: Any) -> nn.Module:
        from models import torchgeo_networks  # seconds of imports that our own network does not need

        made: nn.Module = getattr(torchgeo_networks, name)(*fixed, **parameters)
        return made

    return build


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "siamese": siamese.Siamese,
    "fc-siam-diff": _torchgeo("fc_siam", "diff"),
    "fc-siam-conc": _torchgeo("fc_siam", "conc"),
    "changestar": _torchgeo("change_star"),
    "changevit": _torchgeo("change_vit"),
}
"""Name to constructor. Every network is called as `network(before, after)` and returns logits."""


def build(name: str, parameters: dict[str, Any]) -> nn.Module:
    """Build a network with random weights.

    Raises:
        ValueError: the name or a parameter is unknown.
    """
    if name not in NETWORKS:
        raise ValueError(f"network {name!r} is unknown; known are {', '.join(NETWORKS)}")
    try:
        return NETWORKS[name](**parameters)
    except (TypeError, KeyError, RuntimeError) as err:  # RuntimeError: torch, timm; KeyError: an encoder's name
        why = str(err).splitlines()[0][:200] if str(err) else type(err).__name__
        raise ValueError(f"network {name!r} does not take these parameters: {why}") from err
