using System.Diagnostics;
using System.Diagnostics.Metrics;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;

namespace MlOps.Inference;

/// <summary>The service's source of traces and its instruments; no payloads, and no names a caller invents.</summary>
internal sealed class InferenceTelemetry : IDisposable
{
    public const string SourceName = "MlOps.Inference";
    private readonly ActivitySource _source = new(SourceName);
    private readonly Counter<long> _requests;
    private readonly Histogram<double> _duration;
    private readonly Histogram<int> _runRows;
    private readonly Histogram<double> _wait;
    private readonly Counter<long> _recalls;
    private readonly TimeProvider _time;

    public InferenceTelemetry(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        Meter = meters.Create(SourceName);
        _requests = Meter.CreateCounter<long>("mlops.inference.requests", "{request}", "Prediction requests by outcome");
        _duration = Meter.CreateHistogram<double>("mlops.inference.duration", "s", "Time from arrival to answer");
        _runRows = Meter.CreateHistogram<int>("mlops.inference.batch.rows", "{row}", "Rows of the run a request shared");
        _wait = Meter.CreateHistogram<double>("mlops.inference.batch.wait", "s", "Time in line for a run");
        _recalls = Meter.CreateCounter<long>("mlops.inference.cache", "{request}", "Requests of models with a response cache, by result");
    }

    public Meter Meter { get; }

    public Activity? StartPredict(LoadedModel model, Call call)
    {
        var activity = _source.StartActivity("predict");
        if (activity is null) return null;
        activity.SetTag("model", model.Model);
        activity.SetTag("version", model.VersionText);
        activity.SetTag("variant", call.Variant);
        return activity;
    }

    public void CountAnswer(LoadedModel model, Call call)
    {
        Count(model.Model, model.VersionText, call, "OK");
        _duration.Record(
            _time.GetElapsedTime(call.StartedAt).TotalSeconds,
            new("model", model.Model), new("version", model.VersionText), new("protocol", call.Protocol));
    }

    /// <summary>A request of a version whose requests share runs was in one.</summary>
    public void CountRun(LoadedModel model, int rows, TimeSpan wait)
    {
        _runRows.Record(rows, new("model", model.Model), new("version", model.VersionText));
        _wait.Record(wait.TotalSeconds, new("model", model.Model), new("version", model.VersionText));
    }

    /// <summary>A request of a version that keeps answers was looked for among them.</summary>
    public void CountRecall(LoadedModel model, bool isKept) => _recalls.Add(
        1, new("model", model.Model), new("version", model.VersionText), new("result", isKept ? "hit" : "miss"));

    public void CountFailure(LoadedModel? model, Call call, string code)
    {
        model?.Counts.AddFailure(_time.GetElapsedTime(call.StartedAt));
        Count(model?.Model ?? "", model?.VersionText ?? "", call, code);
    }

    private void Count(string model, string version, Call call, string code) => _requests.Add(
        1, new TagList
        {
            { "model", model }, { "version", version }, { "variant", call.Variant }, { "protocol", call.Protocol }, { "code", code },
        });

    public void Dispose() => _source.Dispose();
}
