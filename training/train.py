"""Train an event model on rows written by training/export.

    python3 training/train.py --rows FILE --out DIR [--minutes M]

Writes config.json, model.safetensors, log.json and reference.safetensors (inputs and outputs of the trained
model on validation windows, to check other implementations against) to DIR. Without a GPU it trains the same
model, much slower.
"""

import argparse
import copy
import json
import math
import pathlib
import time

import torch
from safetensors.torch import load_file, save_file

import scan
from loss import HORIZONS, LEVELS, N_OUTPUT, POINT_SHARE, losses
from mamba import EventModel

SHARES = [0.20, 0.13, 0.07, 0.28, 0.32]  # of the training windows: nezha, asd, nab, smd, synthetic
FEATURES_VERSION = 2


class Rows:
    """The exported rows on the device, and windows of them."""

    def __init__(self, path, device):
        tensors = load_file(path)
        self.rows = tensors["rows"].to(device)
        self.segments = tensors["segments"].to(device)
        self.n_input = self.rows.shape[1] - len(HORIZONS) - 1
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
        """Return features, targets (batch, length, horizons), gap, and whether a row counts."""
        device = self.rows.device
        chosen = torch.multinomial(self.weights[kept].float(), batch, True, generator=generator)
        first, count = self.segments[chosen, 0], self.segments[chosen, 1]
        room = (count - length).clamp(min=0)
        start = (torch.rand(batch, generator=generator, device=device) * (room + 1)).long().clamp(max=room)
        start *= torch.rand(batch, generator=generator, device=device) > 0.25
        at = start[:, None] + torch.arange(length, device=device)
        counts = at < count[:, None]
        # Mid-stream the true state is not zero; let it settle.
        settled = torch.arange(length, device=device)[None] >= torch.where(start > 0, 16, 0)[:, None]
        rows = self.rows[first[:, None] + at.clamp(max=count[:, None] - 1)]
        return rows[..., : self.n_input], rows[..., self.n_input : -1], rows[..., -1], counts & settled


def mirrored(features, targets, generator):
    """Turn some windows upside down: the first five features and the targets change sign."""
    flip = torch.rand(len(targets), generator=generator, device=targets.device) < 0.15
    sign = torch.where(flip, -1.0, 1.0)[:, None, None]
    return torch.cat([features[..., :5] * sign, features[..., 5:]], -1), targets * sign


@torch.no_grad()
def measure(model, data, device):
    """Return the losses on the validation windows, by horizon, then the point forecast's."""
    generator = torch.Generator(device).manual_seed(7)
    batch, rounds = (256, 6) if device.type == "cuda" else (16, 4)
    sums = []
    for _ in range(rounds):
        x, targets, gap, counts = data.windows(batch, 1024, 1, generator)
        sums.append(losses(model(x, gap), targets, counts))
    return [round(v, 6) for v in torch.stack(sums).mean(0).tolist()]


def optimizer_of(model, rate):
    slow = {"A_log", "D", "bias"}
    decayed = [p for name, p in model.named_parameters() if p.ndim > 1 and name.split(".")[-1] not in slow]
    others = [p for name, p in model.named_parameters() if not (p.ndim > 1 and name.split(".")[-1] not in slow)]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=rate, betas=(0.9, 0.98)
    )


def train(data, args, device):
    torch.manual_seed(args.seed)
    model = EventModel(
        data.n_input, N_OUTPUT, args.d_model, args.layers, args.d_state, expand=args.expand, selective=not args.time_invariant
    ).to(device)
    average = copy.deepcopy(model)
    optimizer = optimizer_of(model, args.lr)
    shares = torch.tensor([1.0, args.further, args.further, POINT_SHARE], device=device)
    generator = torch.Generator(device).manual_seed(args.seed)
    log, began, step, done = [], time.time(), 0, 0.0
    while done < 1:
        before, done = done, min(1, max((step + 1) / args.steps, (time.time() - began) / (60 * args.minutes)))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * min(1, (step + 1) / 500) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        # One window in four is long, so that the state's far end is trained as well.
        batch, length = (max(args.batch // 4, 1), 2048) if step % 4 == 3 else (args.batch, 512)
        x, targets, gap, counts = data.windows(batch, length, 0, generator)
        x, targets = mirrored(x, targets, generator)
        loss = losses(model(x, gap), targets, counts) @ shares
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        model.hold()
        keep = min(0.999, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - keep)
        step += 1
        if step % 20 == 0 and device.type == "cuda":
            torch.cuda.synchronize()  # or the clock above runs ahead of the work
        if int(10 * done) > int(10 * before):
            seconds = round(time.time() - began)
            log.append({"step": step, "train_loss": loss.item(), "seconds": seconds, "losses": measure(average, data, device)})
            print(json.dumps(log[-1]), flush=True)
    return average, log


@torch.no_grad()
def save(model, data, log, args, device):
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    weir = {
        "n_input": data.n_input, "n_output": N_OUTPUT, "horizons": HORIZONS, "quantiles": LEVELS, "features": FEATURES_VERSION
    }
    (out / "config.json").write_text(json.dumps({**model.config, "weir": weir}, indent=2) + "\n")
    save_file({k: v.cpu().contiguous() for k, v in model.state_dict().items()}, out / "model.safetensors", {"format": "pt"})
    (out / "log.json").write_text(json.dumps({"args": vars(args), "log": log}, indent=1) + "\n")
    x, _, gap, _ = data.windows(4, 200, 1, torch.Generator(device).manual_seed(9))
    y = model(x, gap)
    save_file({k: v.float().cpu().contiguous() for k, v in {"input": x, "gap": gap, "output": y}.items()}, out / "reference.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=12000, help="at most")
    parser.add_argument("--minutes", type=float, default=math.inf, help="at most; the learning rate's schedule ends then")
    parser.add_argument("--batch", type=int, default=256, help="windows of 512 events a step")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--d-model", type=int, default=64)
    parser.add_argument("--expand", type=int, default=1, help="d_inner / d_model")
    parser.add_argument("--d-state", type=int, default=8)
    parser.add_argument("--time-invariant", action="store_true", help="keep B, C and Δ from depending on the input")
    parser.add_argument("--further", type=float, default=0.1, help="what each further horizon's loss counts for")
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
    save(model, data, log, args, device)


if __name__ == "__main__":
    main()
