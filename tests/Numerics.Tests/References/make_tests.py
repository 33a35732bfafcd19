#!/usr/bin/env python3
"""Writes the reference values of the tests of hypotheses: SciPy 1.10, NumPy 1.24 (Debian 12: python3-scipy).

    /usr/bin/python3 make_tests.py        # writes *.json beside itself; run only to add cases, the tests read the JSON
"""
import json
import pathlib
import warnings

import numpy as np
from scipy import special, stats

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(20260101)


def write(name, content):
    lines = ",\n".join("  " + json.dumps(item) for item in content)
    (HERE / name).write_text("[\n" + lines + "\n]\n")


def distributions():
    for z in [-12, -6, -3.3, -1, -0.5, -1e-3, 0, 0.1, 0.84, 1.2815515655446004, 1.959963984540054, 4, 8, 20, 37]:
        yield {"law": "normal", "a": 0, "b": 0, "x": z, "p": float(stats.norm.sf(z))}
    for p in [1e-300, 1e-20, 1e-9, 0.001, 0.025, 0.07, 0.0750001, 0.3, 0.5, 0.6, 0.925, 0.95, 0.975, 0.999, 1 - 1e-12]:
        yield {"law": "quantile", "a": 0, "b": 0, "x": p, "p": float(stats.norm.ppf(p))}
    for degrees in [1, 2, 5, 29.5, 400, 1e6]:
        for t in [-3, -0.2, 0.5, 2, 7, 30]:
            yield {"law": "t", "a": degrees, "b": 0, "x": t, "p": float(stats.t.sf(t, degrees))}
    for a, b in [(0.5, 0.5), (1, 1), (2, 30), (300, 20), (5000, 5000), (4e5, 6e5)]:
        mean, deviation = a / (a + b), np.sqrt(a * b / (a + b + 1)) / (a + b)
        for steps in [-6, -2, -0.3, 0, 0.7, 3, 6]:
            x = float(mean + steps * deviation)
            if 0 < x < 1:
                yield {"law": "beta", "a": a, "b": b, "x": x, "p": float(special.betainc(a, b, x))}


def differences():
    for n in [1, 2, 5, 9, 20, 49, 50]:
        yield f"{n} without ties", np.round(rng.standard_normal(n) + 0.3, 9)
    yield "twelve, far from zero", np.arange(1.0, 13.0)
    for n in [51, 200, 600]:
        yield f"{n} without ties", np.round(rng.standard_normal(n) + 0.05, 9)
    for n in [12, 40, 200]:
        yield f"{n} with ties", np.round(rng.standard_normal(n) * 2 + 0.4) + 0.5
        yield f"{n} with ties and zeros", np.round(rng.standard_normal(n) * 2 + 0.4)


def wilcoxon():
    for name, d in differences():
        magnitudes = np.abs(d)
        exact = len(d) <= 50 and len(np.unique(magnitudes)) == len(d) and not np.any(d == 0)
        results = []
        for zeros in ["wilcox", "pratt", "zsplit"]:
            for alternative in ["two-sided", "greater", "less"]:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    test = stats.wilcoxon(d, zero_method=zeros, alternative=alternative, mode="exact" if exact else "approx")
                results.append({"zeros": zeros, "alternative": alternative, "statistic": float(test.statistic),
                                "pvalue": float(test.pvalue)})
        yield {"name": name, "differences": d.tolist(), "results": results}


def mann_whitney():
    normal = rng.standard_normal
    pairs = [("one and one", [1.0], [2.0]), ("three and five", [1.0, 5.0, 9.0], [2.0, 3.0, 4.0, 6.0, 7.0]),
             ("eight and eight", normal(8), normal(8) + 1), ("eight and four hundred", normal(8) + 1, normal(400)),
             ("seven and thirty, apart", normal(7) + 30, normal(30)), ("nine and nine", normal(9), normal(9) + 1),
             ("four with ties", [1.0, 2.0, 2.0, 3.0], [2.0, 4.0, 4.0]), ("all equal", [3.0] * 4, [3.0] * 6),
             ("hundreds", normal(300), normal(250) + 0.2), ("hundreds with ties", np.round(normal(300)), np.round(normal(250) + 0.2))]
    for name, a, b in pairs:
        results = []
        for alternative in ["two-sided", "greater", "less"]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                test = stats.mannwhitneyu(a, b, alternative=alternative)
            p = float(test.pvalue)
            results.append({"alternative": alternative, "statistic": float(test.statistic), "pvalue": 1.0 if np.isnan(p) else p})
        yield {"name": name, "first": list(map(float, a)), "second": list(map(float, b)), "results": results}


def paired_t():
    for n in [2, 3, 10, 200]:
        d = rng.standard_normal(n) * 3 + 0.7
        results = []
        for alternative in ["two-sided", "greater", "less"]:
            test = stats.ttest_1samp(d, 0, alternative=alternative)
            results.append({"alternative": alternative, "statistic": float(test.statistic), "pvalue": float(test.pvalue)})
        yield {"differences": d.tolist(), "results": results}


def mc_nemar():
    for b, c in [(0, 0), (0, 1), (1, 1), (0, 7), (3, 9), (10, 10), (12, 31), (59, 6), (500, 431), (20000, 20500)]:
        n, least = b + c, min(b, c)
        tail = float(stats.binom.cdf(least, n, 0.5)) if n else 1.0
        point = float(stats.binom.pmf(least, n, 0.5)) if n else 0.0
        yield {"first": b, "second": c, "exact": min(1.0, 2 * tail), "mid": 1 - point / 2 if b == c else 2 * tail - point,
               "plain": float(stats.chi2.sf((b - c) ** 2 / n, 1)) if n else 1.0,
               "corrected": float(stats.chi2.sf((abs(b - c) - 1) ** 2 / n, 1)) if n else 1.0}


def sample_ratio():
    for counts, weights in [([0, 0], [1, 1]), ([510, 490], [0.5, 0.5]), ([9000, 900], [0.9, 0.1]), ([99500, 700], [0.99, 0.01]),
                            ([100, 160, 90], [1, 1, 1]), ([500000, 501000], [0.5, 0.5])]:
        share = np.array(weights) / np.sum(weights)
        n = int(np.sum(counts))
        row = {"counts": counts, "weights": weights,
               "chi_square": float(stats.chisquare(counts, share * n).pvalue) if n else 1.0}
        # The Dirichlet-multinomial against the multinomial, whose coefficients cancel: by the chances one after the other.
        for concentration in [50.0, 10000.0]:
            log = 0.0
            seen = np.zeros(len(counts))
            for arm, count in enumerate(counts):
                steps = np.arange(count, dtype=float)
                log += np.sum(np.log((concentration * share[arm] + steps) / (concentration + seen.sum() + steps)))
                log -= count * np.log(share[arm])
                seen[arm] = count
            row["sequential_%d" % concentration] = float(min(1.0, np.exp(-log)))
        yield row


write("distributions.json", distributions())
write("wilcoxon.json", wilcoxon())
write("mann_whitney.json", mann_whitney())
write("paired_t.json", paired_t())
write("mc_nemar.json", mc_nemar())
write("sample_ratio.json", sample_ratio())
