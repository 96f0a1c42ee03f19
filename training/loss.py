"""What a model's outputs mean, and the loss they are trained with."""

import torch
from torch.nn import functional as F

from mamba import fused

HORIZONS = [1, 8, 64]  # events ahead
LEVELS = [
    [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999],
    [0.05, 0.5, 0.95],
    [0.05, 0.5, 0.95],
]
# Of the next event the forecast counts most, and the edges of the 90% band.
EXTRA = [1, 1, 1.5, 1, 1, 3, 1, 1, 1.5, 1, 1]
N_OUTPUT = sum(map(len, LEVELS)) + 1  # the last is a point forecast of the next event
MIN_INCREMENT = 1e-3
TARGET_BOUND = 12.0  # of a coordinate; beyond it only the side matters
POINT_SCALE = 0.1  # the point forecast's error, a coordinate's, up to which its loss grows in proportion
POINT_SHARE = 0.6  # of the point forecast's loss, the next event's quantiles being 1


def quantiles(out):
    """Map one horizon's outputs to ascending quantiles: the median in the middle, softplus increments outwards."""
    middle = out.shape[-1] // 2
    median = out[..., middle : middle + 1]
    up = median + torch.cumsum(F.softplus(out[..., middle + 1 :]) + MIN_INCREMENT, -1)
    down = median - torch.cumsum((F.softplus(out[..., :middle]) + MIN_INCREMENT).flip(-1), -1)
    return torch.cat([down.flip(-1), median, up], -1)


def pinball(q, target, counts, levels, extra):
    """Return the mean weighted quantile loss of one horizon, where the target is known."""
    levels = q.new_tensor(levels)
    # 1/sqrt(level (1 - level)) makes the levels' losses alike in size.
    weight = (levels * (1 - levels)).rsqrt() * q.new_tensor(extra)
    counts = counts & (target == target)
    error = target.nan_to_num().clamp(-TARGET_BOUND, TARGET_BOUND)[..., None] - q
    loss = torch.maximum(levels * error, (levels - 1) * error) @ (weight / weight.sum())
    return (loss * counts).sum() / counts.sum()


@fused
def losses(out, targets, counts):
    """Return the quantile losses by horizon, then the point forecast's.

    out: (batch, length, N_OUTPUT); targets: (batch, length, horizons), NaN where not known; counts: (batch, length).
    The point forecast's loss hardly asks how far off the rare leaps were: it finds the value that is most often near.
    """
    parts = out.split([*map(len, LEVELS), 1], -1)
    each = []
    for k, levels in enumerate(LEVELS):
        extra = EXTRA if k == 0 else [1.0] * len(levels)
        each.append(pinball(quantiles(parts[k]), targets[..., k], counts, levels, extra))
    error = (targets[..., 0].clamp(-TARGET_BOUND, TARGET_BOUND) - parts[-1][..., 0]).abs()
    each.append((POINT_SCALE * torch.log1p(error / POINT_SCALE) * counts).sum() / counts.sum())
    return torch.stack(each)
