using Grpc.Core;
using MlOps.Contracts.OpenInference;

namespace MlOps.EndToEnd.Tests;

/// <summary>Requests that the demo's model answers, to be bent by tests.</summary>
internal static class Requests
{
    public const string Model = "flight-delay";

    /// <summary>What REST is told of a flight by its keys.</summary>
    public static Dictionary<string, object> Flight => new()
    {
        ["origin"] = "ATL",
        ["destination"] = "LAX",
        ["distance"] = 1946,
        ["departure_hour"] = 9.5,
        ["departure_weekday"] = 4,
    };

    private static readonly string[] Numbers =
    [
        "distance", "departure_hour", "departure_weekday", "origin_latitude", "origin_longitude", "destination_latitude",
        "destination_longitude", "origin_flights_24h", "origin_mean_delay_24h", "destination_flights_24h", "destination_mean_delay_24h",
    ];

    /// <summary>The same flight as tensors; needs nothing but Inference and the gateway.</summary>
    public static ModelInferRequest Tensors(string model = Model)
    {
        var request = new ModelInferRequest { ModelName = model };
        foreach (var text in new[] { "origin", "destination" })
        {
            request.Inputs.Add(new ModelInferRequest.Types.InferInputTensor
            {
                Name = text,
                Datatype = "BYTES",
                Shape = { 1, 1 },
                Contents = new InferTensorContents { BytesContents = { Google.Protobuf.ByteString.CopyFromUtf8("ATL") } },
            });
        }

        foreach (var number in Numbers)
        {
            request.Inputs.Add(new ModelInferRequest.Types.InferInputTensor
            {
                Name = number,
                Datatype = "FP32",
                Shape = { 1, 1 },
                Contents = new InferTensorContents { Fp32Contents = { 10 } },
            });
        }

        return request;
    }

    public static CallOptions Within(double seconds) =>
        new(deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(seconds));
}
