using System.Globalization;
using System.Runtime.CompilerServices;
using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Replays;

/// <summary>
/// Runs logged requests on a version again, each with its own rows as it was asked, so that the same version gives the
/// same bits; nothing of it is logged. So many at once as the options say, the next one is refused.
/// </summary>
internal sealed class ReplayPredictions(
    ModelHost host, IOptions<InferenceOptions> options, TimeProvider time, MonitoringService.MonitoringServiceClient? monitoring = null)
    : IDisposable
{
    private const int PageSize = 500;
    private const string NotLogged = "it is not in the log of this model";
    private static readonly TimeSpan PageTimeout = TimeSpan.FromSeconds(30);
    private readonly SemaphoreSlim _turns = new(options.Value.MaxReplays);

    /// <returns>Parts as they come, from the first that has a replayed prediction on; the last has the summary.</returns>
    /// <exception cref="InvalidRequestException">REPLAY_INVALID.</exception>
    /// <exception cref="ConflictException">REPLAY_IMPOSSIBLE: not one of the predictions can be run, and why.</exception>
    /// <exception cref="NotFoundException">MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND.</exception>
    /// <exception cref="RpcException">
    /// ResourceExhausted, REPLAYS_BUSY; Unavailable, REPLAYS_UNAVAILABLE, and where the version or Monitoring is; what Monitoring says.
    /// </exception>
    public async IAsyncEnumerable<ReplayResponse> ReplayAsync(ReplayRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        ReplayRequests.Check(request);
        if (monitoring is null)
        {
            throw ModelUnavailable.Because("REPLAYS_UNAVAILABLE", "Predictions cannot be replayed: services:monitoring:grpc:0 is not set.");
        }

        if (!_turns.Wait(0, ct))
        {
            throw new RpcException(
                new Status(StatusCode.ResourceExhausted, $"{options.Value.MaxReplays} replays are under way; try again when one has ended."),
                new Metadata { { "mlops-code", "REPLAYS_BUSY" } });
        }

        try
        {
            using var lease = await host.AcquireAsync(request.Model, request.Version, ct);
            var model = lease.Model;
            var totals = new ReplayTotals(request.HasThreshold ? request.Threshold : null);
            var held = new List<ReplayResponse>();
            await foreach (var page in PagesAsync(request, ct))
            {
                var part = new ReplayResponse { Version = model.VersionText };
                foreach (var id in page.Missing) Skip(part, id, "", totals, NotLogged);
                foreach (var record in page.Records)
                {
                    ct.ThrowIfCancellationRequested();
                    Replay(record, model, RowsOf(request, record), part, totals);
                }

                if (part.Predictions.Count > 0) held.Add(part);
                if (totals.Count == 0) continue;
                foreach (var one in held) yield return one;
                held.Clear();
            }

            if (totals is { Count: 0, Skipped: > 0 }) throw Impossible(model, totals.Skipped, held[0].Predictions[0]);
            yield return new ReplayResponse { Version = model.VersionText, Summary = totals.ToSummary(model.Outputs[0].Name) };
        }
        finally
        {
            _turns.Release();
        }
    }

    private async IAsyncEnumerable<GetPredictionsResponse> PagesAsync(ReplayRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        var left = request.SampleSize == 0 ? ReplayRequests.DefaultSample : request.SampleSize;
        var asked = new GetPredictionsRequest();
        if (request.PredictionIds.Count > 0)
        {
            asked.PredictionIds.Add(request.PredictionIds);
            left = int.MaxValue;
        }
        else
        {
            (asked.Model, asked.Version) = (request.Model, request.LoggedVersion);
            (asked.FromMicros, asked.ToMicros) = (request.FromMicros, request.ToMicros);
            (asked.Shuffled, asked.Seed) = (true, request.Seed);
        }

        while (true)
        {
            asked.PageSize = Math.Min(PageSize, left);
            var page = await monitoring!.GetPredictionsAsync( // Asked for before.
                asked, deadline: (time.GetUtcNow() + PageTimeout).UtcDateTime, cancellationToken: ct);
            // What is not there is said with every page.
            if (asked.PageToken.Length > 0) page.Missing.Clear();
            yield return page;
            left -= page.Records.Count;
            if (page.NextPageToken.Length == 0 || left <= 0) yield break;
            asked.PageToken = page.NextPageToken;
        }
    }

    // Rows asked for by name; null: all of them.
    private static HashSet<int>? RowsOf(ReplayRequest request, PredictionRecord record)
    {
        if (request.PredictionIds.Count == 0) return null;
        var rows = new HashSet<int>();
        var id = IdOf(record);
        foreach (var name in request.PredictionIds)
        {
            if (!name.StartsWith(id, StringComparison.OrdinalIgnoreCase)) continue;
            if (name.Length == id.Length) return null;
            rows.Add(int.Parse(name.AsSpan(id.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture));
        }

        return rows;
    }

    private static void Replay(PredictionRecord record, LoadedModel model, HashSet<int>? wanted, ReplayResponse part, ReplayTotals totals)
    {
        var id = IdOf(record);
        var rows = record.Predictions.Count;
        if (record.Model != model.Model)
        {
            // Whose it is, is for nobody who may ask of this model alone.
            Skip(part, id, "", totals, NotLogged);
            return;
        }

        using var workspace = model.RentWorkspace(0);
        if ((LoggedInputs.TryFill(workspace, record.Inputs, rows) ?? TryRun(model, workspace)) is { } reason)
        {
            Skip(part, id, record.Version, totals, reason);
            return;
        }

        var output = workspace.Outputs[0];
        var width = output.Count / rows;
        for (var row = 0; row < rows; row++)
        {
            if (wanted?.Contains(row) == false) continue;
            var (logged, replayed) = (record.Predictions[row], output.NumberAt(row * width));
            var name = string.Create(CultureInfo.InvariantCulture, $"{id}.{row}");
            totals.Add(name, logged, replayed);
            part.Predictions.Add(new ReplayedPrediction
            {
                PredictionId = name,
                LoggedVersion = record.Version,
                Logged = logged,
                Replayed = replayed,
                Difference = replayed - logged,
            });
        }

        foreach (var row in wanted?.Where(row => row >= rows) ?? [])
        {
            Skip(part, string.Create(CultureInfo.InvariantCulture, $"{id}.{row}"), record.Version, totals, $"it is beyond the request's {rows} rows");
        }
    }

    private static string? TryRun(LoadedModel model, Workspace workspace)
    {
        try
        {
            model.Backend.Run(workspace.Inputs, workspace.Outputs);
            return workspace.Outputs.Length == 0 || workspace.Outputs[0].Count < workspace.Rows ? "the version has no number per row" : null;
        }
        catch (InvalidRequestException e)
        {
            return e.Message;
        }
    }

    private static void Skip(ReplayResponse part, string id, string version, ReplayTotals totals, string reason)
    {
        totals.Skipped++;
        part.Predictions.Add(new ReplayedPrediction
        {
            PredictionId = id,
            LoggedVersion = version,
            Logged = double.NaN,
            Replayed = double.NaN,
            Difference = double.NaN,
            Skipped = reason,
        });
    }

    private static ConflictException Impossible(LoadedModel model, long count, ReplayedPrediction first) => new(
        "REPLAY_IMPOSSIBLE",
        string.Create(
            CultureInfo.InvariantCulture,
            $"Nothing of {count} can be replayed on version {model.Version} of model '{model.Model}': prediction {first.PredictionId}: {first.Skipped}."));

    private static string IdOf(PredictionRecord record) => Convert.ToHexStringLower(record.PredictionId.Span);

    public void Dispose() => _turns.Dispose();
}
