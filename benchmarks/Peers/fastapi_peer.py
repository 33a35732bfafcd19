"""The same booster behind FastAPI, its request a Pydantic model. MODEL names XGBoost's model file."""
import os
from typing import List

import fastapi
import numpy
import pydantic
import xgboost

booster = xgboost.Booster({"nthread": 1})
booster.load_model(os.environ["MODEL"])
app = fastapi.FastAPI()


class Tensor(pydantic.BaseModel):
    name: str
    datatype: str
    shape: List[int]
    data: List[float]


class InferRequest(pydantic.BaseModel):
    inputs: List[Tensor]


@app.post("/v2/models/{model}/infer")
async def infer(model: str, request: InferRequest):
    tensor = request.inputs[0]
    rows = numpy.asarray(tensor.data, dtype=numpy.float32).reshape(tensor.shape)
    predictions = booster.inplace_predict(rows)
    return {
        "model_name": model,
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [len(rows), 1], "data": predictions.tolist()}],
    }
