"""Golden numbers for VUS, average precision and best F1, from other implementations.

    python3 -m venv v && v/bin/pip install numpy==2.4.6 scikit-learn==1.9.1 pandas==3.1.1 tqdm
    v/bin/pip install --no-deps TSB-AD==1.5 vus==0.0.6
    v/bin/python curves.py > curves.json

TSB_AD.evaluation.basic_metrics (RangeAUC_volume_opt) is loaded by its path, since the package
imports deep-learning libraries that its metrics do not need; so is vus.utils.metrics.
"""

import importlib.util
import json
import pathlib
import sys
import sysconfig
import types

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, precision_recall_curve

site = pathlib.Path(sysconfig.get_paths()["purelib"])


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, site / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tsb = load("tsb_metrics", "TSB_AD/evaluation/basic_metrics.py").basic_metricor()
sys.modules["statsmodels"] = types.ModuleType("statsmodels")
vus = load("vus_metrics", "vus/utils/metrics.py").metricor()

rng = np.random.default_rng(7)


def case(name, n, ranges, buffer, levels=0, lift=1.5):
    label = np.zeros(n, int)
    for a, b in ranges:
        label[a : b + 1] = 1
    score = np.abs(rng.standard_normal(n)) + lift * label * rng.random(n)
    score = np.floor(score * levels) / levels if levels else np.round(score, 6)
    out = {"name": name, "labels": ranges, "buffer": buffer, "scores": score.tolist()}
    for package, grader in (("TSB-AD 1.5", tsb), ("vus 0.0.6", vus)):
        *_, roc, pr = grader.RangeAUC_volume_opt(label, score, buffer, 250)
        out[package] = {"vus_pr": float(pr), "vus_roc": float(roc)}
    precision, recall, _ = precision_recall_curve(label, score)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    out["scikit-learn " + sklearn.__version__] = {"ap": float(average_precision_score(label, score)), "f1": float(f1.max())}
    return out


cases = [
    case("one range", 600, [[300, 339]], 20),
    case("ranges whose buffers touch", 900, [[200, 220], [228, 240], [500, 500], [700, 760]], 40),
    case("ranges at both ends", 500, [[0, 10], [250, 260], [480, 499]], 30),
    case("ties", 700, [[100, 140], [600, 620]], 16, levels=3),
    case("no buffer", 400, [[100, 140]], 0),
    case("useless scores", 800, [[100, 110], [400, 450]], 100, lift=0.0),
    case("fewer events than thresholds", 120, [[60, 70]], 10),
]
json.dump({"versions": ["TSB-AD 1.5", "vus 0.0.6", "scikit-learn " + sklearn.__version__, "numpy " + np.__version__], "cases": cases}, sys.stdout)
