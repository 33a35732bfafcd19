using Google.Protobuf;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Monitoring.Tests;

/// <summary>Prediction records as Inference writes them.</summary>
internal static class Records
{
    public static readonly DateTimeOffset Noon = new(2020, 5, 17, 12, 0, 0, TimeSpan.Zero);

    /// <summary>One answered request with a prediction per row.</summary>
    public static PredictionRecord Of(
        string model, double[] predictions, string version = "1", string variant = "", DateTimeOffset? time = null,
        params Column[] inputs) => new()
        {
            PredictionId = ByteString.CopyFrom(Guid.NewGuid().ToByteArray(bigEndian: true)),
            Model = model,
            Version = version,
            Variant = variant,
            TimeMicros = Micros.From(time ?? Noon),
            Inputs = new Table { Columns = { inputs } },
            Predictions = { predictions },
            LatencyMicros = 700,
            Mode = "grpc",
        };

    public static Column Doubles(string name, params double[] values) =>
        new() { Name = name, Doubles = new DoubleValues { Values = { values } } };

    public static Column Texts(string name, params string[] values) =>
        new() { Name = name, Texts = new TextValues { Values = { values } } };

    /// <summary>The name of row <paramref name="row"/>'s prediction, as callers are told it.</summary>
    public static string IdOf(PredictionRecord record, int row) => $"{Convert.ToHexStringLower(record.PredictionId.Span)}.{row}";

    public static Label LabelOf(PredictionRecord record, int row, double value, DateTimeOffset? observedAt = null) => new()
    {
        PredictionId = IdOf(record, row),
        Value = value,
        ObservedAtMicros = observedAt is { } time ? Micros.From(time) : 0,
    };
}
