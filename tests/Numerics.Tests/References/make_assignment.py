#!/usr/bin/env python3
"""Writes assignment.json, the vectors of the assignment: subjects and rules with the arm each gets and why.

    python3 make_assignment.py      # plain Python; run only to add cases, the tests read the JSON

Written from the description of GrowthBook's hash (version 2), bucket ranges and namespaces, not from the C# code. Clients in
other languages can be checked against the same file.
"""
import itertools
import json
import pathlib
import random

HERE = pathlib.Path(__file__).parent


def fnv1a32(text):
    value = 0x811C9DC5
    data = text.encode("utf-16-le", "surrogatepass")
    for i in range(0, len(data), 2):
        value = ((value ^ int.from_bytes(data[i:i + 2], "little")) * 0x01000193) & 0xFFFFFFFF
    return value


def bucket(seed, value):
    return (fnv1a32(str(fnv1a32(seed + value))) % 10000) / 10000


def place(rule, subject):
    holdout = rule["holdout"]
    if holdout and bucket(holdout["salt"], subject) < holdout["share"]:
        return 0, "HeldOut"
    layer = rule["layer"]
    if layer and not layer["start"] <= bucket("__" + layer["name"], subject) < layer["end"]:
        return 0, "Outside"
    n = bucket(rule["salt"], subject)
    ends = list(itertools.accumulate(rule["weights"]))
    for arm, (start, weight) in enumerate(zip([0.0] + ends, rule["weights"])):
        if start <= n < start + rule["coverage"] * weight:
            return arm, "Assigned"
    return 0, "Outside"


def main():
    rng = random.Random(20250301)
    rules = [
        {"salt": salt, "weights": weights, "coverage": coverage, "layer": layer, "holdout": holdout}
        for (salt, weights), coverage, (layer, holdout) in itertools.product(
            [("flight-delay", [0.9, 0.1]), ("s", [1.0]), ("2025-q1 test", [0.25, 0.25, 0.25, 0.25]), ("ü", [0.5, 0.3, 0.2])],
            [1.0, 0.25, 0.05, 0.0],
            [
                (None, None),
                ({"name": "ranking", "start": 0.0, "end": 0.4}, None),
                ({"name": "ranking", "start": 0.4, "end": 1.0}, {"salt": "holdout", "share": 0.1}),
                (None, {"salt": "holdout", "share": 0.05}),
            ])
    ]
    fixed = ["a", "user-1", "4711", "9007199254740993", "-1", "true", "0.1", "Zoë", "東京", "\U0001F600", " ", "a,b", "\\\"/", "x" * 300]
    cases = []
    for i, rule in enumerate(rules):
        for subject in fixed[i % 3::3] + [f"user-{rng.randrange(10**9)}" for _ in range(12)]:
            arm, reason = place(rule, subject)
            cases.append({"rule": i, "subject": subject, "bucket": bucket(rule["salt"], subject), "arm": arm, "reason": reason})
    lines = [json.dumps(rule) for rule in rules], [json.dumps(case) for case in cases]
    text = '{\n"rules": [\n  ' + ",\n  ".join(lines[0]) + '\n],\n"cases": [\n  ' + ",\n  ".join(lines[1]) + "\n]\n}\n"
    (HERE / "assignment.json").write_text(text)


if __name__ == "__main__":
    main()
