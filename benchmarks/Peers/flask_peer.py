"""The same booster behind Flask, as its quick start writes it. MODEL names XGBoost's model file."""
import os

import flask
import numpy
import xgboost

booster = xgboost.Booster({"nthread": 1})
booster.load_model(os.environ["MODEL"])
app = flask.Flask(__name__)


@app.post("/v2/models/<model>/infer")
def infer(model):
    tensor = flask.request.get_json()["inputs"][0]
    rows = numpy.asarray(tensor["data"], dtype=numpy.float32).reshape(tensor["shape"])
    predictions = booster.inplace_predict(rows)
    return flask.jsonify(
        model_name=model,
        outputs=[{"name": "y", "datatype": "FP32", "shape": [len(rows), 1], "data": predictions.tolist()}],
    )
