"""Our network against torchgeo's FC-Siam-diff, one thread, on the same cells with their halo.

In: nothing. Out: rows. The peer has random weights: speed does not depend on them.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmarks.side_by_side import Row, compare
from models import registry
from pipeline.config import PATCH_PX
from pipeline.detect.detector import Detector

MODEL = "vanwatch-s"
_CHANNELS = 8  # six bands and two masks
_CELLS = 2  # in one round


def rows() -> list[Row]:
    """Ours against the peer in both memory layouts, of which either may be the faster one on a machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours = Detector.load(MODEL)
        peer = registry.build("fc-siam-diff", {"in_channels": _CHANNELS}).eval()  # ResNet-18
        return [_compared(ours, peer, layout) for layout in (torch.contiguous_format, torch.channels_last)]
    finally:
        torch.set_num_threads(threads)


def _compared(ours: Detector, peer: nn.Module, layout: torch.memory_format) -> Row:
    side = PATCH_PX + 2 * ours.halo_px
    generator = torch.Generator().manual_seed(1)
    dates = [torch.randn(1, _CHANNELS, side, side, generator=generator) for _ in range(2)]
    mine = [date.contiguous(memory_format=torch.channels_last) for date in dates]
    theirs = [date.contiguous(memory_format=layout) for date in dates]
    other = peer.to(memory_format=layout)
    row = compare("", lambda: _run(ours.network, mine), lambda: _run(other, theirs))
    each = [1e6 * seconds / (_CELLS * PATCH_PX**2) for seconds in (row.ours_s, row.theirs_s)]
    name = {torch.contiguous_format: "rows first", torch.channels_last: "channels last"}[layout]
    return replace(row, name=f"network / FC-Siam-diff, {name}: {each[0]:.3f} / {each[1]:.2f} us a pixel")


def _run(network: nn.Module, dates: list[Tensor]) -> None:
    with torch.inference_mode():
        for _ in range(_CELLS):
            network(*dates)
