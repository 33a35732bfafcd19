#!/usr/bin/env python3
"""Writes the reference values the tests of Numerics compare with: SciPy 1.10, NumPy 1.24 (Debian 12: python3-scipy).

    /usr/bin/python3 make.py        # writes *.json beside itself; run only to add cases, the tests read the JSON

Samples are written as distinct values and counts, so that large ones with ties stay small.
"""
import json
import pathlib
import warnings

import numpy as np
from scipy import stats
from scipy.spatial import distance

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(20010101)


def counted(sample):
    values, counts = np.unique(sample, return_counts=True)
    return {"values": values.tolist(), "counts": counts.tolist()}


def write(name, content):
    lines = ",\n".join("  " + json.dumps(item) for item in content)
    (HERE / name).write_text("[\n" + lines + "\n]\n")


def samples():
    """Pairs of samples: small, with ties, one size, coprime sizes, a common divisor, large, far apart, disjoint."""
    normal = rng.standard_normal
    yield "one value each, apart", [1.0], [2.0]
    yield "one value each, equal", [1.0], [1.0]
    yield "one against many", [0.25], normal(37)
    yield "three against five", [1.0, 2.0, 3.0], [1.5, 2.5, 3.5, 4.5, 5.5]
    yield "constant against constant", [7.0] * 30, [7.0] * 41
    yield "equal sizes", normal(100), normal(100)
    yield "equal sizes, shifted", normal(100), normal(100) + 0.8
    yield "equal sizes, disjoint", normal(50), normal(50) + 40
    yield "equal sizes, identical", np.arange(64.0), np.arange(64.0)
    yield "coprime sizes", normal(101), normal(97)
    yield "coprime sizes, far", normal(211), normal(149) * 3 + 1
    yield "sizes with a divisor", normal(120), normal(90) + 0.3
    yield "one a multiple of the other", normal(60), normal(240) + 0.2
    yield "coprime sizes, disjoint", normal(40), normal(33) + 100
    yield "few values, many ties", rng.integers(0, 4, 150), rng.integers(0, 5, 170)
    yield "counts, many ties", rng.poisson(3, 1000), rng.poisson(3.2, 800)
    yield "two thousand", np.round(normal(2000), 1), np.round(normal(2000), 1)
    yield "thousands, unequal", np.round(normal(3000), 1), np.round(normal(1999) + 0.03, 1)
    yield "largest exact", np.round(normal(10000), 1), np.round(normal(9999) + 0.01, 1)
    yield "largest exact, one size", np.round(normal(10000), 1), np.round(normal(10000) + 0.01, 1)
    yield "asymptotic, against three", np.round(normal(12000), 1), [-0.5, 0.1, 0.4]
    yield "asymptotic, against ninety", np.round(normal(12000), 1), np.round(normal(90) * 1.2, 1)
    yield "asymptotic, against ninety, equal", np.round(normal(12000), 1), np.round(normal(90), 1)
    yield "asymptotic, against hundreds", np.round(normal(20000), 1), np.round(normal(450), 1)
    yield "asymptotic, just above", np.round(normal(10001), 1), np.round(normal(10001), 1)
    yield "asymptotic, large", np.round(normal(60000), 1), np.round(normal(20000) + 0.02, 1)
    yield "asymptotic, very large, alike", np.round(normal(400000), 1), np.round(normal(300000), 1)
    yield "asymptotic, very different", np.round(normal(15000), 1), np.round(normal(14000) + 1, 1)
    yield "asymptotic, disjoint", np.round(normal(15000), 1), np.round(normal(14000) + 50, 1)
    yield "delays like flights", np.round(rng.gamma(1.2, 20, 15000) - 15), np.round(rng.gamma(1.2, 22, 5000) - 15)


def binned(reference, current):
    """Evidently's rule: Sturges' edges over both when the reference has more than 20 values, else single values."""
    if len(np.unique(reference)) > 20:
        edges = np.histogram_bin_edges(np.concatenate([reference, current]), bins="sturges")
        return (edges.tolist(), np.histogram(reference, edges)[0] / len(reference),
                np.histogram(current, edges)[0] / len(current))
    keys = np.union1d(reference, current)
    return (None, np.array([np.mean(reference == key) for key in keys]),
            np.array([np.mean(current == key) for key in keys]))


def filled(shares):
    least = min(shares[shares > 0])
    return np.where(shares == 0, least / 1e6 if least <= 0.0001 else 0.0001, shares)


def two_samples():
    for name, a, b in samples():
        a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = stats.ks_2samp(a, b)
        edges, reference, current = binned(a, b)
        psi = float(np.sum((filled(reference) - filled(current)) * np.log(filled(reference) / filled(current))))
        plain = stats.wasserstein_distance(a, b)
        yield {"name": name, "a": counted(a), "b": counted(b),
               "statistic": float(test.statistic), "pvalue": float(test.pvalue),
               "edges": edges, "reference_shares": reference.tolist(), "current_shares": current.tolist(), "psi": psi,
               "jensen_shannon": float(distance.jensenshannon(reference, current)),
               "wasserstein": float(plain), "wasserstein_normed": float(plain / max(np.std(a), 0.001)),
               "mean": float(np.mean(a)), "std": float(np.std(a)),
               "quantiles": np.quantile(a, [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1]).tolist()}


def kolmogorov():
    """Survival of the one-sample law over every region in which another formula serves."""
    for n in [1, 2, 3, 5, 10, 50, 100, 139, 140, 141, 200, 500, 1000, 5000, 20000, 99999, 100000, 100001, 250000]:
        for spread in [0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.754693, 0.8, 1.0, 1.5, 2.0, 2.19, 2.2, 2.5, 4.0, 4.1, 9.0,
                       17.0, 18.0, 60.0, 200.0, 369.0, 371.0]:
            d = float(np.sqrt(spread / n))
            if d < 1 and (n <= 100000 or spread <= 9):
                yield {"n": n, "d": d, "sf": float(stats.kstwo.sf(d, n))}
        for d in [0.5 / n, 0.75 / n, 1.0 / n, 1.5 / n, 2.0 / n, 1 - 1.5 / n, 1 - 0.5 / n, 0.4, 0.5, 0.6]:
            if 0 < d < 1 and n <= 5000:
                yield {"n": n, "d": d, "sf": float(stats.kstwo.sf(d, n))}


def chi_square():
    for size in [2, 3, 8, 40]:
        for scale in [0.5, 1.0, 1.15]:
            reference = rng.integers(5, 400, size)
            current = rng.poisson(reference * 0.4 * rng.choice([1, scale], size)) + 1
            expected = reference * (current.sum() / reference.sum())
            test = stats.chisquare(current, expected)
            yield {"reference": reference.tolist(), "current": current.tolist(),
                   "statistic": float(test.statistic), "pvalue": float(test.pvalue)}


def ridge():
    for rows, width, penalty in [(20, 1, 0.0), (50, 4, 0.0), (50, 4, 2.5), (30, 12, 0.1), (6, 10, 1.0)]:
        design = rng.standard_normal((rows, width)) * rng.uniform(0.1, 50, width) + rng.uniform(-100, 100, width)
        labels = design @ rng.standard_normal(width) + rng.standard_normal(rows) + 12
        centred, mean = design - design.mean(0), labels.mean()
        # The penalty as extra rows, solved by an orthogonal factorisation: another way than normal equations.
        stacked = np.vstack([centred, np.sqrt(penalty) * np.eye(width)])
        target = np.concatenate([labels - mean, np.zeros(width)])
        coefficients = np.linalg.lstsq(stacked, target, rcond=None)[0]
        yield {"width": width, "penalty": penalty, "design": design.ravel().tolist(), "labels": labels.tolist(),
               "coefficients": coefficients.tolist(), "intercept": float(mean - design.mean(0) @ coefficients)}


def regression():
    for rows in [1, 2, 1000]:
        labels = np.round(rng.normal(10, 30, rows), 3)
        predictions = np.round(labels * 0.4 + rng.normal(6, 20, rows), 3)
        error = predictions - labels
        spread = float(np.sum((labels - labels.mean()) ** 2))
        yield {"labels": labels.tolist(), "predictions": predictions.tolist(),
               "rmse": float(np.sqrt(np.mean(error ** 2))), "mae": float(np.mean(np.abs(error))),
               "mean_error": float(np.mean(error)),
               "r_squared": 1 - float(np.sum(error ** 2)) / spread if spread > 0 else None}


write("two_samples.json", two_samples())
write("kolmogorov.json", kolmogorov())
write("chi_square.json", chi_square())
write("ridge.json", ridge())
write("regression.json", regression())
