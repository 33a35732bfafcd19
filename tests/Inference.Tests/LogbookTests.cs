using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Inference.Models;
using MlOps.Inference.Models.Backends;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Assignment;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Tests;

public sealed class LogbookTests : IDisposable
{
    private static readonly Call Rest = new("rest", "", "", "", 0);
    private readonly string _folder = Directory.CreateTempSubdirectory("logbook-").FullName;
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public void Dispose()
    {
        _services.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Of_the_answers_those_are_kept_whose_id_is_in_the_sample_and_they_say_so()
    {
        var model = Model(new LogSettings { Rate = 0.3 });
        var ids = Ids(500);

        var records = Records(logbook => Array.ForEach(ids, id => Answer(logbook, model, id)));

        Assert.Equal(ids.Where(id => SampleHash.Place(id) < 0.3), records.Select(IdOf));
        Assert.All(records, r => Assert.Equal(0.3, r.SamplingRate));
    }

    [Fact]
    public void A_flagged_answer_is_kept_whatever_the_rate_and_stands_for_itself_alone()
    {
        var model = Model(new LogSettings { Rate = 0 });

        var records = Records(logbook =>
        {
            Answer(logbook, model, Ids(1)[0]);
            Answer(logbook, model, Ids(1)[0], workspace => workspace.Flags.AddRange(["range:distance", "stale:hour"]));
        });

        var flagged = Assert.Single(records);
        Assert.Equal(["range:distance", "stale:hour"], flagged.Flags);
        Assert.Equal(0, flagged.SamplingRate);
    }

    [Fact]
    public void A_shadows_answer_is_kept_where_its_live_one_is()
    {
        var model = Model(new LogSettings { Rate = 0.5 });
        var (live, shadows) = (Ids(200), Ids(200));

        var records = Records(logbook =>
        {
            for (var i = 0; i < live.Length; i++) Answer(logbook, model, shadows[i], call: Rest with { ShadowOf = live[i] });
        });

        Assert.Equal(live.Where(id => SampleHash.Place(id) < 0.5), records.Select(r => new Guid(r.ShadowOf.Span, bigEndian: true)));
    }

    [Fact]
    public void A_failure_is_kept_whatever_the_rate_with_the_rows_that_were_read()
    {
        var model = Model(new LogSettings { Rate = 0 });

        var records = Records(logbook =>
        {
            using var workspace = model.RentWorkspace(0);
            Give(workspace, "distance", 3, 3);
            Give(workspace, "hour", 3, 2);
            workspace.Flags.Add("range:hour");
            logbook.AddFailure(workspace, Rest with { Variant = "canary" }, new InvalidRequestException("INPUT_INVALID", "hour"));
        });

        var failure = Assert.Single(records);
        Assert.Equal(("INPUT_INVALID", "m", "7", "canary"), (failure.Failure, failure.Model, failure.Version, failure.Variant));
        Assert.Empty(failure.Predictions);
        Assert.Equal(["range:hour"], failure.Flags);
        Assert.Equal(["distance", "hour"], failure.Inputs.Columns.Select(c => c.Name));
        Assert.Equal([0.5, 1.5], failure.Inputs.Columns[0].Doubles.Values);
        Assert.Equal([0.5, 1.5], failure.Inputs.Columns[1].Doubles.Values);
        Assert.Equal(0, failure.SamplingRate);
    }

    [Fact]
    public void Of_a_failure_before_any_value_the_record_has_no_columns()
    {
        var model = Model(new LogSettings());

        var records = Records(logbook =>
        {
            using (var workspace = model.RentWorkspace(0))
            {
                Give(workspace, "distance", 1 << 20, 0);
                logbook.AddFailure(workspace, Rest, new OperationCanceledException());
            }

            // The same workspace again: nothing of the request before may show.
            using (var workspace = model.RentWorkspace(0)) logbook.AddFailure(workspace, Rest, new InvalidOperationException());
        });

        Assert.Equal(["CANCELLED", "INTERNAL"], records.Select(r => r.Failure));
        Assert.All(records, r => Assert.Empty(r.Inputs.Columns));
    }

    [Fact]
    public void A_failure_with_more_values_than_a_message_carries_is_kept_without_them()
    {
        var model = Model(new LogSettings());

        var records = Records(
            logbook =>
            {
                using var workspace = model.RentWorkspace(0);
                Give(workspace, "distance", 100, 100);
                logbook.AddFailure(workspace, Rest, new InvalidRequestException("TOO_MANY_VALUES", ""));
            },
            new InferenceOptions { MaxRequestValues = 99 });

        Assert.Equal("TOO_MANY_VALUES", records.Single().Failure);
        Assert.Null(records.Single().Inputs);
    }

    [Fact]
    public void A_request_that_fails_after_it_was_decided_on_is_not_kept_twice()
    {
        var all = Model(new LogSettings());
        var none = Model(new LogSettings { Rate = 0 });

        var records = Records(logbook =>
        {
            foreach (var model in (LoadedModel[])[all, none])
            {
                Answer(logbook, model, Ids(1)[0], after: workspace => logbook.AddFailure(workspace, Rest, new IOException("the caller is gone")));
            }

            Assert.False(logbook.AddFailure(null, Rest, new NotFoundException("MODEL_NOT_FOUND", "")));
        });

        Assert.Equal("", Assert.Single(records).Failure);
    }

    [Fact]
    public void Of_personal_inputs_texts_are_hashed_under_the_key_and_numbers_left_out()
    {
        var key = RandomNumberGenerator.GetBytes(32);
        var model = Model(new LogSettings { Masked = ["hour", "name"] });

        var records = Records(
            logbook =>
            {
                using var workspace = model.RentWorkspace(0);
                Give(workspace, "distance", 4, 4);
                Give(workspace, "hour", 4, 4);
                foreach (var text in (string[])["name", "city"])
                {
                    Assert.True(Begin(workspace, text, 4).TryAppendText("Zürich"u8));
                    foreach (var more in (string[])["Ada", "Zürich", ""]) workspace.Find(text)!.TryAppendText(Encoding.UTF8.GetBytes(more));
                }

                workspace.Check(new Violations());
                logbook.AddAnswer(workspace, Rest, Ids(1)[0], DateTimeOffset.UnixEpoch);
            },
            new InferenceOptions { MaskingKey = Convert.ToBase64String(key) });

        var columns = records.Single().Inputs.Columns;
        Assert.Equal(["distance", "name", "city"], columns.Select(c => c.Name));
        Assert.Equal([Hashed("Zürich"), Hashed("Ada"), Hashed("Zürich"), ""], columns[1].Texts.Values);
        Assert.Equal(["Zürich", "Ada", "Zürich", ""], columns[2].Texts.Values);

        string Hashed(string text) =>
            PredictionRecord.MaskedPrefix + Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)))[..32];
    }

    [Fact]
    public void Without_a_configured_key_one_is_made_once_for_the_owner_alone()
    {
        var first = new byte[MaskingKey.MaskedLength];
        var second = new byte[MaskingKey.MaskedLength];

        Parallel.For(0, 8, _ => Key().Mask("Ada"u8, new byte[MaskingKey.MaskedLength]));
        Key().Mask("Ada"u8, first);
        Key().Mask("Ada"u8, second);

        Assert.Equal(first, second);
        var file = Assert.Single(Directory.GetFiles(_folder));
        Assert.Equal(32, new FileInfo(file).Length);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    [Fact]
    public void The_named_models_masks_come_on_top_of_the_defaults()
    {
        var book = new ModelSettingsBook(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Inference:Defaults:Log:Rate"] = "0.5",
            ["Inference:Defaults:Log:Masked:0"] = "name",
            ["Inference:Models:delay:Log:Masked:0"] = "hour",
        }).Build());
        var wrong = new ConfigurationBuilder().AddInMemoryCollection(
            [KeyValuePair.Create("Inference:Models:delay:Log:Rate", (string?)"1.5")]).Build();

        Assert.Equal(["name", "hour"], book.Of("delay").Log.Masked);
        Assert.Equal(0.5, book.Of("delay").Log.Rate);
        Assert.Equal(["name"], book.Of("other").Log.Masked);
        Assert.Contains("Inference:Models:delay:Log", Assert.Throws<InvalidOperationException>(() => new ModelSettingsBook(wrong)).Message, StringComparison.Ordinal);
    }

    /// <summary>What a logbook of its own leaves in its journal.</summary>
    private List<PredictionRecord> Records(Action<Logbook> log, InferenceOptions? options = null)
    {
        var configured = Options.Create(options ?? new InferenceOptions());
        var telemetry = new InferenceTelemetry(_services.GetRequiredService<IMeterFactory>(), TimeProvider.System);
        var journal = new Journal(Storage, configured, telemetry, TimeProvider.System, NullLogger<Journal>.Instance);
        using (journal)
        {
            using var payloads = new PayloadSink(Key(options), telemetry, configured, NullLogger<PayloadSink>.Instance);
            log(new Logbook(journal, payloads, Key(options), telemetry, configured, TimeProvider.System));
            journal.Close();
            return journal.TakeOldest() is { } segment
                ? [.. PredictionBatch.Parser.ParseFrom(File.ReadAllBytes(segment.Path)).Records]
                : [];
        }
    }

    private IConfiguration Storage => new ConfigurationBuilder().AddInMemoryCollection(
        [KeyValuePair.Create("Storage:Folder", (string?)_folder)]).Build();

    private MaskingKey Key(InferenceOptions? options = null) => new(Storage, Options.Create(options ?? new InferenceOptions()));

    private static LoadedModel Model(LogSettings log)
    {
        (string Name, string Datatype)[] inputs = [("distance", "FP32"), ("hour", "FP32"), ("name", "BYTES"), ("city", "BYTES")];
        return new LoadedModel(
            "m", 7, "", new ModelSettings { Log = log }, new NoBackend(),
            [.. inputs.Select(i => new TensorLayout(i.Name, Datatype.Named(i.Datatype)!, [-1, 1], false, log.Masked.Contains(i.Name)))], []);
    }

    private static void Answer(
        Logbook logbook, LoadedModel model, Guid id, Action<Workspace>? before = null, Call? call = null, Action<Workspace>? after = null)
    {
        using var workspace = model.RentWorkspace(0);
        workspace.FillForWarmUp();
        before?.Invoke(workspace);
        logbook.AddAnswer(workspace, call ?? Rest, id, DateTimeOffset.UnixEpoch);
        after?.Invoke(workspace);
    }

    private static void Give(Workspace workspace, string input, int rows, int values)
    {
        var slot = Begin(workspace, input, rows);
        for (var i = 0; i < values; i++) slot.Append(i + 0.5f);
    }

    private static InputSlot Begin(Workspace workspace, string input, int rows)
    {
        var slot = workspace.Find(input)!;
        Assert.True(slot.TryBegin(new Violations()) && slot.TryShape(slot.Layout.Datatype.Name, [rows, 1], new Violations()));
        return slot;
    }

    private static Guid[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => Guid.CreateVersion7())];

    private static Guid IdOf(PredictionRecord record) => new(record.PredictionId.Span, bigEndian: true);

    private sealed class NoBackend : IModelBackend
    {
        public string Name => "none";

        public void Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
