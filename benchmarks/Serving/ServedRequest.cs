using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Google.Protobuf;
using MlOps.Contracts.OpenInference;

namespace MlOps.Benchmarks.Serving;

/// <summary>Rows to predict, as the bodies load generators send.</summary>
internal static class ServedRequest
{
    public const string GrpcPath = "/inference.GRPCInferenceService/ModelInfer";
    public const string RestPath = $"/v2/models/{ServedModel.Name}/infer";

    public static ModelInferRequest Message(ReadOnlySpan<float> rows) => new()
    {
        ModelName = ServedModel.Name,
        Inputs =
        {
            new ModelInferRequest.Types.InferInputTensor
            {
                Name = ServedModel.Input, Datatype = "FP32", Shape = { rows.Length / ServedModel.Features, ServedModel.Features },
            },
        },
        RawInputContents = { ByteString.CopyFrom(MemoryMarshal.AsBytes(rows)) },
    };

    /// <summary>The message behind gRPC's prefix: not compressed, four bytes of length.</summary>
    public static byte[] Framed(ReadOnlySpan<float> rows)
    {
        var message = Message(rows);
        var framed = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), framed.Length - 5);
        message.WriteTo(framed.AsSpan(5));
        return framed;
    }

    public static string Json(ReadOnlySpan<float> rows)
    {
        var json = new StringBuilder(rows.Length * 12);
        json.Append(CultureInfo.InvariantCulture, $$"""{"inputs":[{"name":"{{ServedModel.Input}}","shape":[{{rows.Length / ServedModel.Features}},{{ServedModel.Features}}],"datatype":"FP32","data":[""");
        for (var i = 0; i < rows.Length; i++) json.Append(i == 0 ? "" : ",").Append(rows[i].ToString("R", CultureInfo.InvariantCulture));
        return json.Append("]}]}").ToString();
    }
}
