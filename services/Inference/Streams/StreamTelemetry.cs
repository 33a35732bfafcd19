using System.Diagnostics.Metrics;

namespace MlOps.Inference.Streams;

/// <summary>Instruments of stream scoring.</summary>
internal sealed class StreamTelemetry
{
    public StreamTelemetry(InferenceTelemetry inference)
    {
        var meter = inference.Meter;
        Messages = meter.CreateCounter<long>("mlops.inference.stream.messages", "{message}", "Messages of streams, by model and outcome");
        Batches = meter.CreateHistogram<int>("mlops.inference.stream.batch", "{message}", "Messages scored together");
    }

    public Counter<long> Messages { get; }

    public Histogram<int> Batches { get; }

    public void Count(string model, string outcome, int messages)
    {
        if (messages > 0) Messages.Add(messages, new("model", model), new("outcome", outcome));
    }
}
