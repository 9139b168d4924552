"""Reading and writing a model folder: `card.json`, `weights.safetensors` and, for speed, `network.onnx`.

In: a folder. Out: a card and its network, ready to run. Weights whose fingerprint is not the card's are refused.
"""

import hashlib
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from models import card as cards
from models import inputs, registry, runtime, siamese
from models.card import ModelCard

CARD = cards.CARD
WEIGHTS = cards.WEIGHTS


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
    content = cards.read_content(folder / WEIGHTS, sha256=card.sha256)
    network = registry.build(card.network.name, card.network.parameters)
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except (SafetensorError, RuntimeError) as err:
        why = " ".join(str(err).split())[:200]  # torch names every layer
        raise ValueError(f"{folder / WEIGHTS}: does not fit network {card.network.name!r}: {why}") from err
    return card, siamese.fold(network.eval())


def save(folder: Path, network: nn.Module, facts: dict[str, Any], *, exported: bool = False) -> ModelCard:
    """Write a model; the card last, so that it never speaks of weights that are not there.

    Args:
        folder: made if absent.
        network: not folded.
        facts: fields of the card without fingerprints.
        exported: write `network.onnx` too.

    Raises:
        ValueError: the facts make no valid card, or the network cannot be exported.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    content = safetensors.torch.save(state)
    card = ModelCard(**facts, sha256=hashlib.sha256(content).hexdigest())
    onnx = b""
    if exported:
        onnx = runtime.export(network.eval(), channels=inputs.channels(card), stride=card.stride)
        card = card.model_copy(update={"onnx_sha256": hashlib.sha256(onnx).hexdigest()})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(content)
    (folder / runtime.ONNX).unlink(missing_ok=True)
    if onnx:
        (folder / runtime.ONNX).write_bytes(onnx)
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card
