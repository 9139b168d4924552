"""A third opinion on clouds, beside the scene classification and the guard: OmniCloudMask, where a profile asks for it.

In: a look around a tile. Out: how far each pixel can be trusted by this opinion. Masks nothing: what this network alone
takes for cloud may be a bright clearing, so such a look is heard, and never shows a kind.

It is shown what the classification left clear, on the cells of the granule grid with what is known around each, so that
the answer does not depend on how an area is cut into tiles.

Its weights are not this project's: the library fetches them where there is a network, or they are put into a folder by
hand.

Source: Wright et al. (2025), Remote Sensing of Environment 322, 114694, doi:10.1016/j.rse.2025.114694.
"""

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from pipeline import config
from pipeline.detect import weight
from pipeline.errors import ConfigError
from pipeline.grid import Window
from pipeline.schema import Look, Reason
from pipeline.sensors import BANDS

MARGIN_PX = 96
"""So much of a look must be known around a tile: a cell with it is as large as the network wants."""

_SCALE = 10_000  # reflectance to digital numbers, as the network was trained
_BANDS = [BANDS.index(name) for name in ("B04", "B03", "B08")]


def check(rules: config.Evidence) -> None:
    """Load the network, so that what is missing is told before a night begins.

    Raises:
        ConfigError: it is not installed, its weights are not there and cannot be fetched, or only they are named.
    """
    folder = rules.opinion_weights
    if rules.opinion != "none":
        _ask(np.full((3, MARGIN_PX, MARGIN_PX), 0.1, np.float32), folder)
    elif folder:
        raise ConfigError("evidence.opinion_weights: nobody is asked; set evidence.opinion too, or leave it out")


def trust(look: Look, guarded: Look, window: Window, rules: config.Evidence) -> NDArray[np.float64] | None:
    """How far the opinion lets a look be trusted.

    Args:
        look: before the guard against residual clouds; covers the window grown by `MARGIN_PX`.
        guarded: after it; covers the window grown by `weight.REACH_PX`.
        window: of the tile; meets the cells.
        rules: which opinion is asked.

    Returns:
        (y, x) on the window, as from `weight.doubted`, where the network sees cloud or shadow in what counts as clear;
        None where no opinion is asked.

    Raises:
        ConfigError: as for `check`.
    """
    if rules.opinion == "none":
        return None
    factor = np.ones(window.shape)
    for cell in window.cells(config.PATCH_PX):
        shown = cell.grown(MARGIN_PX).clipped(look.window)
        known = cell.grown(weight.REACH_PX).clipped(guarded.window)
        part = cell.clipped(window)
        values = np.nan_to_num(look.reflectance[_BANDS][:, *shown.within(look.window)])
        clouds = _ask(values, rules.opinion_weights)[known.within(shown)]
        doubt = clouds & (guarded.reason[known.within(guarded.window)] == Reason.CLEAR)
        factor[part.within(window)] = weight.doubted(doubt)[part.within(known)]
    return factor


def _ask(reflectance: NDArray[np.float32], folder: str) -> NDArray[np.bool_]:
    """(y, x) where the network sees cloud or shadow in (3, y, x) red, green and near infrared; 0 is no data."""
    try:
        from omnicloudmask import predict_from_array  # takes seconds to import, and most deployments never ask
    except ImportError as err:
        raise ConfigError(
            "evidence.opinion: omnicloudmask is not installed; install vanwatch[opinion], or leave the option out"
        ) from err
    side = min(reflectance.shape[1:])
    try:
        found = predict_from_array(
            (reflectance * _SCALE).astype(np.float32),
            patch_size=side,
            patch_overlap=side // 3,
            inference_device="cpu",
            destination_model_dir=folder or None,
            apply_no_data_mask=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as err:
        where = folder or "the library's own folder"
        raise ConfigError(
            f"evidence.opinion_weights: OmniCloudMask's weights in {where} cannot be used: {str(err).splitlines()[0]}; "
            "run once where there is a network, or put the files there"
        ) from err
    clouds: NDArray[np.bool_] = found[0] > 0
    return clouds
