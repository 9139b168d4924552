"""Reading and writing a model folder: `card.json` and `weights.safetensors`.

In: a folder. Out: a card and its network, ready to run. Weights whose fingerprint is not the card's are refused.
"""

import hashlib
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from models import card as cards
from models import registry, siamese
from models.card import ModelCard

CARD = "card.json"
WEIGHTS = "weights.safetensors"


def load(folder: Path) -> tuple[ModelCard, nn.Module]:
    """Read a model.

    Args:
        folder: holds `card.json` and `weights.safetensors`.

    Returns:
        The card, and the network in eval mode with its normalisations folded in.

    Raises:
        OSError: a file cannot be read.
        ValueError: the card is wrong, the weights are not those of the card, or they do not fit the network.
    """
    card = cards.read_card(folder / CARD)
    content = (folder / WEIGHTS).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise ValueError(
            f"{folder / WEIGHTS}: sha256 is {found[:12]}..., the card says {card.sha256[:12]}...; "
            "fetch card and weights again, together"
        )
    network = registry.build(card.network.name, card.network.parameters)
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except (SafetensorError, RuntimeError) as err:
        raise ValueError(f"{folder / WEIGHTS}: does not fit network {card.network.name!r}: {err}") from err
    return card, siamese.fold(network.eval())


def save(folder: Path, network: nn.Module, facts: dict[str, Any]) -> ModelCard:
    """Write a model; the weights first, so that a card never speaks of weights that are not there.

    Args:
        folder: made if absent.
        network: not folded.
        facts: fields of the card without `sha256`.

    Raises:
        ValueError: the facts make no valid card.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    content = safetensors.torch.save(state)
    card = ModelCard(**facts, sha256=hashlib.sha256(content).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(content)
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card
