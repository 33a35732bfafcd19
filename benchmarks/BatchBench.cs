using System.Diagnostics;
using System.Globalization;
using System.Text;
using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Benchmarks.Serving;
using MlOps.Contracts.Inference.V1;
using MlOps.Numerics.Trees;

namespace MlOps.Benchmarks;

/// <summary>
/// A batch job from file to file, of 200 trees of depth 6 over 10 features, beside the evaluator alone in this process on one
/// thread and on as many as the job has.
/// </summary>
internal static class BatchBench
{
    private const int Rows = 500_000;
    private const int Chunk = 4_096;
    private const int Rounds = 3;
    private const int Threads = 2;

    public static async Task RunAsync(CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("mlops-bench-batch-").FullName;
        try
        {
            await using var servers = new ServerSet();
            var server = await servers.StartInferenceAsync(
                "batch job", ct, ("ConnectionStrings__inferencedb", (await servers.PostgresAsync(ct)).NewDatabase()),
                ("Inference__Batch__InputFolder", folder), ("Inference__Batch__ConcurrentPartitions", $"{Threads}"));
            await MeasureAsync(servers.Model, server, folder, ct);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task MeasureAsync(ServedModel model, Server server, string folder, CancellationToken ct)
    {
        var random = new Random(1);
        float[] rows = [.. Enumerable.Range(0, Rows * ServedModel.Features).Select(_ => random.NextSingle())];
        await WriteAsync(Path.Combine(folder, "rows.csv"), rows, ct);
        using var channel = GrpcChannel.ForAddress(server.Grpc);
        var jobs = new BatchScoringService.BatchScoringServiceClient(channel);
        var expected = model.Predict(rows);

        var first = await ScoreAsync(jobs, logged: false, ct);
        await CheckAsync(jobs, first.Id, expected, ct);
        var evaluator = new TreeEvaluator(model.Ensemble);
        var (alone, together, job, logged) = (0d, 0d, 0d, 0d);
        // Turn by turn, so that what else the machine does falls on all of them; the best round counts.
        for (var round = 0; round < Rounds; round++)
        {
            alone = Math.Max(alone, Rate(() => Evaluate(evaluator, rows, 0, Rows)));
            together = Math.Max(together, Rate(() => Parallel.For(
                0, Threads, t => Evaluate(evaluator, rows, Rows / Threads * t, Rows / Threads * (t + 1)))));
            job = Math.Max(job, Rows / (await ScoreAsync(jobs, logged: false, ct)).Seconds);
            logged = Math.Max(logged, Rows / (await ScoreAsync(jobs, logged: true, ct)).Seconds);
        }

        Console.WriteLine($"\nBatch job: {Rows:N0} rows of CSV, {ServedModel.Features} features, 200 trees of depth 6; every answer checked");
        Console.WriteLine($"  evaluator in process, 1 thread    {alone,12:N0} rows/s");
        Console.WriteLine($"  evaluator in process, {Threads} threads   {together,12:N0} rows/s");
        Console.WriteLine($"  job, file to file                 {job,12:N0} rows/s   {job / alone:0.00} of one thread, {job / together:0.00} of {Threads}");
        Console.WriteLine($"  job, every row in the log         {logged,12:N0} rows/s   {logged / alone:0.00} of one thread, {logged / together:0.00} of {Threads}");
    }

    private static async Task WriteAsync(string path, float[] rows, CancellationToken ct)
    {
        await using var file = new StreamWriter(path, append: false, Encoding.UTF8, 1 << 20);
        await file.WriteLineAsync(string.Join(',', Enumerable.Range(0, ServedModel.Features).Select(i => $"{ServedModel.Input}[{i}]")));
        var line = new StringBuilder();
        for (var row = 0; row < Rows; row++)
        {
            line.Clear().AppendJoin(',', Enumerable.Range(row * ServedModel.Features, ServedModel.Features).Select(i => rows[i].ToString(CultureInfo.InvariantCulture)));
            await file.WriteLineAsync(line, ct);
        }
    }

    private static async Task<(string Id, double Seconds)> ScoreAsync(
        BatchScoringService.BatchScoringServiceClient jobs, bool logged, CancellationToken ct)
    {
        var started = Stopwatch.GetTimestamp();
        var job = await jobs.CreateBatchJobAsync(
            new CreateBatchJobRequest
            {
                Spec = new BatchJobSpec
                {
                    Model = ServedModel.Name,
                    File = new FileInput { Path = "rows.csv", Format = BatchFormat.Csv },
                    Log = new PredictionLogging { Mode = logged ? PredictionLogging.Types.Mode.All : PredictionLogging.Types.Mode.None },
                },
            },
            cancellationToken: ct);
        using var watch = jobs.WatchBatchJob(new GetBatchJobRequest { JobId = job.JobId }, cancellationToken: ct);
        await foreach (var now in watch.ResponseStream.ReadAllAsync(ct)) job = now;
        return job.State == BatchJob.Types.State.Completed
            ? (job.JobId, Stopwatch.GetElapsedTime(started).TotalSeconds)
            : throw new BenchException($"The job has not completed: {job.State} {job.Failure}");
    }

    private static async Task CheckAsync(
        BatchScoringService.BatchScoringServiceClient jobs, string id, float[] expected, CancellationToken ct)
    {
        using var content = new MemoryStream();
        using var download = jobs.DownloadBatchResult(new DownloadBatchResultRequest { JobId = id }, cancellationToken: ct);
        await foreach (var part in download.ResponseStream.ReadAllAsync(ct)) content.Write(part.Chunk.Span);
        content.Position = 0;
        using var lines = new StreamReader(content);
        await lines.ReadLineAsync(ct);
        for (var row = 0; row < Rows; row++)
        {
            var fields = (await lines.ReadLineAsync(ct))?.Split(',') ?? [];
            if (fields.Length != 2 || fields[0] != $"{row + 1}"
                || Math.Abs(float.Parse(fields[1], CultureInfo.InvariantCulture) - expected[row]) > 1e-5 * Math.Max(1, Math.Abs(expected[row])))
            {
                throw new BenchException($"Row {row + 1} is answered {string.Join(',', fields)}, not {expected[row]}.");
            }
        }
    }

    private static void Evaluate(TreeEvaluator evaluator, float[] rows, int from, int to)
    {
        var predictions = new float[Chunk];
        for (var at = from; at < to; at += Chunk)
        {
            var count = Math.Min(Chunk, to - at);
            evaluator.Predict(rows.AsSpan(at * ServedModel.Features, count * ServedModel.Features), predictions.AsSpan(0, count));
        }
    }

    private static double Rate(Action work)
    {
        var started = Stopwatch.GetTimestamp();
        work();
        return Rows / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
