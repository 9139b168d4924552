"""Our network as it runs in the nightly run against torchgeo's FC-Siam-diff and against torch, on one thread.

In: nothing. Out: rows. All see the same cells with their halo. The peer has random weights: speed does not depend on
them.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.side_by_side import Row, compare
from models import inputs, loading, registry, runtime
from pipeline.config import PATCH_PX
from pipeline.detect.detector import WEIGHTS_FOLDER, Detector

MODEL = "vanwatch-s"
_CELLS = 2  # in one round

Array = NDArray[np.float32]
_LAYOUTS = {"rows first": torch.contiguous_format, "channels last": torch.channels_last}


def rows() -> list[Row]:
    """Ours against the peer in both memory layouts, of which either may be the faster one, and against torch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours = Detector.load(MODEL)
        side = PATCH_PX + 2 * ours.halo_px
        channels = inputs.channels(ours.card)
        dates = np.random.default_rng(1).standard_normal((2, 1, channels, side, side), np.float32)
        mine = _job(ours.run, dates)
        peer = registry.build("fc-siam-diff", {"in_channels": channels}).eval()  # ResNet-18
        found = [
            compare(f"network / FC-Siam-diff, torch, {name}", mine, _eager(peer, layout, dates))
            for name, layout in _LAYOUTS.items()
        ]
        slow = runtime.of_torch(loading.load(WEIGHTS_FOLDER / MODEL)[1])
        return [*found, compare("network by ONNX Runtime / by torch", mine, _job(slow, dates))]
    finally:
        torch.set_num_threads(threads)


def _job(run: runtime.Run, dates: Array) -> Callable[[], None]:
    def job() -> None:
        for _ in range(_CELLS):
            run(dates[0], dates[1])

    return job


def _eager(network: nn.Module, layout: torch.memory_format, dates: Array) -> Callable[[], None]:
    tensors = [torch.from_numpy(date).contiguous(memory_format=layout) for date in dates]
    peer = network.to(memory_format=layout)

    def job() -> None:
        with torch.inference_mode():
            for _ in range(_CELLS):
                peer(*tensors)

    return job
