#!/usr/bin/env python3
"""Asks a model for predictions over the Open Inference Protocol: REST with JSON, REST with binary tensors, and gRPC.

    predict.py MODEL[@VERSION] INPUT=DATATYPE:VALUE[,VALUE…] …
    predict.py flight-delay@champion distance=FP32:719,2475 origin=BYTES:ATL,JFK

One value of each input is a row. Needs nothing but Python; gRPC too where the package grpcio is installed.
MLOPS_REST and MLOPS_GRPC are the addresses (http://127.0.0.1:8080, http://127.0.0.1:8081), MLOPS_KEY the API key where
one is asked for. Ends with 1 where an answer is refused or two of them differ.
"""
import json
import os
import struct
import sys
import urllib.error
import urllib.request

import oip

REST = os.environ.get("MLOPS_REST", "http://127.0.0.1:8080").rstrip("/")
GRPC = os.environ.get("MLOPS_GRPC", "http://127.0.0.1:8081")
KEY = os.environ.get("MLOPS_KEY", "")


def parse(argument):
    """origin=BYTES:ATL,JFK as a tensor of one value a row."""
    name, _, rest = argument.partition("=")
    datatype, _, values = rest.partition(":")
    read = {"BYTES": str, "BOOL": lambda text: text == "true"}.get(datatype, float if datatype[:2] in ("FP", "BF") else int)
    values = [read(value) for value in values.split(",")]
    return {"name": name, "datatype": datatype, "shape": [len(values), 1], "data": values}


def post(path, body, headers):
    """Body and headers of the answer; an error answer is told by its text."""
    headers = {**headers, **({"x-api-key": KEY} if KEY else {})}
    request = urllib.request.Request(f"{REST}/{path}", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read(), answer.headers
    except urllib.error.HTTPError as refusal:
        sys.exit(f"refused with {refusal.code}: {json.loads(refusal.read())['error']}")


def by_json(path, inputs):
    body, headers = post(path, json.dumps({"inputs": inputs}).encode(), {"Content-Type": "application/json"})
    answer = json.loads(body)
    outputs = {output["name"]: oip.pack(output["datatype"], output["data"]) for output in answer["outputs"]}
    return outputs, headers["x-mlops-model-version"], headers["x-mlops-prediction-id"]


def by_binary(path, inputs):
    """JSON that gives each tensor's size, the tensors behind it; the answer is of the same form."""
    raws = [oip.pack(tensor["datatype"], tensor["data"]) for tensor in inputs]
    heads = [
        {**{key: tensor[key] for key in ("name", "datatype", "shape")}, "parameters": {"binary_data_size": len(raw)}}
        for tensor, raw in zip(inputs, raws)
    ]
    head = json.dumps({"inputs": heads, "parameters": {"binary_data_output": True}}).encode()
    body, headers = post(path, head + b"".join(raws), {
        "Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head)),
    })
    length = int(headers["Inference-Header-Content-Length"])
    outputs, at = {}, length
    for output in json.loads(body[:length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        outputs[output["name"]] = body[at:at + size]
        at += size
    return outputs, headers["x-mlops-model-version"], headers["x-mlops-prediction-id"]


def by_grpc(model, version, inputs):
    import grpc

    with grpc.insecure_channel(GRPC.split("://")[-1].rstrip("/")) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        try:
            answer = infer(oip.infer_request(model, version, inputs), timeout=10, metadata=[("x-api-key", KEY)] if KEY else [])
        except grpc.RpcError as refusal:
            sys.exit(f"refused with {refusal.code().name}: {refusal.details()}")
    return oip.read_answer(answer)


def main(arguments):
    if len(arguments) < 2:
        print(__doc__)
        return 2
    model, _, version = arguments[0].partition("@")
    inputs = [parse(argument) for argument in arguments[1:]]
    path = f"v2/models/{model}" + (f"/versions/{version}" if version else "") + "/infer"

    answers = {"REST, JSON": by_json(path, inputs), "REST, binary": by_binary(path, inputs)}
    try:
        answers["gRPC"] = by_grpc(model, version, inputs)
    except ImportError:
        print("gRPC: the package grpcio is not installed")

    for way, (outputs, answering, prediction) in answers.items():
        print(f"{way}: version {answering}, prediction {prediction}")
        for name, raw in outputs.items():
            shown = [round(value, 6) for value in struct.unpack(f"<{len(raw) // 4}f", raw)] if len(raw) % 4 == 0 else raw
            print(f"  {name} {shown}")

    if len({tuple(sorted(outputs.items())) for outputs, _, _ in answers.values()}) > 1:
        print("the answers differ")
        return 1
    print("all answers are equal to the bit")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
