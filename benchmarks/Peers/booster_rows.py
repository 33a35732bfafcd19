"""Rows a second of inplace_predict on one thread, no server around it: MODEL, rows a batch, seconds."""
import sys
import time

import numpy
import xgboost

booster = xgboost.Booster({"nthread": 1})
booster.load_model(sys.argv[1])
rows = numpy.random.default_rng(1).random((int(sys.argv[2]), 10), dtype=numpy.float32)
booster.inplace_predict(rows)
start, done = time.perf_counter(), 0
while time.perf_counter() - start < float(sys.argv[3]):
    booster.inplace_predict(rows)
    done += len(rows)
print(done / (time.perf_counter() - start))
