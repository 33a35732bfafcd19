using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Onnx;

/// <summary>The graph of an ONNX model, to be asked about and cut; the weights stay where they are in the file.</summary>
public sealed class OnnxGraph
{
    // ModelProto: graph 7; GraphProto: node 1, name 2, initializer 5, input 11, output 12
    private const int GraphField = 7;
    private const int NodeField = 1;
    private const int InitializerField = 5;
    private const int InputField = 11;
    private const int OutputField = 12;

    private readonly ReadOnlyMemory<byte> _model;
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _initializers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, OnnxNode> _makers = new(StringComparer.Ordinal);
    private readonly List<OnnxNode> _nodes = [];
    private readonly List<OnnxValue> _inputs = [];
    private readonly List<OnnxValue> _outputs = [];

    /// <summary>Reads a ModelProto; the bytes must not change afterwards.</summary>
    /// <exception cref="InvalidDataException">Not an ONNX model, or a broken one.</exception>
    public OnnxGraph(ReadOnlyMemory<byte> model)
    {
        _model = model;
        foreach (var part in new OnnxMessage(model.Span))
        {
            if (part.Number != GraphField)
                continue;
            foreach (var item in new OnnxMessage(part.Bytes))
                Add(item);
        }

        _inputs.RemoveAll(input => _initializers.ContainsKey(input.Name));
    }

    /// <summary>In an order they can run in.</summary>
    public IReadOnlyList<OnnxNode> Nodes => _nodes;

    /// <summary>What is to be fed; constants that are declared as inputs too are not among them.</summary>
    public IReadOnlyList<OnnxValue> Inputs => _inputs;

    public IReadOnlyList<OnnxValue> Outputs => _outputs;

    /// <summary>The operation that gives a tensor; null for an input or a constant.</summary>
    public OnnxNode? MakerOf(string tensor) => _makers.GetValueOrDefault(tensor);

    /// <summary>The operations that take a tensor.</summary>
    public IEnumerable<OnnxNode> TakersOf(string tensor) => _nodes.Where(node => node.Inputs.Contains(tensor));

    /// <summary>The value of a tensor that is the same for all inputs; null when it is none.</summary>
    public OnnxTensor? ConstantOf(string tensor)
    {
        if (_initializers.TryGetValue(tensor, out var content))
            return OnnxTensor.Read(content.Span).Tensor;
        if (MakerOf(tensor) is not { } node || !node.Is("Constant"))
            return null;
        return node.Tensor("value")
            ?? (node.Has("value_floats") ? OnnxTensor.Of(node.Singles("value_floats"))
            : node.Has("value_ints") ? OnnxTensor.Of(node.Integers("value_ints"))
            : node.Single("value_float") is { } single ? OnnxTensor.Of([single])
            : node.Integer("value_int") is { } integer ? OnnxTensor.Of([integer])
            : null);
    }

    /// <summary>
    /// The part of the model that leads to some tensors, as a model of its own: what is in <paramref name="fed"/> is fed
    /// to it and not computed, the graph's own inputs stay as far as they are needed.
    /// </summary>
    /// <exception cref="NotSupportedException">An operation holds a graph: what that takes cannot be seen from outside.</exception>
    /// <exception cref="InvalidDataException">A tensor comes from nowhere.</exception>
    public byte[] Extract(IReadOnlyList<OnnxValue> fed, IReadOnlyList<string> outputs)
    {
        var (nodes, sources) = Trace(fed, outputs);
        var inputs = fed.Concat(_inputs.Where(input => fed.All(value => value.Name != input.Name)))
            .Where(value => sources.Contains(value.Name));
        var declared = _outputs.ToDictionary(output => output.Name, StringComparer.Ordinal);
        var writer = new OnnxWriter();
        foreach (var part in new OnnxMessage(_model.Span))
        {
            if (part.Number != GraphField)
                writer.Field(part);
        }

        writer.Message(GraphField, graph =>
        {
            foreach (var node in _nodes.Where(nodes.Contains))
                graph.Bytes(NodeField, node.Content.Span);
            graph.Text(2, "part");
            foreach (var (name, content) in _initializers)
            {
                if (sources.Contains(name))
                    graph.Bytes(InitializerField, content.Span);
            }

            foreach (var input in inputs)
                graph.Bytes(InputField, input.Content.Span);
            foreach (var output in outputs)
            {
                // ONNX Runtime infers the type of one that is not declared.
                if (declared.TryGetValue(output, out var value))
                    graph.Bytes(OutputField, value.Content.Span);
                else graph.Message(OutputField, undeclared => undeclared.Text(1, output));
            }
        });
        return writer.Written.ToArray();
    }

    /// <summary>The inputs of the graph that a tensor depends on.</summary>
    /// <exception cref="NotSupportedException">An operation on the way holds a graph.</exception>
    public IReadOnlyList<OnnxValue> InputsOf(string tensor)
    {
        var (_, sources) = Trace([], [tensor]);
        return [.. _inputs.Where(input => sources.Contains(input.Name))];
    }

    private (HashSet<OnnxNode> Nodes, HashSet<string> Sources) Trace(IReadOnlyList<OnnxValue> fed, IReadOnlyList<string> outputs)
    {
        var nodes = new HashSet<OnnxNode>();
        var sources = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>(outputs);
        while (open.TryPop(out var tensor))
        {
            if (tensor.Length == 0)
                continue;
            if (fed.Any(value => value.Name == tensor) || MakerOf(tensor) is not { } maker)
            {
                sources.Add(tensor);
                continue;
            }

            if (maker.HasGraph)
                throw new NotSupportedException($"Operation {maker.Operation} holds a graph of its own.");
            if (!nodes.Add(maker))
                continue;
            foreach (var input in maker.Inputs)
                open.Push(input);
        }

        var unknown = sources.FirstOrDefault(source => !_initializers.ContainsKey(source)
            && _inputs.Concat(fed).All(input => input.Name != source));
        return unknown is null ? (nodes, sources) : throw new InvalidDataException($"Tensor '{unknown}' comes from nowhere.");
    }

    private void Add(OnnxMessage.Field item)
    {
        if (item.Number is not (NodeField or InitializerField or InputField or OutputField))
            return;
        if (!_model.Span.Overlaps(item.Bytes, out var offset) && !item.Bytes.IsEmpty)
            throw new InvalidOperationException("A field lies within its message.");
        var content = _model.Slice(offset, item.Bytes.Length);
        switch (item.Number)
        {
            case NodeField:
                var node = new OnnxNode(content);
                _nodes.Add(node);
                foreach (var output in node.Outputs)
                {
                    if (output.Length > 0 && !_makers.TryAdd(output, node))
                        throw new InvalidDataException($"Tensor '{output}' is made twice.");
                }

                break;
            case InitializerField:
                // TensorProto: name 8
                _initializers[new OnnxMessage(item.Bytes).Text(8) ?? ""] = content;
                break;
            case InputField:
                _inputs.Add(OnnxValue.Read(content));
                break;
            default:
                _outputs.Add(OnnxValue.Read(content));
                break;
        }
    }
}
