using System.Globalization;
using Google.Protobuf;
using MlOps.Contracts.OpenInference;

namespace MlOps.Clients;

/// <summary>An input of one value a row.</summary>
internal sealed record Tensor(string Name, string Datatype, object[] Values)
{
    /// <summary><c>origin=BYTES:ATL,JFK</c></summary>
    /// <exception cref="FormatException">It is not of this form, or a value not of the datatype.</exception>
    public static Tensor Parse(string argument)
    {
        if (argument.Split('=', 2) is not [var name, var rest] || rest.Split(':', 2) is not [var datatype, var values])
        {
            throw new FormatException($"'{argument}' must be INPUT=DATATYPE:VALUE[,VALUE…]");
        }

        return new Tensor(name, datatype, [.. values.Split(',').Select(value => ValueOf(datatype, value))]);
    }

    /// <summary>As the typed contents of the gRPC protocol.</summary>
    public InferTensorContents ToContents()
    {
        var contents = new InferTensorContents();
        foreach (var value in Values)
        {
            switch (value)
            {
                case float v: contents.Fp32Contents.Add(v); break;
                case double v: contents.Fp64Contents.Add(v); break;
                case int v: contents.IntContents.Add(v); break;
                case long v: contents.Int64Contents.Add(v); break;
                case uint v: contents.UintContents.Add(v); break;
                case ulong v: contents.Uint64Contents.Add(v); break;
                case bool v: contents.BoolContents.Add(v); break;
                case string v: contents.BytesContents.Add(ByteString.CopyFromUtf8(v)); break;
            }
        }

        return contents;
    }

    private static object ValueOf(string datatype, string value) => datatype switch
    {
        "FP32" => float.Parse(value, CultureInfo.InvariantCulture),
        "FP64" => double.Parse(value, CultureInfo.InvariantCulture),
        "INT8" or "INT16" or "INT32" => int.Parse(value, CultureInfo.InvariantCulture),
        "INT64" => long.Parse(value, CultureInfo.InvariantCulture),
        "UINT8" or "UINT16" or "UINT32" => uint.Parse(value, CultureInfo.InvariantCulture),
        "UINT64" => ulong.Parse(value, CultureInfo.InvariantCulture),
        "BOOL" => bool.Parse(value),
        "BYTES" => value,
        _ => throw new FormatException($"'{datatype}' is no datatype this client sends"),
    };
}
