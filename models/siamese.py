"""Our change network: a lean siamese encoder and decoder, made for CPUs with AVX2.

In: both dates, (n, channels, y, x) each. Out: logits (n, kinds, y, x), one independent question per kind.

What was measured on one AVX2 core decides the shape: with few channels, convolutions at full resolution cost as much
as ones with five times the arithmetic at half of it, so the first convolution halves the grid and the last one answers
four pixels at once; depthwise 3 x 3 and 1 x 1 together are three to six times as fast as a dense 3 x 3. Much of the
time of such thin layers goes into fetching fresh memory, so sums and rectifiers work in place. No layer looks at
statistics of the patch: batch normalisation is fixed after training and folded into the weights.

Source: FC-Siam of Daudt et al. (2018), doi:10.1109/ICIP.2018.8451652, for the siamese form; depthwise separable
convolutions of Howard et al. (2017), arXiv:1704.04861; sub-pixel output of Shi et al. (2016), arXiv:1609.05158.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import fusion

_DILATIONS = (1, 2, 1)
"""Of the blocks on the fused features: they see the surroundings."""

_TRUNK_REACH = sum(_DILATIONS)

_RARE = -4.0
"""Where the logits start, since change is rare: spares the first steps of training."""


class Siamese(nn.Module):
    """Shared encoder on both dates; the decoder sees the later state and what changed, and so both states."""

    stride = 4
    halo_px = 32
    """Reach of one output pixel: 1 stem, 2 block, 2 down, 4 block, 4 + 8 + 4 trunk, 2 decoder; 27, and 3 for where the
    pixel lies in its 4 x 4 cell, rounded up to the stride. A test measures it."""

    def __init__(self, *, in_channels: int = 8, kinds: int = 3, width: int = 32, deep: int = 64) -> None:
        """Build it.

        Args:
            in_channels: per date.
            kinds: outputs.
            width: channels at half resolution.
            deep: channels at a quarter.
        """
        super().__init__()
        self.stem = _conv(in_channels, width, kernel=4, stride=2)
        self.near = _Separable(width, width)
        self.down = _Separable(width, deep, stride=2)
        self.far = _Separable(deep, deep)
        self.fuse_far = _conv(2 * deep, deep, kernel=1)
        self.trunk = nn.Sequential(*[_Separable(deep, deep, dilation=d) for d in _DILATIONS])
        self.fuse_near = nn.Conv2d(2 * width, width, 1)
        self.up = nn.Conv2d(deep, width, 1)
        self.joined = nn.ReLU(inplace=True)
        self.decode = _Separable(width, width)
        self.head = nn.Conv2d(width, 4 * kinds, 1)
        if self.head.bias is not None:
            nn.init.constant_(self.head.bias, _RARE)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits.

        Args:
            before: (n, in_channels, y, x), y and x multiples of 4.
            after: the same shape.

        Returns:
            (n, kinds, y, x).
        """
        near = self.near(self.stem(torch.cat([before, after])))  # (2 n, width, y / 2, x / 2)
        far = self.far(self.down(near))  # (2 n, deep, y / 4, x / 4)
        context = self.trunk(self.fuse_far(_state_and_change(far)))
        raised = nn.functional.interpolate(self.up(context), scale_factor=2.0, mode="nearest")
        joined = self.joined(raised.add_(self.fuse_near(_state_and_change(near))))
        logits: Tensor = nn.functional.pixel_shuffle(self.head(self.decode(joined)), 2)
        return logits


class Core(nn.Module):
    """The same network as it runs at night: the answer for what lies `halo_px` inside, and no work for anything else.

    Each date goes its own way, since ONNX Runtime leaves its fast layout to split a batch, and the difference of the
    dates is folded into the convolutions that follow it. What only the halo needed is cut off with convolutions that
    pick one pixel, for which the layout need not be left either. The first convolution takes its channels by eight, as
    the layout does, and the rest by themselves.

    Answers are those of `Siamese` but for the last bits of single precision.
    """

    def __init__(self, network: Siamese) -> None:
        """`network` is folded; its layers are shared, not copied."""
        super().__init__()
        self.network = network
        parts = _by_eight(network.stem[0])
        self.stem, self.widths = nn.ModuleList(parts), [part.in_channels for part in parts]
        self.fuse_far = _of_both_dates(network.fuse_far[0])
        self.fuse_near = _of_both_dates(network.fuse_near)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits.

        Args:
            before: (1, in_channels, y, x), y and x multiples of 4 and more than twice the halo.
            after: the same shape.

        Returns:
            (1, kinds, y - 2 * halo_px, x - 2 * halo_px).
        """
        net = self.network
        near = [net.near(torch.relu(self._stem(date))) for date in (after, before)]
        far = [net.far(net.down(date)) for date in near]
        fused = _cut(torch.relu(self.fuse_far(torch.cat(far, dim=1))), 8 - _TRUNK_REACH - 1)
        context = _cut(net.up(net.trunk(fused)), _TRUNK_REACH)
        raised = nn.functional.interpolate(context, scale_factor=2.0, mode="nearest")
        joined = torch.relu(raised + self.fuse_near(torch.cat([_cut(date, 14) for date in near], dim=1)))
        shuffled: Tensor = nn.functional.pixel_shuffle(net.head(net.decode(joined))[..., 2:-2, 2:-2], 2)
        return shuffled

    def _stem(self, date: Tensor) -> Tensor:
        some = torch.split(date, self.widths, dim=1)
        parts: list[Tensor] = [part(channels) for part, channels in zip(self.stem, some, strict=True)]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _by_eight(convolution: nn.Module) -> list[nn.Conv2d]:
    """A convolution as the sum of two: of as many of its channels as are a multiple of eight, and of the rest."""
    if not isinstance(convolution, nn.Conv2d):
        raise TypeError(f"{convolution} is no convolution")
    whole = convolution.in_channels // 8 * 8
    rest = convolution.in_channels - whole
    if not whole or not rest:
        return [convolution]
    made = [copy.deepcopy(convolution), copy.deepcopy(convolution)]
    for part, weight in zip(made, torch.split(convolution.weight.detach(), [whole, rest], dim=1), strict=True):
        part.in_channels, part.weight = weight.shape[1], nn.Parameter(weight.clone())
    made[1].bias = None
    return made


def _of_both_dates(convolution: nn.Module) -> nn.Conv2d:
    """A 1 x 1 convolution of (later state, change), as one of (later state, earlier state)."""
    if not isinstance(convolution, nn.Conv2d):
        raise TypeError(f"{convolution} is no convolution")
    state, change = convolution.weight.detach().chunk(2, dim=1)
    made = nn.Conv2d(convolution.in_channels, convolution.out_channels, 1)
    with torch.no_grad():
        made.weight.copy_(torch.cat([state + change, -change], dim=1))
        if made.bias is not None and convolution.bias is not None:
            made.bias.copy_(convolution.bias)
    return made


def _cut(x: Tensor, margin: int) -> Tensor:
    """`x` without `margin` pixels on each side: a convolution with taps so far apart, all 0 but the middle one."""
    pick = torch.zeros(x.shape[1], 1, 3, 3)
    pick[:, :, 1, 1] = 1
    return nn.functional.conv2d(x, pick, dilation=margin, groups=x.shape[1])


def _state_and_change(both: Tensor) -> Tensor:
    """(2 n, c, y, x) of both dates to (n, 2 c, y, x): the later state and the difference.

    The earlier state is their difference, which any convolution that follows can form.
    """
    before, after = both.chunk(2)
    return torch.cat([after, after - before], dim=1)


class _Separable(nn.Module):
    """Depthwise 3 x 3, then 1 x 1; adds its input where the shapes allow."""

    def __init__(self, inside: int, outside: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Sequential(
            nn.Conv2d(inside, inside, 3, stride, dilation, dilation, groups=inside, bias=False),
            nn.BatchNorm2d(inside),
        )
        self.pointwise = _conv(inside, outside, kernel=1)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        """(n, inside, y, x) to (n, outside, y / stride, x / stride)."""
        y: Tensor = self.pointwise(self.depthwise(x))
        if not self.residual:
            return y
        return x + y if torch.is_grad_enabled() else y.add_(x)  # a gradient needs the rectifier's own result


def _conv(inside: int, outside: int, *, kernel: int, stride: int = 1) -> nn.Sequential:
    padding = (kernel - 1) // 2
    convolution = nn.Conv2d(inside, outside, kernel, stride, padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))


def fold(network: nn.Module) -> nn.Module:
    """Fold each batch normalisation that follows a convolution into it, in place; `network` must be in eval mode.

    Raises:
        ValueError: the network is in training mode.
    """
    if network.training:
        raise ValueError("only a network in eval mode can be folded; call .eval() first")
    for sequence in [m for m in network.modules() if isinstance(m, nn.Sequential)]:
        for index in range(len(sequence) - 1):
            first, second = sequence[index], sequence[index + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                sequence[index] = fusion.fuse_conv_bn_eval(first, second)
                sequence[index + 1] = nn.Identity()
    return network
