"""Makes nab.json.gz: scores of NAB's windowed Gaussian detector, and what NAB published for them.

    python3 -m venv v && v/bin/pip install numpy==2.4.6
    v/bin/python nab.py NAB_DIR > nab.json.gz

NAB_DIR holds the data/ folder and labels/combined_windows.json (or combined_windows.json) of
https://github.com/numenta/NAB. The repository keeps only summaries of this detector's results
(results/windowedGaussian/windowedGaussian_standard_scores.csv), so its scores are computed here again,
from its description: the normal distribution's tail probability of each value under mean and
standard deviation of the values before it. On the files below that gives the published counts of
true and false positives exactly, so the published scores hold for it. A Python version of NAB's
published formulae gives the scores of the other profiles; where NAB published one, it is the same.
"""

import csv
import gzip
import json
import math
import pathlib
import sys

import numpy as np

# NAB's results/windowedGaussian/windowedGaussian_standard_scores.csv at commit 487c0f97: the score, and the
# events TP, TN, FP, FN, at the threshold 1.0.
PUBLISHED = {
    "realAdExchange/exchange-4_cpm_results.csv": (1.274710362684976, [4, 1230, 3, 160]),
    "realAdExchange/exchange-4_cpc_results.csv": (0.2922884634276035, [3, 1228, 4, 162]),
    "realKnownCause/rogue_agent_key_hold.csv": (-2.44, [0, 1406, 4, 190]),
    "realAWSCloudwatch/ec2_cpu_utilization_24ae8d.csv": (-1.266678759349383, [2, 3015, 11, 400]),
    "realTraffic/TravelTime_387.csv": (-1.7959813307852819, [1, 1870, 6, 248]),
}
PROFILES = {"standard": (1, 0.11, 1), "low FP": (1, 0.22, 1), "low FN": (1, 0.11, 2)}


def windowed_gaussian(values):
    scores = []
    for i, x in enumerate(values):
        if i == 0:
            scores.append(0.0)
            continue
        mean, std = np.mean(values[:i]), np.std(values[:i]) or 1e-6
        tail = 0.5 * math.erfc(abs(x - mean) / std / 1.4142)
        scores.append(1 - tail)
    # Shorter numbers; what is not quite 1, the threshold, stays below it.
    return [s if s == 1 else min(round(s, 9), 0.999999999) for s in scores]


def sigmoid(y):
    return -1.0 if y >= 3 else 2 / (1 + math.exp(5 * y)) - 1


def nab(scores, windows, threshold, tp, fp, fn):
    start = min(math.floor(0.15 * len(scores)), 750)
    total, best, counts = 0.0, {}, [0, 0, 0, 0]
    for i in range(start, len(scores)):
        at = [k for k, (a, b) in enumerate(windows) if a <= i <= b]
        alarm = scores[i] >= threshold
        counts[(0 if alarm else 3) if at else (2 if alarm else 1)] += 1
        if not alarm:
            continue
        if at:
            a, b = windows[at[0]]
            worth = tp * sigmoid(-(b - i + 1) / (b - a + 1)) / sigmoid(-1)
            best[at[0]] = max(best.get(at[0], 0), worth)
            continue
        past = [w for w in windows if w[1] < i]
        total += fp * (sigmoid((i - past[-1][1]) / (past[-1][1] - past[-1][0])) if past else -1)
    total += sum(best.get(k, -fn) for k, w in enumerate(windows) if w[1] >= start)
    return total, counts


def best(files, profile):
    """The best total over all thresholds, one by one, and its normalised value."""
    tp, fp, fn = profile
    cuts = sorted({s for f in files for s in f["scores"] if s > 0.99}, reverse=True)
    n = sum(len(f["windows"]) for f in files)
    raw = max([-n * fn] + [sum(nab(f["scores"], f["windows"], c, *profile)[0] for f in files) for c in cuts])
    return {"raw": raw, "normalised": 100 * (raw + n * fn) / (n * tp + n * fn)}


def main():
    root = pathlib.Path(sys.argv[1])
    labels = next(p for p in (root / "labels/combined_windows.json", root / "combined_windows.json") if p.exists())
    windows = json.loads(labels.read_text())
    files = []
    for name, (score, counts) in PUBLISHED.items():
        rows = list(csv.DictReader(open(root / "data" / name)))
        times = [r["timestamp"] for r in rows]
        at = [[times.index(a[:19]), times.index(b[:19])] for a, b in windows[name]]
        scores = windowed_gaussian([float(r["value"]) for r in rows])
        raw = {p: nab(scores, at, 1.0, *w)[0] for p, w in PROFILES.items()}
        assert nab(scores, at, 1.0, *PROFILES["standard"])[1] == counts, name
        assert abs(raw["standard"] - score) < 1e-9, name
        files.append({"name": name, "windows": at, "scores": scores, "published": score, "raw": raw})
    out = {"threshold": 1.0, "files": files, "best": {p: best(files, w) for p, w in PROFILES.items()}}
    with gzip.GzipFile(fileobj=sys.stdout.buffer, mode="wb", mtime=0) as f:
        f.write(json.dumps(out).encode())


main()
