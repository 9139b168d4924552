"""Our network as it runs in the nightly run: bars 4 and 5, against torchgeo's FC-Siam-diff and against torch.

In: nothing, and the public pairs where they are there. Out: lines, on one thread. All see the same cells with their
halo. The peer has random weights: speed does not depend on them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks import bars
from benchmarks.bars import Line
from benchmarks.side_by_side import compare
from models import inputs, loading, registry, runtime
from pipeline.config import PATCH_PX
from pipeline.detect.detector import WEIGHTS_FOLDER, Detector
from pipeline.detect.pair import change_pair
from pipeline.evaluate import places

MODEL = "vanwatch-s"
PAIRS = Path("../shared/data/pairs/czech")
_CELLS = 2  # in one round
_EVERY = 4  # pairs, for what crosses the threshold

Array = NDArray[np.float32]
_LAYOUTS = {"rows first": torch.contiguous_format, "channels last": torch.channels_last}


def lines(*, quick: bool) -> Iterator[Line]:
    """Ours against the peer in both memory layouts, of which either may be the faster one, and against torch."""
    threads, rounds = torch.get_num_threads(), 3 if quick else 7
    torch.set_num_threads(1)
    try:
        ours = Detector.load(MODEL)
        side = PATCH_PX + 2 * ours.halo_px
        channels = inputs.channels(ours.card)
        dates = np.random.default_rng(1).standard_normal((2, 1, channels, side, side), np.float32)
        mine = _job(ours.run, dates)
        peer = registry.build("fc-siam-diff", {"in_channels": channels}).eval()  # ResNet-18
        for name, layout in _LAYOUTS.items():
            row = compare(name, mine, _eager(peer, layout, dates), rounds=rounds)
            note = "the same cells with halo; ours answers without it; average precision: docs/model.md"
            yield bars.at_least("4", f"network / FC-Siam-diff ResNet-18, eager torch, {name}", row, bar=15, note=note)
        slow = runtime.of_torch(loading.load(WEIGHTS_FOLDER / MODEL)[1])
        row = compare("torch", mine, _job(slow, dates), rounds=rounds)
        yield bars.told("network by ONNX Runtime / our network by torch, folded, channels last", row)
        yield from _openvino(mine, dates, rounds)
        eager = Detector(ours.card, slow)
        yield _crossing("pixels that cross a threshold against eager float32", ours, eager, note="no int8 ships")
        half = Detector(ours.card, runtime.of_torch(loading.load(WEIGHTS_FOLDER / MODEL)[1], half=True))
        yield _crossing("the same in float16, as on a GPU", half, eager, note="computed here on the CPU")
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


def _openvino(mine: Callable[[], None], dates: Array, rounds: int) -> Iterator[Line]:
    """Why not OpenVINO."""
    try:
        import openvino
    except ImportError:
        yield bars.fact("", "network by ONNX Runtime / by OpenVINO", bars.ABSENT)
        return

    core = openvino.Core()
    model = core.read_model(str(WEIGHTS_FOLDER / MODEL / runtime.ONNX))
    model.reshape({name: list(dates[0].shape) for name in ("before", "after")})
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(model, "CPU", options).create_infer_request()

    def job() -> None:
        for _ in range(_CELLS):
            request.infer({"before": dates[0], "after": dates[1]})

    yield bars.told("network by ONNX Runtime / by OpenVINO", compare("openvino", mine, job, rounds=rounds))


def _crossing(what: str, ours: Detector, eager: Detector, *, note: str) -> Line:
    """Pixels that are on the other side of a threshold than by eager torch."""
    if not (PAIRS / "index.csv").exists():
        return bars.fact("5", what, "not measured: no public pairs here", bar="<= 1e-4")
    limits = np.array([ours.card.thresholds[kind] for kind in ours.card.kinds], np.float32)[:, None, None]
    crossed = total = 0
    for place in places.read_czech(PAIRS)[::_EVERY]:
        one, other = (change_pair(place.before, place.after, detector=each) for each in (ours, eager))
        seen = np.isfinite(one)
        crossed += int((((one >= limits) != (other >= limits)) & seen).sum())
        total += int(seen.sum())
    share = crossed / max(1, total)
    value = f"{share:.1e} ({crossed} of {total})"
    return bars.fact("5", what, value, bar="<= 1e-4", met=share <= 1e-4, note=f"czech pairs; {note}")
