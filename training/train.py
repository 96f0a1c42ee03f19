"""Train an event model on rows written by training/export.

    python3 training/train.py --rows FILE --out DIR [--steps N]

Writes config.json, model.safetensors, log.json and reference.safetensors (inputs and outputs of the trained
model on validation windows, to check other implementations against) to DIR.
"""

import argparse
import copy
import json
import math
import pathlib
import time

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

import scan
from mamba import EventModel

LEVELS = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]
MEDIAN, LOWER, UPPER = 5, 2, 8
MIN_INCREMENT = 1e-3
STILL = 0.05  # a median nearer to the last value than this is the last value
SOURCES = ["nezha", "asd", "nab", "smd", "synthetic"]
SHARES = [0.20, 0.13, 0.07, 0.28, 0.32]  # of the training windows
TARGET_BOUND = 12.0  # of a coordinate in the loss; beyond it only the side matters
FEATURES_VERSION = 1


def quantiles(out):
    """Map outputs (…, 11) to ascending quantiles: the median, and softplus increments outwards."""
    median = out[..., MEDIAN : MEDIAN + 1]
    up = median + torch.cumsum(F.softplus(out[..., MEDIAN + 1 :]) + MIN_INCREMENT, -1)
    down = median - torch.cumsum((F.softplus(out[..., :MEDIAN]) + MIN_INCREMENT).flip(-1), -1)
    return torch.cat([down.flip(-1), median, up], -1)


class Rows:
    """The exported rows on the device, and windows of them."""

    def __init__(self, path, device):
        tensors = load_file(path)
        self.rows = tensors["rows"].to(device)
        self.segments = tensors["segments"].to(device)
        self.n_input = self.rows.shape[1] - 2
        changes = (self.rows[:, self.n_input] != 0).long().cumsum(0)
        changed = torch.cat([changes.new_zeros(1), changes])
        first, count = self.segments[:, 0], self.segments[:, 1]
        share = (changed[first + count] - changed[first]) / count
        # A stream that hardly ever changes teaches the same thing in every window.
        weight = (count / 512).clamp(min=1) * (share / 0.05).clamp(0.05, 1).to(device)
        self.weights = []
        for kept in (0, 1):
            w = torch.where(self.segments[:, 3] == kept, weight, torch.zeros_like(weight))
            for source, part in enumerate(SHARES):
                mine = self.segments[:, 2] == source
                if w[mine].sum() > 0:
                    w[mine] *= part / w[mine].sum()
            self.weights.append(w)

    def windows(self, batch, length, kept, generator):
        """Return features, target, gap, whether a row counts, and each window's source."""
        device = self.rows.device
        chosen = torch.multinomial(self.weights[kept].float(), batch, True, generator=generator)
        first, count, source = self.segments[chosen, 0], self.segments[chosen, 1], self.segments[chosen, 2]
        room = (count - length).clamp(min=0)
        start = (torch.rand(batch, generator=generator, device=device) * (room + 1)).long().clamp(max=room)
        start *= torch.rand(batch, generator=generator, device=device) > 0.25
        at = start[:, None] + torch.arange(length, device=device)
        counts = at < count[:, None]
        # Mid-stream the true state is not zero; let it settle.
        settled = torch.arange(length, device=device)[None] >= torch.where(start > 0, 16, 0)[:, None]
        rows = self.rows[first[:, None] + at.clamp(max=count[:, None] - 1)]
        return rows[..., : self.n_input], rows[..., self.n_input], rows[..., self.n_input + 1], counts & settled, source


def mirrored(features, target, generator):
    """Turn some windows upside down: the first five features and the target change sign."""
    flip = torch.rand(len(target), generator=generator, device=target.device) < 0.15
    sign = torch.where(flip, -1.0, 1.0)[:, None]
    features = torch.cat([features[..., :5] * sign[..., None], features[..., 5:]], -1)
    return features, target * sign


def pinball(q, target, counts):
    """Return the mean weighted quantile loss."""
    levels = q.new_tensor(LEVELS)
    # 1/sqrt(level (1 - level)) makes the levels' losses alike in size.
    weight = (levels * (1 - levels)).rsqrt()
    weight[MEDIAN] *= 3
    weight[LOWER] *= 1.5
    weight[UPPER] *= 1.5
    error = target.clamp(-TARGET_BOUND, TARGET_BOUND)[..., None] - q
    loss = torch.maximum(levels * error, (levels - 1) * error) @ (weight / weight.sum())
    return loss[counts].mean()


@torch.no_grad()
def measure(model, data, device, batches=6, still=STILL):
    """Return loss, skill and coverage on the validation windows, by source.

    skill: 1 − median error / the last value's median error, in units of change, averaged over the windows
    where the last value's is not 0.
    """
    generator = torch.Generator(device).manual_seed(7)
    losses, sums = [], {name: [] for name in SOURCES}
    for _ in range(batches):
        x, target, gap, counts, source = data.windows(256, 1024, 1, generator)
        q = quantiles(model(x, gap))
        losses.append(pinball(q, target, counts).item())
        target = target.clamp(-TARGET_BOUND, TARGET_BOUND)
        mid = torch.where(q[..., MEDIAN].abs() < still, 0.0, q[..., MEDIAN])
        counts[:, :64] = False
        nan = torch.full_like(target, float("nan"))
        error = torch.where(counts, (torch.sinh(target) - torch.sinh(mid)).abs(), nan).nanmedian(1).values
        unchanged = torch.where(counts, torch.sinh(target).abs(), nan).nanmedian(1).values
        inside = (target >= q[..., LOWER]) & (target <= q[..., UPPER]) & counts
        covered, total = inside.sum(1), counts.sum(1)
        for i, name in enumerate(SOURCES):
            sums[name].append(torch.stack([error, unchanged, covered, total])[:, source == i])
    report = {"loss": sum(losses) / len(losses)}
    for name, parts in sums.items():
        error, unchanged, covered, total = torch.cat(parts, 1)
        moving = unchanged > 0
        report[name] = {
            "skill": (1 - error[moving] / unchanged[moving]).mean().item(),
            "skill_median": (1 - error[moving] / unchanged[moving]).median().item(),
            "coverage": (covered.sum() / total.sum()).item(),
            "still_error": error[~moving].mean().item(),
        }
    return report


def train(data, args, device):
    torch.manual_seed(args.seed)
    model = EventModel(data.n_input, len(LEVELS), n_layer=args.layers).to(device)
    average = copy.deepcopy(model)
    slow = {"A_log", "D", "bias"}
    decayed = [p for name, p in model.named_parameters() if p.ndim > 1 and name.split(".")[-1] not in slow]
    others = [p for name, p in model.named_parameters() if not (p.ndim > 1 and name.split(".")[-1] not in slow)]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
                                  lr=args.lr, betas=(0.9, 0.98))
    generator = torch.Generator(device).manual_seed(args.seed)
    log, began = [], time.time()
    for step in range(args.steps):
        rate = args.lr * min(1, (step + 1) / 500) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        # One window in four is long, so that the state's far end is trained as well.
        batch, length = (args.batch // 4, 2048) if step % 4 == 3 else (args.batch, 512)
        x, target, gap, counts, _ = data.windows(batch, length, 0, generator)
        x, target = mirrored(x, target, generator)
        loss = pinball(quantiles(model(x, gap)), target, counts)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        keep = min(0.999, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - keep)
        if (step + 1) % max(1, args.steps // 10) == 0:
            log.append({"step": step + 1, "train_loss": loss.item(), "seconds": round(time.time() - began), **measure(average, data, device)})
            print(json.dumps(log[-1]), flush=True)
    return average, log


@torch.no_grad()
def save(model, data, log, args, device):
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    weir = {"n_input": data.n_input, "n_output": len(LEVELS), "quantiles": LEVELS, "features": FEATURES_VERSION}
    (out / "config.json").write_text(json.dumps({**model.config, "weir": weir}, indent=2) + "\n")
    save_file({k: v.cpu().contiguous() for k, v in model.state_dict().items()}, out / "model.safetensors", {"format": "pt"})
    (out / "log.json").write_text(json.dumps({"args": vars(args), "log": log}, indent=1) + "\n")
    x, target, gap, _, _ = data.windows(4, 200, 1, torch.Generator(device).manual_seed(9))
    y = model(x, gap)
    save_file({k: v.float().cpu().contiguous() for k, v in {"input": x, "gap": gap, "output": y}.items()}, out / "reference.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--batch", type=int, default=512, help="windows of 512 events a step")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    difference = scan.check(device)
    print(f"{device}, scan differs from its reference by {difference:.1e}", flush=True)
    if not difference < 1e-3:
        raise SystemExit("the scan is wrong on this device")
    data = Rows(args.rows, device)
    print(f"{len(data.segments)} streams, {len(data.rows)} rows", flush=True)
    model, log = train(data, args, device)
    for still in (0.01, 0.02, 0.1, 0.2):
        print(json.dumps({"still": still, **measure(model, data, device, still=still)}), flush=True)
    save(model, data, log, args, device)


if __name__ == "__main__":
    main()
