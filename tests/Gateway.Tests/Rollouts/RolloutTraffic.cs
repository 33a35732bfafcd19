using System.Collections.Concurrent;
using Grpc.Core;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.OpenInference;

namespace MlOps.Gateway.Tests.Rollouts;

/// <summary>What one request came to; failure is null where it was answered.</summary>
internal sealed record Asked(int Door, TimeSpan Begun, double X, string Version, string Variant, string PredictionId, string? Failure);

/// <summary>
/// Callers who ask a model all the time, each with a new subject: by REST and gRPC in turn, over every gateway. What the answers
/// should have been is told to Monitoring when the test asks for it.
/// </summary>
internal sealed class RolloutTraffic : IAsyncDisposable
{
    private const int Callers = 4;
    private readonly RolloutPlatform _platform;
    private readonly string _model;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<Asked> _asked = new();
    private readonly Task[] _callers;
    private readonly int _doors;
    private int _labelled;

    public RolloutTraffic(RolloutPlatform platform, string model, int? doors = null)
    {
        _doors = doors ?? platform.Doors.Count;
        _platform = platform;
        _model = model;
        _callers = [.. Enumerable.Range(0, Callers).Select(caller => Task.Run(() => CallAsync(caller)))];
    }

    public IReadOnlyCollection<Asked> All => _asked;

    public IEnumerable<Asked> Failures => _asked.Where(a => a.Failure is not null);

    public static TimeSpan Now => TimeProvider.System.GetElapsedTime(0);

    /// <summary>What 2x + bias is compared with: 2x and something that no version knows, of variance one half.</summary>
    public static double Truth(double x) => (2 * x) + Math.Sin(1e5 * x);

    /// <summary>Labels of all answers so far that have none yet.</summary>
    public async Task LabelAsync()
    {
        var answered = _asked.ToArray();
        foreach (var chunk in answered.Skip(_labelled).Where(a => a.Failure is null).Chunk(5_000))
        {
            await _platform.Monitoring.SubmitLabelsAsync(
                new SubmitLabelsRequest { Labels = { chunk.Select(a => new Label { PredictionId = a.PredictionId, Value = Truth(a.X) }) } },
                deadline: Samples.Soon);
        }

        _labelled = answered.Length;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_callers);
        _stop.Dispose();
    }

    private async Task CallAsync(int caller)
    {
        var random = new Random(caller);
        for (var i = 0; !_stop.IsCancellationRequested; i++)
        {
            var door = (caller + (i / 2)) % _doors;
            var (x, subject, begun) = ((float)random.NextDouble(), $"{caller}-{i}", Now);
            try
            {
                var answer = i % 2 == 0 ? await RestAsync(door, x, subject) : await GrpcAsync(door, x, subject);
                _asked.Enqueue(answer with { Door = door, Begun = begun, X = x });
            }
            catch (Exception e) when (e is RpcException or HttpRequestException or TaskCanceledException)
            {
                _asked.Enqueue(new Asked(door, begun, x, "", VariantOf(e), "", e.Message));
            }

            // Two cores are shared by all of this.
            await Task.Delay(TimeSpan.FromMilliseconds(2));
        }
    }

    private async Task<Asked> RestAsync(int door, double x, string subject)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v2/models/{_model}/infer") { Content = RolloutDoor.Json(x) };
        request.Headers.Add("x-mlops-subject", subject);
        using var answer = await _platform.Doors[door].Rest.SendAsync(request);
        var failure = answer.IsSuccessStatusCode ? null : $"{answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}";
        return new Asked(
            door, default, x, One(answer, "x-mlops-model-version"), One(answer, "x-mlops-variant"), One(answer, "x-mlops-prediction-id"), failure);
    }

    private async Task<Asked> GrpcAsync(int door, double x, string subject)
    {
        using var call = _platform.Doors[door].Inference.ModelInferAsync(
            new ModelInferRequest
            {
                ModelName = _model,
                Inputs =
                {
                    new ModelInferRequest.Types.InferInputTensor
                    {
                        Name = "x", Datatype = "FP32", Shape = { 1, 1 }, Contents = new InferTensorContents { Fp32Contents = { (float)x } },
                    },
                },
            },
            Samples.Subject(subject), Samples.Soon);
        var headers = await call.ResponseHeadersAsync;
        await call;
        return new Asked(
            door, default, x, headers.GetValue("x-mlops-model-version") ?? "", headers.GetValue("x-mlops-variant") ?? "",
            headers.GetValue("x-mlops-prediction-id") ?? "", null);
    }

    private static string One(HttpResponseMessage answer, string header) =>
        answer.Headers.TryGetValues(header, out var values) ? values.Single() : "";

    private static string VariantOf(Exception e) => (e as RpcException)?.Trailers.GetValue("x-mlops-variant") ?? "";
}
