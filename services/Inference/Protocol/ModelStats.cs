using MlOps.Contracts.OpenInference;
using MlOps.Inference.Guards;
using MlOps.Inference.Models;

namespace MlOps.Inference.Protocol;

/// <summary>
/// A version's statistics as the protocol names them. The queue is the line for a shared run. Answers that were
/// kept are successes, with nothing queued or computed.
/// </summary>
internal sealed record ModelStats(
    string Name, string Version, long LastInference, long InferenceCount, long ExecutionCount, ModelStats.Durations InferenceStats,
    IReadOnlyList<ModelStats.Batch> BatchStats, IReadOnlyList<ModelStats.Memory> MemoryUsage, IEnumerable<DecisionCount> GuardStats)
{
    public static ModelStats Of(LoadedModel model)
    {
        var totals = model.Counts.Read();
        return new ModelStats(
            model.Model, model.VersionText, totals.LastInference?.ToUnixTimeMilliseconds() ?? 0, totals.Rows, totals.Runs,
            new Durations(
                Duration.Of(totals.Success), Duration.Of(totals.Failure), Duration.Of(totals.Wait),
                Duration.Of(totals.Preparation), Duration.Of(totals.Computation), Duration.Of(totals.Output),
                Duration.Of(totals.CacheHit), Duration.Of(totals.CacheMiss)),
            [.. totals.SharedRuns.Select(run => new Batch(run.Key, Duration.Of(run.Value)))], [new Memory("CPU", 0, model.Bytes)],
            model.Decisions.Read());
    }

    public ModelStatistics ToMessage() => new()
    {
        Name = Name,
        Version = Version,
        LastInference = (ulong)LastInference,
        InferenceCount = (ulong)InferenceCount,
        ExecutionCount = (ulong)ExecutionCount,
        InferenceStats = new InferStatistics
        {
            Success = InferenceStats.Success.ToMessage(),
            Fail = InferenceStats.Fail.ToMessage(),
            Queue = InferenceStats.Queue.ToMessage(),
            ComputeInput = InferenceStats.ComputeInput.ToMessage(),
            ComputeInfer = InferenceStats.ComputeInfer.ToMessage(),
            ComputeOutput = InferenceStats.ComputeOutput.ToMessage(),
            CacheHit = InferenceStats.CacheHit.ToMessage(),
            CacheMiss = InferenceStats.CacheMiss.ToMessage(),
        },
        BatchStats = { BatchStats.Select(batch => batch.ToMessage()) },
        MemoryUsage = { MemoryUsage.Select(memory => memory.ToMessage()) },
    };

    /// <summary>How often, and nanoseconds in all.</summary>
    internal sealed record Duration(long Count, long Ns)
    {
        public static Duration Of(CountedTime counted) => new(counted.Count, counted.Time.Ticks * TimeSpan.NanosecondsPerTick);

        public StatisticDuration ToMessage() => new() { Count = (ulong)Count, Ns = (ulong)Ns };
    }

    /// <summary>Shared runs of that many rows. Inputs and outputs are each request's own.</summary>
    internal sealed record Batch(int BatchSize, Duration ComputeInfer)
    {
        public InferBatchStatistics ToMessage() => new() { BatchSize = (ulong)BatchSize, ComputeInfer = ComputeInfer.ToMessage() };
    }

    /// <summary>Memory of a kind, estimated.</summary>
    internal sealed record Memory(string Type, long Id, long ByteSize)
    {
        public MemoryUsage ToMessage() => new() { Type = Type, Id = Id, ByteSize = (ulong)ByteSize };
    }

    internal sealed record Durations(
        Duration Success, Duration Fail, Duration Queue, Duration ComputeInput, Duration ComputeInfer, Duration ComputeOutput,
        Duration CacheHit, Duration CacheMiss);
}
