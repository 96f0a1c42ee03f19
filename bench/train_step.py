"""Time a training step in PyTorch on the CPU, eager: what BenchmarkStep of ssm/train does.

    pip install torch==2.15.0 numpy
    python3 bench/train_step.py
    go test ./ssm/train -run '^$' -bench Step -benchtime 2x -count 8

d_model 64, two layers, 32 windows of 1024 events, pinball loss, gradient clipping and AdamW. The selective scan is
computed once step by step, as the reference implementation's slow path does, and once as an associative scan
(Hillis and Steele, log2(length) passes), whose memory is only enough for four windows at a time. The results of one machine are in bench/README.md.
"""

import pathlib
import statistics
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "training"))
import mamba  # noqa: E402
from scan import scan_loop  # noqa: E402

BATCH, LENGTH, INPUTS, OUTPUTS = 32, 1024, 12, 5
LEVELS = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])


def scan_associative(u, delta, a, b, c):
    """The scan as (decay, input) pairs: (p, q) after (r, s) is (p r, p s + q)."""
    decay = torch.exp(delta[..., None] * a)
    h = (delta * u)[..., None] * b[:, :, None]
    shift = 1
    while shift < u.shape[1]:
        h = torch.cat([h[:, :shift], decay[:, shift:] * h[:, :-shift] + h[:, shift:]], 1)
        decay = torch.cat([decay[:, :shift], decay[:, shift:] * decay[:, :-shift]], 1)
        shift *= 2
    return (h * c[:, :, None]).sum(-1)


def pinball(out, target):
    up = out[..., 2:3] + torch.cumsum(F.softplus(out[..., 3:]) + 1e-3, -1)
    down = out[..., 2:3] - torch.cumsum((F.softplus(out[..., :2]) + 1e-3).flip(-1), -1)
    error = target[..., None] - torch.cat([down.flip(-1), out[..., 2:3], up], -1)
    return torch.maximum(LEVELS * error, (LEVELS - 1) * error).mean()


def step_seconds(scan, part, steps):
    """Return the median time of a step that adds up the gradients of part windows at a time."""
    torch.manual_seed(0)
    mamba.scan = scan
    model = mamba.EventModel(INPUTS, OUTPUTS, d_model=64, n_layer=2, d_state=16, expand=2, dt_rank=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    x, target = torch.randn(BATCH, LENGTH, INPUTS), torch.randn(BATCH, LENGTH)
    gap = torch.rand(BATCH, LENGTH) + 0.5
    times = []
    for _ in range(steps + 1):  # the first warms up
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        for i in range(0, BATCH, part):
            loss = pinball(model(x[i : i + part], gap[i : i + part]), target[i : i + part])
            (loss * part / BATCH).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
for name, scan, part in [("sequential", scan_loop, BATCH), ("associative", scan_associative, 4)]:
    seconds = step_seconds(scan, part, 3)
    print(f"{name} scan: {seconds:.2f} s a step, {BATCH * LENGTH / seconds:.0f} events/s", flush=True)
