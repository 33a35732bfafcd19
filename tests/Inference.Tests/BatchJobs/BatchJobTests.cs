using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.BatchJobs;

[Collection(nameof(InferenceFixture))]
public sealed class BatchJobTests(InferenceFixture services)
{
    private static readonly PredictionLogging NoLog = new() { Mode = PredictionLogging.Types.Mode.None };

    private BatchClient Client => new(services.Channel(services.Inference.Grpc));

    [ServerFact]
    public async Task Every_row_is_scored_in_the_order_of_the_input_beside_its_id()
    {
        var csv = DelayRows.Csv(10_000);
        var lines = csv.Split('\n', StringSplitOptions.RemoveEmptyEntries)[1..];
        var client = Client;
        var input = await client.UploadAsync(csv);

        var job = await client.RunAsync(await SpecAsync(input));

        Assert.True(job.State == BatchJob.Types.State.Completed, job.Failure);
        Assert.Equal((10_000, 10_000, 10_000, 0), (job.Rows, job.RowsDone, job.RowsScored, job.RowsQuarantined));
        Assert.Equal((job.Partitions, 1), (job.PartitionsScored, job.ModelVersion));
        var result = (await client.DownloadAsync(job.JobId)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("row,id,prediction", result[0]);
        Assert.Equal(10_001, result.Length);
        Assert.Equal(job.ResultBytes, result.Sum(l => l.Length + 1));
        for (var row = 0; row < lines.Length; row++)
        {
            var fields = result[row + 1].Split(',');
            Assert.Equal($"{row + 1}", fields[0]);
            Assert.Equal($"f{row}", fields[1]);
            Assert.Equal(DelayRows.Expected(lines[row]), double.Parse(fields[2], CultureInfo.InvariantCulture), 1e-4);
        }
    }

    [ServerFact]
    public async Task Both_formats_and_the_request_path_answer_the_same_to_the_bit()
    {
        var csv = DelayRows.Csv(200);
        var client = Client;
        var spec = await SpecAsync(await client.UploadAsync(csv));
        var fromCsv = await client.ScoreAsync(spec);
        spec.FileFormat = BatchFormat.JsonLines;
        var asJson = await client.ScoreAsync(spec);
        spec.InputDigest = (await client.UploadAsync(DelayRows.JsonLines(csv), BatchFormat.JsonLines)).Digest;
        spec.ClearOutput();
        var fromJson = await client.ScoreAsync(spec);
        spec.FileFormat = BatchFormat.Csv;
        var jsonAsCsv = await client.ScoreAsync(spec);

        Assert.Equal(asJson, fromJson);
        Assert.Equal(fromCsv, jsonAsCsv);
        var rows = string.Join(',', DelayRows.JsonLines(csv).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        var reply = await services.Http.PostJsonAsync($"v1/models/{spec.Model}/predict", $"{{\"rows\":[{rows}]}}");
        var single = reply.Json.GetProperty("predictions").EnumerateArray().Select(p => (float)p.GetDouble());
        var batch = fromJson.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => (float)JsonDocument.Parse(line).RootElement.GetProperty("prediction").GetDouble());
        Assert.Equal(single, batch);
    }

    [ServerFact]
    public async Task Bad_rows_are_listed_with_line_and_reason_and_left_out()
    {
        const string Csv = """
            id,origin,distance,hour
            a,ATL,719,8

            b,ATL,near,8
            c,ORD,100,
            d,"O""RD",100,9
            "e
            e",LAX,5,1
            f,ATL,1
            g,"ATL"x,1,2
            h,ATL,1,Infinity
            i,ATL,,3
            """;
        var client = Client;
        var input = await client.UploadAsync(Csv);
        Assert.Equal((9, 4), (input.Rows, input.Columns.Count));
        var spec = await SpecAsync(input);
        spec.MaxBadShare = 0.6;

        var job = await client.RunAsync(spec);

        Assert.True(job.State == BatchJob.Types.State.Completed, job.Failure);
        Assert.Equal((4, 5), (job.RowsScored, job.RowsQuarantined));
        var bad = await client.QuarantineAsync(job.JobId);
        Assert.Equal(
            [
                (2, 4, "distance: must be a number", "b,ATL,near,8"),
                (3, 5, "hour: must not be missing", "c,ORD,100,"),
                (6, 9, "has 3 fields where the header has 4", "f,ATL,1"),
                (7, 10, "text after a closing quote", "g,\"ATL\"x,1,2"),
                (8, 11, "hour: must be finite FP32", "h,ATL,1,Infinity"),
            ],
            bad.Select(r => (r.Row, r.Line, r.Reason, r.Content)));
        Assert.Equal(
            ["row,id,prediction", "1,a,27.44", "4,d,22", "5,\"e", "e\",5.05", "9,i,15.25"],
            (await client.DownloadAsync(job.JobId)).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [ServerFact]
    public async Task A_job_with_more_bad_rows_than_allowed_fails_and_has_no_result()
    {
        var client = Client;
        var spec = await SpecAsync(await client.UploadAsync("id,origin,distance,hour\na,ATL,1,1\nb,ATL,x,1\nc,ATL,1,1\n"));
        spec.MaxBadShare = 0.3;

        var job = await client.RunAsync(spec);

        Assert.Equal(BatchJob.Types.State.Failed, job.State);
        Assert.Contains("1 of 3 rows are bad", job.Failure, StringComparison.Ordinal);
        Assert.Single(await client.QuarantineAsync(job.JobId));
        var refused = await Assert.ThrowsAsync<RpcException>(() => client.DownloadAsync(job.JobId));
        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
    }

    [ServerFact]
    public async Task Json_lines_may_lack_properties_have_more_of_them_and_be_broken_one_by_one()
    {
        const string Json = """
            {"id":1,"origin":"ATL","distance":719,"hour":8}
            {"hour":8,"origin":"ATL","surplus":[1,{"a":2}],"id":{"deep":[1, 2]},"distance":719.0}
            {"id":"x","origin":"ATL","hour":8}
            {"id":4,"origin":"ATL"}
            {"id":5,"origin":"ATL","hour":8
            {"id":6,"origin":"ATL","hour":8,"hour":9}
            {"id":7,"origin":17,"hour":8}
            ["id"]
            {"id":"\u00fc\n","origin":"A\u0054L","hour":8e0}
            """;
        var client = Client;
        var spec = await SpecAsync(await client.UploadAsync(Json, BatchFormat.JsonLines));
        spec.MaxBadShare = 1;

        var job = await client.RunAsync(spec);

        var bad = await client.QuarantineAsync(job.JobId);
        Assert.Equal([4, 5, 6, 7, 8], bad.Select(r => r.Row));
        Assert.Equal("hour: must not be missing", bad[0].Reason);
        Assert.StartsWith("is not valid JSON", bad[1].Reason, StringComparison.Ordinal);
        Assert.Equal("hour: is given twice", bad[2].Reason);
        Assert.Equal("origin: must be text", bad[3].Reason);
        Assert.Equal("must be a JSON object", bad[4].Reason);
        Assert.Equal(
            [
                """{"row":1,"id":1,"prediction":27.44}""", """{"row":2,"id":{"deep":[1, 2]},"prediction":27.44}""",
                """{"row":3,"id":"x","prediction":25.25}""", """{"row":9,"id":"ü\n","prediction":25.25}""",
            ],
            (await client.DownloadAsync(job.JobId)).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [ServerFact]
    public async Task The_version_is_pinned_when_the_job_is_made()
    {
        var client = Client;
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature);
        await services.RegisterAsync(model, Graphs.Times(2), Graphs.TimesSignature);
        await services.SetAliasAsync(model, "steady", 1);
        await Eventually.Async(
            async () => (await services.Http.GetAsync(new Uri($"v2/models/{model}/versions/steady/ready", UriKind.Relative))).IsSuccessStatusCode,
            TimeSpan.FromSeconds(30));
        var spec = new BatchJobSpec { Model = model, Version = "steady", InputDigest = (await client.UploadAsync("x\n3\n")).Digest, Log = NoLog };
        var job = await client.CreateAsync(spec);
        await services.SetAliasAsync(model, "steady", 2);

        Assert.Equal(1, job.ModelVersion);
        Assert.Equal("row,prediction\n1,3\n", await client.DownloadAsync((await client.EndAsync(job.JobId)).JobId));
    }

    [ServerFact]
    public async Task The_same_idempotency_key_makes_one_job_and_another_spec_is_refused()
    {
        var client = Client;
        var spec = await SpecAsync(await client.UploadAsync(DelayRows.Csv(3)));
        var key = Guid.NewGuid().ToString();
        var jobs = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => client.CreateAsync(spec, key)));
        Assert.Single(jobs.Select(j => j.JobId).Distinct());

        spec.MaxBadShare = 0.5;
        var refused = await Assert.ThrowsAsync<RpcException>(() => client.CreateAsync(spec, key));
        Assert.Equal("IDEMPOTENCY_KEY_REUSED", refused.Trailers.GetValue("mlops-code"));
    }

    [ServerFact]
    public async Task A_job_that_makes_no_sense_is_refused_with_every_rule_it_breaks()
    {
        var client = Client;
        var refused = await Assert.ThrowsAsync<RpcException>(() => client.CreateAsync(new BatchJobSpec
        {
            MaxBadShare = 2,
            KeepColumns = { "a", "a" },
            File = new FileInput { Path = "../secret" },
            Table = new TableOutput { Connection = "none", Table = "x; drop table y" },
            Log = new PredictionLogging { Mode = PredictionLogging.Types.Mode.Sampled },
        }));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        foreach (var field in new[] { "model", "max_bad_share", "keep_columns", "file", "file.format", "table.connection", "table.table", "log.rate" })
        {
            Assert.Contains($"{field}:", refused.Status.Detail, StringComparison.Ordinal);
        }

        var unknown = await Assert.ThrowsAsync<RpcException>(() => client.CreateAsync(new BatchJobSpec { Model = "none", InputDigest = $"sha256:{new string('0', 64)}" }));
        Assert.Equal("MODEL_NOT_FOUND", unknown.Trailers.GetValue("mlops-code"));
        var noInput = await SpecAsync(new BatchInput { Digest = $"sha256:{new string('0', 64)}" });
        var missing = await Assert.ThrowsAsync<RpcException>(() => client.CreateAsync(noInput));
        Assert.Equal("BATCH_INPUT_UNKNOWN", missing.Trailers.GetValue("mlops-code"));
    }

    [ServerFact]
    public async Task A_job_whose_columns_do_not_fit_fails_and_says_all_that_is_wrong()
    {
        var client = Client;
        var spec = await SpecAsync(await client.UploadAsync("id,distance\na,1\n"));
        spec.KeepColumns.Add("nothing");

        var job = await client.RunAsync(spec);

        Assert.Equal(BatchJob.Types.State.Failed, job.State);
        Assert.Contains("hour: is not a column of the input", job.Failure, StringComparison.Ordinal);
        Assert.Contains("origin: is not a column of the input", job.Failure, StringComparison.Ordinal);
        Assert.Contains("no column 'nothing'", job.Failure, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task An_upload_is_kept_once_by_its_digest_and_refused_when_it_has_another_one()
    {
        var client = Client;
        var first = await client.UploadAsync("x\n1\n");
        var second = await client.UploadAsync("x\n1\n", expectedDigest: first.Digest);
        Assert.Equal(first, second);

        foreach (var (text, code) in new[] { ("", "INPUT_HEADER"), ("x\n", "INPUT_EMPTY"), ("x,x\n1,2\n", "INPUT_HEADER"), ("\"x\n1\n", "INPUT_HEADER") })
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => client.UploadAsync(text));
            Assert.Equal((StatusCode.InvalidArgument, code), (refused.StatusCode, refused.Trailers.GetValue("mlops-code")));
        }

        var other = await Assert.ThrowsAsync<RpcException>(() => client.UploadAsync("x\n2\n", expectedDigest: first.Digest));
        Assert.Equal("INPUT_DIGEST", other.Trailers.GetValue("mlops-code"));
    }

    [ServerFact]
    public async Task A_matrix_input_takes_columns_by_index_or_an_array_and_gives_several_values_back()
    {
        var client = Client;
        var model = await services.NewModelAsync(Graphs.Echo(1), Graphs.EchoSignature("FP32"));
        var csv = new BatchJobSpec { Model = model, InputDigest = (await client.UploadAsync("x[1],x[0]\n2,1\n4.5,-3\n")).Digest, Log = NoLog };
        var json = new BatchJobSpec
        {
            Model = model,
            InputDigest = (await client.UploadAsync("{\"x\":[1,2]}\n{\"x\":[-3,4.5]}\n{\"x\":[1]}\n", BatchFormat.JsonLines)).Digest,
            Log = NoLog,
            MaxBadShare = 0.5,
        };

        Assert.Equal("row,y[0],y[1]\n1,1,2\n2,-3,4.5\n", await client.ScoreAsync(csv));
        Assert.Equal("{\"row\":1,\"y\":[1,2]}\n{\"row\":2,\"y\":[-3,4.5]}\n", await client.ScoreAsync(json));
    }

    [ServerFact]
    public async Task Over_rest_a_job_is_made_watched_downloaded_and_its_bad_rows_listed()
    {
        using var upload = new StringContent("id,origin,distance,hour\na,ATL,719,8\nb,ATL,719,x\n", Encoding.UTF8, "text/csv");
        using var uploaded = await services.Http.PostAsync(new Uri("v1/batch-inputs", UriKind.Relative), upload);
        Assert.Equal(HttpStatusCode.Created, uploaded.StatusCode);
        var digest = JsonDocument.Parse(await uploaded.Content.ReadAsStringAsync()).RootElement.GetProperty("digest").GetString();
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var key = Guid.NewGuid().ToString();
        var body = $$"""
            {"model":"{{model}}","input_digest":"{{digest}}","keep_columns":["id"],"max_bad_share":0.5,"log":{"mode":"MODE_NONE"} }
            """;
        var made = await services.Http.PostJsonAsync("v1/batch-jobs", body, ("Idempotency-Key", key));
        var again = await services.Http.PostJsonAsync("v1/batch-jobs", body, ("Idempotency-Key", key));
        Assert.Equal(HttpStatusCode.Created, made.Status);
        var id = made.Json.GetProperty("job_id").GetString();
        Assert.Equal(id, again.Json.GetProperty("job_id").GetString());
        Assert.Equal($"/v1/batch-jobs/{id}", made.Header("Location"));

        var watched = await services.Http.GetStringAsync(new Uri($"v1/batch-jobs/{id}/watch", UriKind.Relative));
        var last = JsonDocument.Parse(watched.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]).RootElement;
        Assert.Equal("STATE_COMPLETED", last.GetProperty("state").GetString());
        using var result = await services.Http.GetAsync(new Uri($"v1/batch-jobs/{id}/result", UriKind.Relative));
        Assert.Equal("text/csv", result.Content.Headers.ContentType?.MediaType);
        Assert.Equal("row,id,prediction\n1,a,27.44\n", await result.Content.ReadAsStringAsync());
        Assert.Contains("hour: must be a number", await services.Http.GetStringAsync(new Uri($"v1/batch-jobs/{id}/quarantine", UriKind.Relative)), StringComparison.Ordinal);
        Assert.Contains(id!, await services.Http.GetStringAsync(new Uri($"v1/batch-jobs?model={model}", UriKind.Relative)), StringComparison.Ordinal);

        using var gone = await services.Http.GetAsync(new Uri("v1/batch-jobs/none", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        var wrong = await services.Http.PostJsonAsync("v1/batch-jobs", """{"modell":"x"}""");
        Assert.Equal((HttpStatusCode.BadRequest, "JSON_INVALID"), (wrong.Status, wrong.Json.GetProperty("code").GetString()));
    }

    private async Task<BatchJobSpec> SpecAsync(BatchInput input) => new()
    {
        Model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature),
        InputDigest = input.Digest,
        KeepColumns = { "id" },
        Log = NoLog,
    };
}
