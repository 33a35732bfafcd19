using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Onnx;

/// <summary>An input or output a graph declares.</summary>
/// <param name="Name">Of the tensor.</param>
/// <param name="Type">Of its elements; null when it is no tensor or the graph leaves it open.</param>
/// <param name="Dimensions">−1 for one that varies; null when the graph leaves the shape open.</param>
/// <param name="Content">ValueInfoProto as it stands in the file.</param>
public sealed record OnnxValue(string Name, OnnxType? Type, IReadOnlyList<long>? Dimensions, ReadOnlyMemory<byte> Content)
{
    /// <summary>A tensor to be fed to a part of a graph.</summary>
    /// <param name="name">Of the tensor.</param>
    /// <param name="type">Of its elements.</param>
    /// <param name="dimensions">−1 for one that varies.</param>
    public static OnnxValue Of(string name, OnnxType type, params long[] dimensions) => new(
        name, type, dimensions, new OnnxWriter().Text(1, name).Message(2, wrapper => wrapper.Message(1, tensor => tensor
            .Integer(1, (int)type)
            .Message(2, shape =>
            {
                foreach (var size in dimensions)
                    shape.Message(1, dimension => _ = size < 0 ? dimension.Text(2, "N") : dimension.Integer(1, size));
            }))).Written.ToArray());

    internal static OnnxValue Read(ReadOnlyMemory<byte> content)
    {
        // ValueInfoProto: name 1, type 2 {tensor_type 1 {elem_type 1, shape 2 {dim 1 {dim_value 1, dim_param 2}}}}
        OnnxType? type = null;
        List<long>? dimensions = null;
        foreach (var wrapper in new OnnxMessage(content.Span))
        {
            if (wrapper.Number != 2)
                continue;
            foreach (var tensor in new OnnxMessage(wrapper.Bytes))
            {
                if (tensor.Number != 1)
                    continue;
                var message = new OnnxMessage(tensor.Bytes);
                type = message.Integers(1) is [.., var element] ? (OnnxType)element : null;
                foreach (var shape in message)
                {
                    if (shape.Number == 2)
                        dimensions = ReadShape(new OnnxMessage(shape.Bytes));
                }
            }
        }

        return new OnnxValue(new OnnxMessage(content.Span).Text(1) ?? "", type, dimensions, content);
    }

    private static List<long> ReadShape(OnnxMessage shape)
    {
        List<long> dimensions = [];
        foreach (var dimension in shape)
        {
            if (dimension.Number != 1)
                continue;
            dimensions.Add(new OnnxMessage(dimension.Bytes).Integers(1) is [.., var size] ? size : -1);
        }

        return dimensions;
    }
}
