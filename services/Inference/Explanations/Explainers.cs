using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Explanations;

/// <summary>Explains requests of any loaded version; what was made for a version goes with it.</summary>
internal sealed class Explainers
{
    private readonly ConditionalWeakTable<LoadedModel, ModelExplainer> _models = [];
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _rows;
    private readonly TimeProvider _time;

    public Explainers(InferenceTelemetry telemetry, TimeProvider time)
    {
        _time = time;
        _duration = telemetry.Meter.CreateHistogram<double>("mlops.inference.explain.duration", "s", "Time to explain a request");
        _rows = telemetry.Meter.CreateCounter<long>("mlops.inference.explain.rows", "{row}", "Explained rows, from the cache or computed");
    }

    /// <summary>Decides how the request is explained. Dispose gives back what it holds.</summary>
    /// <exception cref="InvalidRequestException">It cannot be explained as asked; see <see cref="ModelExplainer.Plan"/>.</exception>
    public ExplanationPlan Plan(LoadedModel model, Workspace workspace, ExplainOptions options) => Of(model).Plan(options, workspace.Rows);

    public Explanation Explain(LoadedModel model, Workspace workspace, ExplanationPlan plan, CancellationToken ct)
    {
        var started = _time.GetTimestamp();
        var (explanation, cached) = plan.Explain(workspace.Inputs, workspace.Rows, Of(model).Cache, ct);
        _duration.Record(
            _time.GetElapsedTime(started).TotalSeconds,
            new("model", model.Model), new("version", model.VersionText), new("method", explanation.Method));
        Count(model, "hit", cached);
        Count(model, "miss", workspace.Rows - cached);
        return explanation;
    }

    private ModelExplainer Of(LoadedModel model) => _models.GetValue(model, static loaded => new ModelExplainer(loaded));

    private void Count(LoadedModel model, string cache, int rows)
    {
        if (rows > 0) _rows.Add(rows, new("model", model.Model), new("version", model.VersionText), new("cache", cache));
    }
}
