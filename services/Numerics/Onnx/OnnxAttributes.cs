namespace MlOps.Numerics.Onnx;

/// <summary>The attributes of one node, in the order they are added (AttributeProto).</summary>
public sealed class OnnxAttributes
{
    // AttributeProto: name 1, f 2, i 3, s 4, floats 7, ints 8, strings 9, type 20
    private const int TypeField = 20;

    private readonly List<Action<OnnxWriter>> _written = [];

    public OnnxAttributes Integer(string name, long value) => Add(name, 2, attribute => attribute.Integer(3, value));

    public OnnxAttributes Text(string name, string value) => Add(name, 3, attribute => attribute.Text(4, value));

    public OnnxAttributes Singles(string name, IEnumerable<float> values) =>
        Add(name, 6, attribute => attribute.Singles(7, values));

    public OnnxAttributes Integers(string name, IEnumerable<long> values) =>
        Add(name, 7, attribute => attribute.Integers(8, values));

    public OnnxAttributes Texts(string name, IEnumerable<string> values) =>
        Add(name, 8, attribute => attribute.Texts(9, values));

    public OnnxAttributes Single(string name, float value) => Add(name, 1, attribute => attribute.Single(2, value));

    internal void Write(OnnxWriter node, int field)
    {
        foreach (var write in _written)
            node.Message(field, write);
    }

    private OnnxAttributes Add(string name, int type, Action<OnnxWriter> write)
    {
        _written.Add(attribute =>
        {
            attribute.Text(1, name);
            write(attribute);
            attribute.Integer(TypeField, type);
        });
        return this;
    }
}
