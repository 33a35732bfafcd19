using System.Collections.Concurrent;
using MlOps.Inference.Batching;
using MlOps.Inference.Guards;
using MlOps.Inference.Models.Backends;
using MlOps.Inference.Predictions;
using MlOps.Inference.Responses;
using MlOps.Numerics.Profiles;

namespace MlOps.Inference.Models;

/// <summary>
/// One model version in memory. Whoever holds a lease may use it; it is freed when the host has let go of it
/// and the last lease is returned.
/// </summary>
internal sealed class LoadedModel(
    string model, int version, string featureService, ModelSettings settings, IModelBackend backend, TensorLayout[] inputs,
    TensorLayout[] outputs)
    : IDisposable
{
    /// <summary>Before every timestamp.</summary>
    public const long Never = long.MinValue;
    private const int MaxKeptWorkspaces = 32;
    private readonly ConcurrentQueue<Workspace> _workspaces = [];
    private int _leases = 1;
    private int _keptWorkspaces;
    private long _lastUsed = Never;

    public string Model { get; } = model;

    public int Version { get; } = version;

    public string VersionText { get; } = version.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Feature service whose features the model takes; empty: none.</summary>
    public string FeatureService { get; } = featureService;

    public ModelSettings Settings { get; } = settings;

    public TensorLayout[] Inputs { get; } = inputs;

    public TensorLayout[] Outputs { get; } = outputs;

    /// <summary>What computes it.</summary>
    public IModelBackend Backend { get; } = backend;

    /// <summary>Why that computes it, and what was measured.</summary>
    public BackendChoice Choice { get; init; } = new(backend.Name, "");

    /// <summary>Bytes of memory it takes, estimated as <see cref="ModelMemory"/> says.</summary>
    public long Bytes { get; init; }

    /// <summary>What inputs and answers looked like in training; null: the version was registered without.</summary>
    public ReferenceProfile? Profile { get; init; }

    /// <summary>The model taken apart for exact explanations; null: it cannot be, and <see cref="NotExplainable"/> says why.</summary>
    public Explainable? Explainable { get; init; }

    /// <summary>Why there is no exact explanation; empty when there is.</summary>
    public string NotExplainable { get; init; } = "";

    /// <summary>What was found at load about requests sharing runs.</summary>
    public BatchVerdict Batching { get; private set; } = BatchVerdict.Alone("not tried");

    /// <summary>Where requests share runs; null: they do not.</summary>
    public Batcher? Batcher { get; private set; }

    /// <summary>Answers kept for the same inputs; null: none are.</summary>
    public ResponseCache? Cache { get; init; }

    /// <summary>Holds inputs against the profile; null: there is nothing to hold them against, or no check is on.</summary>
    public InputGuard? Guard { get; init; }

    /// <summary>What becomes of a looked-up feature that is missing or stale, one per input.</summary>
    public FeatureRule[] FeatureRules { get; init; } = [];

    /// <summary>What guard and rules decided since it was loaded.</summary>
    public DecisionCounts Decisions { get; } = new();

    /// <summary>What it did since it was loaded.</summary>
    public InferenceCounts Counts { get; } = new();

    /// <summary>Timestamp of the last lease; <see cref="Never"/>: there was none.</summary>
    public long LastUsed => Volatile.Read(ref _lastUsed);

    /// <summary>Once, before it is served: finds out whether requests may share runs, and has them share.</summary>
    public void ShareRuns(TimeProvider time)
    {
        Batching = BatchProof.Of(this, time);
        if (Batching.MaxRows > 0) Batcher = new Batcher(this, Batching, time);
    }

    public bool TryLease(long now)
    {
        var seen = Volatile.Read(ref _leases);
        while (seen > 0)
        {
            var before = Interlocked.CompareExchange(ref _leases, seen + 1, seen);
            if (before == seen)
            {
                Volatile.Write(ref _lastUsed, now);
                return true;
            }

            seen = before;
        }

        return false;
    }

    /// <summary>Returns a lease; the host's own counts as one.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _leases) == 0) Dispose();
    }

    /// <param name="now">Timestamp from which its work counts.</param>
    public Workspace RentWorkspace(long now)
    {
        if (_workspaces.TryDequeue(out var workspace)) Interlocked.Decrement(ref _keptWorkspaces);
        else workspace = new Workspace(this);
        workspace.RentedAt = now;
        return workspace;
    }

    public void Return(Workspace workspace)
    {
        if (Interlocked.Increment(ref _keptWorkspaces) <= MaxKeptWorkspaces) _workspaces.Enqueue(workspace);
        else Interlocked.Decrement(ref _keptWorkspaces);
    }

    /// <summary>Frees it at once; for others than the last holder of a lease there is <see cref="Release"/>.</summary>
    public void Dispose()
    {
        Batcher?.Dispose();
        Backend.Dispose();
    }
}

/// <summary>The right to use a loaded model until disposed.</summary>
internal readonly struct ModelLease(LoadedModel model) : IDisposable
{
    public LoadedModel Model => model;

    public void Dispose() => model.Release();
}
