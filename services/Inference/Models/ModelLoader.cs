using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using MlOps.Contracts.Registry.V1;
using MlOps.Inference.Guards;
using MlOps.Inference.Models.Backends;
using MlOps.Inference.Predictions;
using MlOps.Inference.Responses;
using MlOps.Numerics.Profiles;

namespace MlOps.Inference.Models;

/// <summary>Makes a registered version ready to predict: fetched, checked against its signature and run once.</summary>
internal sealed partial class ModelLoader(
    RegistryService.RegistryServiceClient registry, ArtifactCache artifacts, ModelSettingsBook settings, TimeProvider time,
    ILogger<ModelLoader> logger)
    : IDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);
    private static readonly (int Rows, int Seed)[] WarmUpRuns = [(1, 0), (1, 1), (1, 2), (16, 3), (64, 4)];
    private readonly SemaphoreSlim _turns = new(2);

    public async Task<LoadedModel> LoadAsync(string model, int version, CancellationToken ct)
    {
        await _turns.WaitAsync(ct);
        try
        {
            var started = time.GetTimestamp();
            var entry = await registry.GetModelVersionAsync(
                new GetModelVersionRequest { Model = model, Version = version },
                deadline: (time.GetUtcNow() + CallTimeout).UtcDateTime, cancellationToken: ct);
            var content = await artifacts.ReadAsync(entry.ArtifactDigest, ct);
            var profile = await ReadProfileAsync(entry.ProfileDigest, ct);
            var loaded = await Task.Run(() => Open(entry, content, settings.Of(model), profile, time), ct);
            LogLoaded(model, version, time.GetElapsedTime(started).TotalMilliseconds, loaded.Choice.Backend, loaded.Choice.Reason);
            return loaded;
        }
        finally
        {
            _turns.Release();
        }
    }

    private async Task<ReferenceProfile?> ReadProfileAsync(string digest, CancellationToken ct)
    {
        if (digest.Length == 0) return null;
        var json = await artifacts.ReadAsync(digest, ct);
        try
        {
            return ReferenceProfile.FromJson(json);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"Artifact {digest} is no reference profile: {e.Message}");
        }
    }

    /// <exception cref="InvalidDataException">The file is not the model its signature describes, or its backend cannot compute it.</exception>
    internal static LoadedModel Open(
        ModelVersion entry, byte[] content, ModelSettings settings, ReferenceProfile? profile = null, TimeProvider? time = null)
    {
        var session = OnnxSessions.Open(content, settings.Onnx);
        IModelBackend? backend = null;
        try
        {
            var inputs = LayoutsOf("input", session.InputMetadata, entry.Signature.Inputs, settings.Log.Masked);
            var outputs = LayoutsOf("output", session.OutputMetadata, entry.Signature.Outputs, []);
            var parts = new GraphParts(content, inputs, outputs);
            var onnx = new OnnxBackend(entry.Model, session, inputs, outputs);
            backend = onnx;
            (backend, var choice) = ChooseBackend.Of(entry.Model, settings, parts, onnx, profile, time ?? TimeProvider.System);
            var (explainable, notExplainable) = TakeApart(parts);
            var loaded = new LoadedModel(entry.Model, entry.Version, entry.FeatureService, settings, backend, inputs, outputs)
            {
                Choice = choice,
                Bytes = ModelMemory.Of(content.Length, backend, parts, settings.Onnx),
                Profile = profile,
                Explainable = explainable,
                NotExplainable = notExplainable,
                Cache = ResponseCache.Of(settings.Cache, time ?? TimeProvider.System),
                Guard = InputGuard.Of(inputs, profile, settings.Guard),
                FeatureRules = FeatureRule.Of(inputs, profile, settings.Features),
            };
            WarmUp(loaded, profile);
            loaded.ShareRuns(time ?? TimeProvider.System);
            return loaded;
        }
        catch
        {
            if (backend is null) session.Dispose();
            else backend.Dispose();
            throw;
        }
    }

    // With rows as in training, or one of zeros and empty texts where nobody knows: what cannot answer them is not served.
    private static void WarmUp(LoadedModel loaded, ReferenceProfile? profile)
    {
        using var workspace = loaded.RentWorkspace(0);
        if (profile is null)
        {
            workspace.FillForWarmUp();
            loaded.Backend.Run(workspace.Inputs, workspace.Outputs);
            return;
        }

        var rows = new ProbeRows(loaded.Inputs, profile);
        foreach (var (count, seed) in WarmUpRuns) loaded.Backend.Run(rows.Likely(count, seed), workspace.Outputs);
    }

    private static (Explainable? Explainable, string WhyNot) TakeApart(GraphParts parts)
    {
        try
        {
            return (ExplainableReader.Read(parts), "");
        }
        catch (Exception e) when (e is NotSupportedException or InvalidDataException)
        {
            return (null, e.Message);
        }
    }

    private static TensorLayout[] LayoutsOf(
        string kind, IReadOnlyDictionary<string, NodeMetadata> graph, IReadOnlyList<TensorSpec> signature, string[] masked)
    {
        var surplus = graph.Keys.Except(signature.Select(spec => spec.Name)).FirstOrDefault();
        if (kind == "input" && surplus is not null) throw Mismatch(kind, surplus, "is not in the signature");
        return
        [
            .. signature.Select(spec => LayoutOf(
                kind, spec.Name,
                graph.GetValueOrDefault(spec.Name) ?? throw Mismatch(kind, spec.Name, "is not in the graph"), spec, masked)),
        ];
    }

    private static TensorLayout LayoutOf(string kind, string name, NodeMetadata node, TensorSpec spec, string[] masked)
    {
        if (!node.IsTensor) throw Mismatch(kind, name, "is not a tensor");
        var datatype = Datatype.Of(node.ElementDataType)
            ?? throw Mismatch(kind, name, $"has element type {node.ElementDataType}, which is not served");
        if (spec.Datatype != datatype.Name)
        {
            throw Mismatch(kind, name, $"is {datatype.Name} in the graph and {spec.Datatype} in the signature");
        }

        if (spec.Shape.Count != node.Dimensions.Length)
        {
            throw Mismatch(kind, name, $"has {node.Dimensions.Length} dimensions in the graph and {spec.Shape.Count} in the signature");
        }

        return new TensorLayout(name, datatype, [.. spec.Shape], spec.Nullable, spec.Personal || masked.Contains(name));
    }

    private static InvalidDataException Mismatch(string kind, string name, string what) => new($"{kind} '{name}' {what}");

    public void Dispose() => _turns.Dispose();

    [LoggerMessage(Level = LogLevel.Information, Message = "Model {Model} version {Version} is ready after {Milliseconds:0} ms, computed by {Backend}: {Reason}")]
    private partial void LogLoaded(string model, int version, double milliseconds, string backend, string reason);
}
