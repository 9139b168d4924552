"""torchgeo's change networks behind the same call as ours: `network(before, after)`.

Imported only when a card names one of them, since torchgeo takes seconds to import. BTC is not here: it takes three
channels a date and no more.
"""

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torchgeo.models import ChangeMixin, ChangeViT, FCSiamConc, FCSiamDiff, get_weight

_INNER = 16  # channels of ChangeMixin, as published
_SENTINEL2 = ("B02", "B03", "B04", "B08", "B11", "B12")


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


class ChangeStar(nn.Module):
    """torchgeo's ChangeMixin on a U-Net of any encoder; its own ChangeStarFarSeg takes three channels only.

    Source: Zheng et al. (2021), arXiv:2108.07002.
    """

    def __init__(self, extractor: nn.Module, features: int, kinds: int) -> None:
        """`extractor` gives `features` channels at full resolution."""
        super().__init__()
        self.extractor = extractor
        self.mixin = ChangeMixin(in_channels=2 * features, inner_channels=_INNER, scale_factor=1.0)
        self.mixin.convs[-2] = nn.Conv2d(_INNER, kinds, 3, padding=1)

    def forward(self, dates: Tensor) -> Tensor:
        """(n, 2, channels, y, x) to logits (n, kinds, y, x): the change from the first date to the second."""
        features = self.extractor(dates.flatten(0, 1))
        logits: Tensor = self.mixin(features.unflatten(0, dates.shape[:2]))[0]
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


def change_star(
    *, in_channels: int = 8, kinds: int = 3, encoder_name: str = "resnet18", features: int = 32, pretrained: str = ""
) -> TorchgeoPair:
    """ChangeStar on a U-Net.

    Args:
        in_channels: per date.
        kinds: outputs.
        encoder_name: a ResNet as segmentation-models-pytorch names it.
        features: channels that the two dates are compared in.
        pretrained: name of torchgeo weights to start training from, such as `ResNet18_Weights.SENTINEL2_ALL_MOCO`;
            fetched from the network once. Empty: random.

    Raises:
        ValueError: there are no such weights, or they were not trained on Sentinel-2 bands.
    """
    extractor = smp.Unet(encoder_name, encoder_weights=None, in_channels=in_channels, classes=features)
    if pretrained:
        weights = get_weight(pretrained)
        start = fitting(weights.get_state_dict(progress=False), tuple(weights.meta.get("bands", ())), in_channels)
        extractor.encoder.load_state_dict(start, strict=False)
    return TorchgeoPair(ChangeStar(extractor, features, kinds))


def change_vit(
    *, in_channels: int = 8, kinds: int = 3, backbone: str = "vit_tiny_patch16_224", img_size: int = 256
) -> TorchgeoPair:
    """ChangeViT, without pre-trained weights.

    Args:
        in_channels: per date.
        kinds: outputs.
        backbone: a vision transformer as timm names it.
        img_size: side that its positions are made for; other sides are interpolated.

    Source: Zhu et al. (2024), arXiv:2406.12847.
    """
    return TorchgeoPair(ChangeViT(backbone, img_size=img_size, in_channels=in_channels, num_classes=kinds))


def fitting(state: dict[str, Tensor], bands: tuple[str, ...], in_channels: int) -> dict[str, Tensor]:
    """Weights of a ResNet trained on other Sentinel-2 bands, for our channels: masks and indices start at zero.

    Args:
        state: with `conv1.weight` (filters, band, y, x).
        bands: what its channels are, named B1 to B12 or B01 to B12.
        in_channels: ours; the first are the bands of this pipeline.

    Raises:
        ValueError: one of the pipeline's bands is not among `bands`.
    """
    known = [f"B{name[1:].zfill(2)}" for name in bands]
    missing = [band for band in _SENTINEL2 if band not in known]
    if missing:
        raise ValueError(f"the pre-trained weights know no {', '.join(missing)}; take weights of Sentinel-2, all bands")
    old = state["conv1.weight"]
    first = torch.zeros(len(old), in_channels, *old.shape[2:])
    first[:, : len(_SENTINEL2)] = old[:, [known.index(band) for band in _SENTINEL2]]
    return {name: value for name, value in state.items() if not name.startswith("fc.")} | {"conv1.weight": first}
