import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models import siamese


def _network(channels: int = 8) -> siamese.Siamese:
    torch.manual_seed(3)
    network = siamese.Siamese(in_channels=channels).eval()
    for module in network.modules():  # as after training: statistics that are not 0 and 1
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


def _dates(side: int, channels: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    shape = (1, channels, side, side)
    return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)


def test_forward_any_pair_gives_one_logit_per_kind_and_pixel() -> None:
    before, after = _dates(64)
    with torch.inference_mode():
        assert _network()(before, after).shape == (1, 3, 64, 64)


def test_siamese_size_is_within_budget() -> None:
    network = _network()
    before, after = _dates(128)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(before, after)
    assert sum(p.numel() for p in network.parameters()) <= 300_000
    assert counter.get_total_flops() / 128**2 <= 12_500


@pytest.mark.parametrize("folded", [False, True])
def test_forward_change_beyond_halo_leaves_core_alone_to_the_last_bit(folded: bool) -> None:
    network = _network()
    if folded:
        siamese.fold(network)
    halo, side = network.halo_px, 64 + 2 * network.halo_px
    core = (..., slice(halo, side - halo), slice(halo, side - halo))
    grown = 4  # as if the same core were computed with other surroundings, one stride further out
    before, after = (torch.nn.functional.pad(v, (grown,) * 4) for v in _dates(side))
    outside = torch.ones(before.shape, dtype=torch.bool)
    outside[..., grown:-grown, grown:-grown] = False
    with torch.inference_mode():
        one = network(before, after)[..., grown:-grown, grown:-grown]
        other = network(
            torch.where(outside, torch.full_like(before, 50.0), before),
            torch.where(outside, torch.full_like(after, -50.0), after),
        )[..., grown:-grown, grown:-grown]
    assert torch.equal(one[core], other[core])
    assert not torch.equal(one, other)


def test_halo_is_the_measured_reach_rounded_to_the_stride() -> None:
    network = _network()
    before, after = _dates(128)
    before.requires_grad_()
    logits = network(before, after)
    reach = 0
    for row in range(64, 68):
        for col in range(64, 68):
            (slope,) = torch.autograd.grad(logits[0, :, row, col].sum(), before, retain_graph=True)
            rows, cols = torch.nonzero(slope[0].abs().sum(0), as_tuple=True)
            reach = max(
                reach, row - int(rows.min()), int(rows.max()) - row, col - int(cols.min()), int(cols.max()) - col
            )
    assert reach <= network.halo_px < reach + 2 * network.stride
    assert network.halo_px % network.stride == 0
    assert network.halo_px <= 48


@pytest.mark.parametrize("channels", [5, 8, 11])
@pytest.mark.parametrize(("height", "width"), [(128, 128), (96, 160)])
def test_core_answers_like_the_whole_network_for_what_lies_the_halo_inside(
    height: int, width: int, channels: int
) -> None:
    network = _network(channels)
    siamese.fold(network)
    halo = network.halo_px
    before, after = (date[..., :height, :width] for date in _dates(160, channels))
    with torch.inference_mode():
        wanted = network(before, after)[..., halo:-halo, halo:-halo]
        found = siamese.Core(network).eval()(before, after)
    assert float(wanted.std()) > 0.01
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_forward_dates_swapped_is_another_question() -> None:
    network = _network()
    before, after = _dates(64)
    with torch.inference_mode():
        assert not torch.allclose(network(before, after), network(after, before), atol=1e-3)


def test_fold_normalisations_gives_the_same_answers() -> None:
    network = _network()
    before, after = _dates(64)
    with torch.inference_mode():
        plain = network(before, after)
        folded = siamese.fold(network)(before, after)
    torch.testing.assert_close(plain, folded, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_fold_network_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="eval"):
        siamese.fold(siamese.Siamese())
