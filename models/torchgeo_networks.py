"""torchgeo's change networks behind the same call as ours: `network(before, after)`.

Imported only when a card names one of them, since torchgeo takes seconds to import.
"""

import torch
from torch import Tensor, nn
from torchgeo.models import FCSiamConc, FCSiamDiff


class TorchgeoPair(nn.Module):
    """A torchgeo network that takes (n, time, channels, y, x)."""

    stride = 32
    halo_px = 128
    """Measured on a ResNet-18 encoder: leaves a tenth of the error that a tile's edge makes; 256 leaves none."""

    def __init__(self, inner: nn.Module) -> None:
        """Wrap `inner`."""
        super().__init__()
        self.inner = inner

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """(n, channels, y, x) each to logits (n, kinds, y, x)."""
        logits: Tensor = self.inner(torch.stack([before, after], dim=1))
        return logits


def fc_siam(form: str, *, in_channels: int = 8, kinds: int = 3, encoder_name: str = "resnet18") -> TorchgeoPair:
    """FC-Siam-diff or FC-Siam-conc, without pre-trained weights (these come with the card's weights).

    Args:
        form: `diff` or `conc`.
        in_channels: per date.
        kinds: outputs.
        encoder_name: as segmentation-models-pytorch names it.
    """
    build = {"diff": FCSiamDiff, "conc": FCSiamConc}[form]
    return TorchgeoPair(build(encoder_name=encoder_name, encoder_weights=None, in_channels=in_channels, classes=kinds))
