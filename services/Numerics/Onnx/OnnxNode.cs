using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Onnx;

/// <summary>One operation of a graph.</summary>
public sealed class OnnxNode
{
    // NodeProto: input 1, output 2, op_type 4, attribute 5, domain 7
    internal OnnxNode(ReadOnlyMemory<byte> content)
    {
        Content = content;
        var message = new OnnxMessage(content.Span);
        Inputs = message.Texts(1);
        Outputs = message.Texts(2);
        Operation = message.Text(4) ?? "";
        Domain = message.Text(7) ?? "";
        // AttributeProto: g 6, graphs 11
        foreach (var attribute in message)
        {
            if (attribute.Number != 5)
                continue;
            foreach (var part in new OnnxMessage(attribute.Bytes))
                HasGraph |= part.Number is 6 or 11;
        }
    }

    public string Operation { get; }

    /// <summary>Empty for ONNX's own.</summary>
    public string Domain { get; }

    /// <summary>Names of tensors; empty for one left out.</summary>
    public IReadOnlyList<string> Inputs { get; }

    public IReadOnlyList<string> Outputs { get; }

    /// <summary>Whether it holds graphs of its own, which may take tensors that are not among its inputs.</summary>
    public bool HasGraph { get; }

    /// <summary>NodeProto as it stands in the file.</summary>
    internal ReadOnlyMemory<byte> Content { get; }

    /// <summary>Whether it is that operation of ONNX's own domain.</summary>
    public bool Is(string operation) => Operation == operation && Domain is "" or "ai.onnx";

    /// <summary>Whether it is that operation of ai.onnx.ml.</summary>
    public bool IsMachineLearning(string operation) => Operation == operation && Domain == GraphBuilder.MachineLearning;

    public IEnumerable<string> Attributes
    {
        get
        {
            List<string> names = [];
            foreach (var item in new OnnxMessage(Content.Span))
            {
                if (item.Number == 5)
                    names.Add(new OnnxMessage(item.Bytes).Text(1) ?? "");
            }

            return names;
        }
    }

    public bool Has(string attribute)
    {
        foreach (var item in new OnnxMessage(Content.Span))
        {
            if (item.Number == 5 && new OnnxMessage(item.Bytes).Text(1) == attribute)
                return true;
        }

        return false;
    }

    public long? Integer(string attribute) => Find(attribute).Integers(3) is [.., var value] ? value : null;

    public float? Single(string attribute) => Find(attribute).Singles(2) is [.., var value] ? value : null;

    public string? Text(string attribute) => Find(attribute).Text(4);

    public IReadOnlyList<float> Singles(string attribute) => Find(attribute).Singles(7);

    public IReadOnlyList<long> Integers(string attribute) => Find(attribute).Integers(8);

    public IReadOnlyList<string> Texts(string attribute) => Find(attribute).Texts(9);

    /// <summary>The tensor of an attribute; null when there is none.</summary>
    public OnnxTensor? Tensor(string attribute)
    {
        foreach (var item in Find(attribute))
        {
            if (item.Number == 5)
                return OnnxTensor.Read(item.Bytes).Tensor;
        }

        return null;
    }

    // AttributeProto: name 1, f 2, i 3, s 4, t 5, floats 7, ints 8, strings 9
    private OnnxMessage Find(string attribute)
    {
        var found = new OnnxMessage([]);
        foreach (var item in new OnnxMessage(Content.Span))
        {
            if (item.Number == 5 && new OnnxMessage(item.Bytes).Text(1) == attribute)
                found = new OnnxMessage(item.Bytes);
        }

        return found;
    }
}
