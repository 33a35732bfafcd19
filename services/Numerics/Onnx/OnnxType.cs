namespace MlOps.Numerics.Onnx;

/// <summary>Element type of a tensor, by ONNX's own number (TensorProto.DataType).</summary>
public enum OnnxType
{
    Float = 1,
    Int64 = 7,
    Text = 8,
    Double = 11,
}
