#!/usr/bin/env python3
"""Trains a small model with the native XGBoost library (Debian 12: libxgboost0 1.7.4, python3-numpy) and writes what
the library itself says of it: xgboost_model.json is its own file, xgboost_rows.json rows (null = missing) and
predictions, xgboost_contributions.json the SHAP values of the same rows, the bias behind the features.

    /usr/bin/python3 make_xgboost.py [path of libxgboost.so.0]
"""
import ctypes
import json
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
lib = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libxgboost.so.0")
lib.XGBGetLastError.restype = ctypes.c_char_p


def call(name, *arguments):
    if getattr(lib, name)(*arguments) != 0:
        raise RuntimeError(lib.XGBGetLastError().decode())


def matrix(cells):
    handle = ctypes.c_void_p()
    call("XGDMatrixCreateFromMat", cells.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint64(cells.shape[0]),
         ctypes.c_uint64(cells.shape[1]), ctypes.c_float(float("nan")), ctypes.byref(handle))
    return handle


def predict(booster, cells, option=0):
    length, result = ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
    call("XGBoosterPredict", booster, matrix(cells), option, ctypes.c_uint(0), 0, ctypes.byref(length),
         ctypes.byref(result))
    return np.ctypeslib.as_array(result, (length.value,)).copy()


rng = np.random.default_rng(7)
cells = rng.standard_normal((600, 5)).astype(np.float32)
cells[:, 1] = rng.integers(0, 2, 600)
signal = 30 + 12 * np.sin(cells[:, 0]) + 9 * cells[:, 1] * (cells[:, 2] > 0)
labels = (signal + rng.standard_normal(600)).astype(np.float32)
cells[rng.uniform(size=cells.shape) < 0.15] = np.nan

train = matrix(cells)
call("XGDMatrixSetFloatInfo", train, b"label", labels.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint64(len(labels)))
booster = ctypes.c_void_p()
call("XGBoosterCreate", (ctypes.c_void_p * 1)(train), ctypes.c_uint64(1), ctypes.byref(booster))
settings = {"objective": "reg:squarederror", "tree_method": "hist", "max_depth": 4, "eta": 0.2, "gamma": 20, "seed": 7,
            "nthread": 1, "base_score": repr(float(labels.mean()))}
for name, value in settings.items():
    call("XGBoosterSetParam", booster, name.encode(), str(value).encode())
for iteration in range(25):
    call("XGBoosterUpdateOneIter", booster, iteration, train)

length, text = ctypes.c_uint64(), ctypes.POINTER(ctypes.c_char)()
call("XGBoosterSaveModelToBuffer", booster, b'{"format":"json"}', ctypes.byref(length), ctypes.byref(text))
(HERE / "xgboost_model.json").write_bytes(ctypes.string_at(text, length.value))

rows = np.vstack([cells[:250], np.full((1, 5), np.nan, np.float32), np.zeros((1, 5), np.float32)]).astype(np.float32)
predictions = predict(booster, np.ascontiguousarray(rows))
(HERE / "xgboost_rows.json").write_text(json.dumps({
    "rows": [[None if np.isnan(cell) else float(cell) for cell in row] for row in rows],
    "predictions": [float(value) for value in predictions]}) + "\n")
CONTRIBUTIONS = 4
(HERE / "xgboost_contributions.json").write_text(json.dumps(
    [[float(value) for value in row]
     for row in predict(booster, np.ascontiguousarray(rows), CONTRIBUTIONS).reshape(len(rows), 6)]) + "\n")
