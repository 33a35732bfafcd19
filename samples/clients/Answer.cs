namespace MlOps.Clients;

/// <summary>What a model answered, numbers as doubles: what JSON and Protocol Buffers both hold exactly.</summary>
/// <param name="Way">Protocol it came by.</param>
/// <param name="Version">Version that answered.</param>
/// <param name="PredictionId">Names the prediction in the log, for labels and questions.</param>
/// <param name="Outputs">Values of each output, row-major.</param>
internal sealed record Answer(string Way, string Version, string PredictionId, IReadOnlyDictionary<string, object[]> Outputs)
{
    public bool IsEqualTo(Answer other) =>
        Outputs.Count == other.Outputs.Count
        && Outputs.All(output => other.Outputs.TryGetValue(output.Key, out var values) && output.Value.SequenceEqual(values));
}
