"""Runs a network: by ONNX Runtime where the model folder holds `network.onnx`, by torch elsewhere and on a GPU.

In: a network or a model folder. Out: the ONNX file, or a `Run`. On CPUs ONNX Runtime was about one and a half times as
fast as torch for thin convolutions like ours, and a tenth faster than OpenVINO (`make bench` tells); it spares a worker
the import of torch.
"""

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import inputs
from models.card import WEIGHTS, ModelCard, read_content

ONNX = "network.onnx"
TOLERANCE = 1e-3
"""Largest difference of a logit between the exported network and its original."""

Array = NDArray[np.float32]
Run = Callable[[Array, Array], Array]
"""Both dates (1, channels, y, x) float32 as `inputs.prepare` makes them, to logits (1, kinds, y, x); those of our own
network by ONNX Runtime only for what lies the halo inside, see `middle`."""

_TRIED_PX = 128  # side on which an export is compared with its original
_OPSET = 20


def middle(logits: Array, side: int) -> Array:
    """(n, kinds, side, side) in the middle of logits, which is all that some networks answer for."""
    margin = (logits.shape[-1] - side) // 2
    return logits[..., margin : margin + side, margin : margin + side]


def of_onnx(path: Path, *, sha256: str) -> Run:
    """A network exported to ONNX, on one thread: the same answer to the last bit whatever else the machine does.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not the card's, or ONNX Runtime cannot run it.
    """
    content = read_content(path, sha256=sha256)
    import onnxruntime  # only who runs a model needs it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as err:  # onnxruntime has no common class of errors
        raise ValueError(f"{path}: ONNX Runtime cannot run it: {err}; export the model again") from err

    def run(before: Array, after: Array) -> Array:
        logits: Array = session.run(None, {"before": before, "after": after})[0]
        return logits

    return run


def of_torch(network: Any, *, device: str = "cpu", half: bool = False) -> Run:
    """A torch network in eval mode.

    Args:
        network: is moved to the device.
        device: of torch.
        half: work in float16. bfloat16 has too few digits: on real clear-cuts (every fourth pair of `czech`, computed
            on a CPU) 39 of 195,498 probabilities crossed a threshold by it, and 9 by float16.
    """
    import torch

    kind = torch.float16 if half else torch.float32
    last = network.to(device=device, dtype=kind, memory_format=torch.channels_last)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False  # the same answer every time

    def run(before: Array, after: Array) -> Array:
        dates = [
            torch.from_numpy(date).to(device=device, dtype=kind, memory_format=torch.channels_last)
            for date in (before, after)
        ]
        with torch.inference_mode():
            logits: Array = last(*dates).float().cpu().numpy()
        return logits

    return run


def gpu() -> str:
    """Torch's name of this machine's GPU.

    Raises:
        ValueError: there is none that torch can use.
    """
    import torch  # seconds of imports

    if not torch.cuda.is_available():
        raise ValueError("no GPU that torch can use is here")
    return "cuda"


def of_folder(folder: Path, card: ModelCard, *, on_gpu: bool = False) -> Run:
    """The fastest way to run a model: on a CPU by ONNX Runtime if it was exported, else by torch; on a GPU in float16.

    On one thread either way, for which torch knows only a setting of the whole process.

    Raises:
        OSError: a file cannot be read.
        ValueError: files are not those of the card, do not fit the network, or answer otherwise than the card says; a
            GPU is asked for and not here.
    """
    if on_gpu:
        from models import loading

        return _tried(of_torch(loading.load(folder)[1], device=gpu(), half=True), folder / WEIGHTS, card)
    if card.onnx_sha256:
        read_content(folder / WEIGHTS, sha256=card.sha256)  # what runs bears the name of these weights
        return _tried(of_onnx(folder / ONNX, sha256=card.onnx_sha256), folder / ONNX, card)
    import torch  # seconds of imports

    from models import loading

    torch.set_num_threads(1)  # some networks answer otherwise on several, and each worker has one core
    return _tried(of_torch(loading.load(folder)[1]), folder / WEIGHTS, card)


def _tried(run: Run, path: Path, card: ModelCard) -> Run:
    """The network, if it answers on one empty cell as its card says: the files may be another model's."""
    side = card.patch_px + 2 * card.halo_px
    date = np.zeros((1, inputs.channels(card), side, side), np.float32)
    try:
        logits = middle(run(date, date), card.patch_px)
    except Exception as err:  # onnxruntime and torch have no common class of errors
        why = " ".join(str(err).split())[:200]
        raise ValueError(f"{path}: does not take what its card says: {why}; fetch the model again, whole") from err
    if logits.shape != (1, len(card.kinds), card.patch_px, card.patch_px) or not np.isfinite(logits).all():
        raise ValueError(
            f"{path}: does not answer with a number for each of {', '.join(card.kinds)}; fetch the model again, whole"
        )
    return run


def export(network: Any, *, channels: int, stride: int) -> bytes:
    """The network in ONNX, for windows of any size; the same network gives the same bytes.

    Args:
        network: torch, in eval mode, not folded; left as it is.
        channels: per date.
        stride: sides of windows are multiples of it.

    Raises:
        ValueError: torch cannot export it, or the exported one answers otherwise than the original.
    """
    import onnx
    import torch

    from models import siamese

    for name in ("onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.WARNING)
    folded = siamese.fold(copy.deepcopy(network).cpu().to(memory_format=torch.contiguous_format).eval())
    run = siamese.Core(folded).eval() if type(folded) is siamese.Siamese else folded
    generator = torch.Generator().manual_seed(1)
    side = max(_TRIED_PX, 2 * stride)
    dates = tuple(torch.randn(1, channels, side, side, generator=generator) for _ in range(2))
    free = torch.export.Dim.AUTO  # the exporter finds by itself that sides are multiples of the stride
    shapes = {name: {2: free, 3: free} for name in ("before", "after")}
    try:
        program = torch.onnx.export(
            run,
            dates,
            input_names=["before", "after"],
            output_names=["logits"],
            dynamic_shapes=shapes,
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    except Exception as err:  # the exporter raises many kinds
        raise ValueError(f"torch cannot export this network: {str(err).splitlines()[0]}") from err
    if program is None:
        raise ValueError("torch gave no ONNX program")
    model = _bare(program.model_proto)
    content: bytes = onnx.helper.make_model(
        model.graph,
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
        functions=model.functions,
        producer_name="vanwatch",
    ).SerializeToString(deterministic=True)
    _compare(content, folded, dates)
    return content


def _bare(model: Any) -> Any:
    """Without the notes of the exporter: they name files of the machine that it ran on."""
    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    return model


def _compare(content: bytes, original: Any, dates: tuple[Any, ...]) -> None:
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        wanted = original(*dates).numpy()
    found = session.run(None, {"before": dates[0].numpy(), "after": dates[1].numpy()})[0]
    worst = float(np.abs(found - middle(wanted, found.shape[-1])).max())
    if not worst <= TOLERANCE:
        raise ValueError(f"the exported network differs by {worst:.2g} from the original")
