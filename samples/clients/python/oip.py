"""Tensors as the Open Inference Protocol has them: their bytes, and the two messages of an inference.

The messages are written and read by hand, field by field, so that no generated code is needed; with the protocol's .proto
file and protoc they would be classes. Numbers in comments are field numbers.
"""
import struct

FORMATS = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h", "INT32": "i",
    "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d",
}


def pack(datatype, values):
    """Little-endian values one after another; BYTES each behind a 4-byte length. None is a missing number: NaN."""
    if datatype == "BYTES":
        texts = [value if isinstance(value, bytes) else value.encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return b"".join(struct.pack("<" + FORMATS[datatype], float("nan") if value is None else value) for value in values)


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, content):
    """A field with a length: text, bytes or a message."""
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def fields(message):
    """Number and content of each field; varints as integers, all else as bytes."""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
            continue
        size = {1: 8, 5: 4}.get(tag & 7) or number()
        yield tag >> 3, message[at:at + size]
        at += size


def infer_request(model, version, inputs):
    """ModelInferRequest: model_name 1, model_version 2, inputs 5 {name 1, datatype 2, shape 3}, raw_input_contents 7."""
    tensors = b"".join(
        field(5, field(1, i["name"]) + field(2, i["datatype"]) + field(3, b"".join(varint(size) for size in i["shape"])))
        for i in inputs)
    return field(1, model) + field(2, version) + tensors + b"".join(field(7, pack(i["datatype"], i["data"])) for i in inputs)


def read_answer(message):
    """ModelInferResponse: model_version 2, parameters 4 {key 1, value 2 {string_param 3}}, outputs 5, raw_output_contents 6."""
    version, prediction, names, raws = "", "", [], []
    for number, content in fields(message):
        if number == 2:
            version = content.decode()
        elif number == 4:
            entry = dict(fields(content))
            if entry[1] == b"prediction_id":
                prediction = dict(fields(entry[2]))[3].decode()
        elif number == 5:
            names.append(dict(fields(content))[1].decode())
        elif number == 6:
            raws.append(content)
    return dict(zip(names, raws)), version, prediction
