using System.Runtime.InteropServices;

namespace MlOps.Numerics.Onnx;

/// <summary>
/// Builds one ONNX model: IR 8, opset 17, ai.onnx.ml 3, which ONNX Runtime has read since 1.12. Nodes are written in
/// the order they are added, and that must be an order they can run in.
/// </summary>
public sealed class GraphBuilder(string name)
{
    public const string MachineLearning = "ai.onnx.ml";

    private const int IrVersion = 8;
    private const int Opset = 17;
    private const int MachineLearningOpset = 3;
    private const string RowsDimension = "N";

    private readonly List<Action<OnnxWriter>> _nodes = [];
    private readonly List<Action<OnnxWriter>> _initializers = [];
    private readonly List<Action<OnnxWriter>> _inputs = [];
    private readonly List<Action<OnnxWriter>> _outputs = [];
    private readonly SortedDictionary<string, string> _metadata = new(StringComparer.Ordinal);

    /// <summary>A tensor of N rows and <paramref name="columns"/> columns to be fed.</summary>
    public GraphBuilder Input(string tensor, OnnxType type, int columns)
    {
        _inputs.Add(value => WriteValue(value, tensor, type, columns));
        return this;
    }

    /// <summary>A tensor of N rows and <paramref name="columns"/> columns to be fetched.</summary>
    public GraphBuilder Output(string tensor, OnnxType type, int columns)
    {
        _outputs.Add(value => WriteValue(value, tensor, type, columns));
        return this;
    }

    /// <summary>A tensor of N values to be fetched.</summary>
    public GraphBuilder Output(string tensor, OnnxType type)
    {
        _outputs.Add(value => WriteValue(value, tensor, type, null));
        return this;
    }

    /// <summary>A constant int64 vector.</summary>
    public GraphBuilder Constant(string tensor, params long[] values)
    {
        // TensorProto: dims 1, data_type 2, name 8, raw_data 9 (little-endian)
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("Tensors are written on little-endian machines only.");
        _initializers.Add(constant => constant
            .Integers(1, [values.Length])
            .Integer(2, (int)OnnxType.Int64)
            .Text(8, tensor)
            .Bytes(9, MemoryMarshal.AsBytes(values.AsSpan())));
        return this;
    }

    /// <summary>A constant float32 tensor.</summary>
    /// <param name="tensor">Its name.</param>
    /// <param name="dimensions">Its shape; empty: a single number.</param>
    /// <param name="values">Row-major.</param>
    public GraphBuilder Constant(string tensor, IReadOnlyList<long> dimensions, IEnumerable<float> values)
    {
        // TensorProto: float_data 4
        _initializers.Add(constant => constant
            .Integers(1, dimensions)
            .Integer(2, (int)OnnxType.Float)
            .Singles(4, values)
            .Text(8, tensor));
        return this;
    }

    /// <summary>An operation; the node is named after its output.</summary>
    public GraphBuilder Node(
        string operation, IEnumerable<string> inputs, string output, string domain = "",
        OnnxAttributes? attributes = null) => Node(operation, inputs, [output], domain, attributes);

    /// <summary>An operation of several outputs; the node is named after the first.</summary>
    public GraphBuilder Node(
        string operation, IEnumerable<string> inputs, IReadOnlyList<string> outputs, string domain = "",
        OnnxAttributes? attributes = null)
    {
        // NodeProto: input 1, output 2, name 3, op_type 4, attribute 5, domain 7
        _nodes.Add(node =>
        {
            node.Texts(1, inputs).Texts(2, outputs).Text(3, outputs[0]).Text(4, operation);
            attributes?.Write(node, 5);
            if (domain.Length > 0)
                node.Text(7, domain);
        });
        return this;
    }

    /// <summary>A line of text carried inside the model; written in ordinal order of the keys.</summary>
    public GraphBuilder Metadata(string key, string value)
    {
        _metadata[key] = value;
        return this;
    }

    /// <summary>The bytes of the whole model (ModelProto); the same for the same calls.</summary>
    public byte[] Build()
    {
        // ModelProto: ir_version 1, producer_name 2, graph 7, opset_import 8 {domain 1, version 2}, metadata_props 14
        var model = new OnnxWriter()
            .Integer(1, IrVersion)
            .Text(2, "MlOps.Aspire")
            .Message(7, WriteGraph)
            .Message(8, opset => opset.Text(1, "").Integer(2, Opset))
            .Message(8, opset => opset.Text(1, MachineLearning).Integer(2, MachineLearningOpset));
        foreach (var (key, value) in _metadata)
            model.Message(14, entry => entry.Text(1, key).Text(2, value));
        return model.Written.ToArray();
    }

    private void WriteGraph(OnnxWriter graph)
    {
        // GraphProto: node 1, name 2, initializer 5, input 11, output 12
        foreach (var node in _nodes)
            graph.Message(1, node);
        graph.Text(2, name);
        foreach (var initializer in _initializers)
            graph.Message(5, initializer);
        foreach (var input in _inputs)
            graph.Message(11, input);
        foreach (var output in _outputs)
            graph.Message(12, output);
    }

    private static void WriteValue(OnnxWriter value, string tensor, OnnxType type, int? columns) =>
        // ValueInfoProto: name 1, type 2 {tensor_type 1 {elem_type 1, shape 2 {dim 1 {dim_value 1, dim_param 2}}}}
        value.Text(1, tensor).Message(2, wrapper => wrapper.Message(1, tensorType => tensorType
            .Integer(1, (int)type)
            .Message(2, shape =>
            {
                shape.Message(1, rows => rows.Text(2, RowsDimension));
                if (columns is { } size)
                    shape.Message(1, width => width.Integer(1, size));
            })));
}
