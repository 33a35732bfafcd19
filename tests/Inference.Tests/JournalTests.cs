using System.Diagnostics.Metrics;
using Google.Protobuf;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Inference.PredictionLog;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

public sealed class JournalTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("journal-").FullName;
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public void Dispose()
    {
        _services.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_segment_is_a_batch_and_a_torn_last_record_is_cut_off()
    {
        PredictionBatch whole = new() { Records = { Record(1), Record(2, 5_000) } };
        string path;
        using (var journal = Open())
        {
            foreach (var record in whole.Records) journal.Append(Framed(record));
            journal.Close();
            path = journal.TakeOldest()!.Path;
        }

        Assert.Equal(whole, PredictionBatch.Parser.ParseFrom(File.ReadAllBytes(path)));
        var id = Guid.ParseExact(Path.GetFileNameWithoutExtension(path), "N");
        var torn = Framed(Record(3, 5_000));
        for (var length = 1; length < torn.Length; length += 611)
        {
            using (var file = new FileStream(path, FileMode.Append)) file.Write(torn.AsSpan(0, length));
            using var recovered = Open();
            var segment = recovered.TakeOldest();
            Assert.Equal((id, 2), (segment!.Id, segment.Records));
            Assert.Equal(whole, PredictionBatch.Parser.ParseFrom(File.ReadAllBytes(path)));
        }
    }

    [Fact]
    public void What_a_killed_process_leaves_are_the_whole_records_and_neither_zeros_nor_a_copy_cut_short()
    {
        PredictionBatch whole = new() { Records = { Record(1), Record(2, 300) } };
        string left;
        using (var journal = Open())
        {
            foreach (var record in whole.Records) journal.Append(Framed(record));
            left = Directory.EnumerateFiles(_folder, "*.batch", SearchOption.AllDirectories).Single();
            // As the kernel has it while the segment is open, and so when the process is killed.
            File.Copy(left, left + ".copy");
        }

        File.Move(left + ".copy", left, overwrite: true);
        var cutShort = Framed(Record(3, 200)).AsSpan(1, 150);
        using (var file = new FileStream(left, FileMode.Open)) // The tag of a record is copied last.
        {
            file.Position = whole.CalculateSize() + 1;
            file.Write(cutShort);
        }

        using var next = Open();
        Assert.Equal(2, next.TakeOldest()!.Records);
        Assert.Equal(whole, PredictionBatch.Parser.ParseFrom(File.ReadAllBytes(left)));
    }

    [Fact]
    public void A_published_segment_is_gone_and_a_refused_one_stays_first()
    {
        using var journal = Open();
        journal.Append(Framed(Record(1)));
        journal.Close();
        journal.Append(Framed(Record(2)));
        journal.Close();

        var first = journal.TakeOldest()!;
        journal.Return(first, isPublished: false);
        Assert.Same(first, journal.TakeOldest());
        journal.Return(first, isPublished: true);

        Assert.False(File.Exists(first.Path));
        Assert.NotSame(first, journal.TakeOldest());
    }

    [Fact]
    public void Beyond_its_bound_the_oldest_are_dropped_and_counted_but_not_what_is_under_way()
    {
        var dropped = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == "mlops.inference.log.dropped") self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => dropped += value);
        listener.Start();
        using var journal = Open(new InferenceOptions { JournalMaxBytes = 64 << 10, JournalSegmentBytes = 8 << 10 });
        journal.Append(Framed(Record(0, 8 << 10)));
        var underWay = journal.TakeOldest()!;

        for (var i = 1; i <= 40; i++) journal.Append(Framed(Record(i, 4 << 10)));
        journal.Close();

        Assert.True(journal.BacklogBytes <= 64 << 10);
        Assert.True(File.Exists(underWay.Path));
        var kept = Directory.EnumerateFiles(_folder, "*.batch", SearchOption.AllDirectories)
            .SelectMany(path => PredictionBatch.Parser.ParseFrom(File.ReadAllBytes(path)).Records)
            .Select(record => (int)record.TimeMicros).Order().ToArray();
        Assert.Equal(41 - dropped, kept.Length);
        Assert.Equal(0, kept[0]);
        Assert.Equal(Enumerable.Range(41 - (kept.Length - 1), kept.Length - 1), kept[1..]);
    }

    [Fact]
    public void Two_replicas_on_one_folder_keep_apart_and_the_next_one_finds_what_a_dead_one_left()
    {
        var first = Open();
        using (var second = Open())
        {
            first.Append(Framed(Record(1)));
            second.Append(Framed(Record(2)));
            second.Close();
            Assert.Equal(1, second.TakeOldest()!.Records);
        }

        first.Dispose();
        using var next = Open();
        Assert.Equal(1, PredictionBatch.Parser.ParseFrom(File.ReadAllBytes(next.TakeOldest()!.Path)).Records.Single().TimeMicros);
    }

    [Fact]
    public void A_huge_record_gets_a_segment_of_its_own()
    {
        using var journal = Open(new InferenceOptions { JournalSegmentBytes = 4 << 20 });
        journal.Append(Framed(Record(1, 3 << 20)));
        journal.Append(Framed(Record(2, 10 << 20)));
        journal.Append(Framed(Record(3)));
        journal.Close();

        List<int> records = [];
        while (journal.TakeOldest() is { } segment)
        {
            Assert.True(segment.Bytes <= JournalSegment.MaxBytes);
            records.Add(segment.Records);
            journal.Return(segment, isPublished: true);
        }

        Assert.Equal([1, 1, 1], records);
        Assert.Equal(0, journal.BacklogBytes);
    }

    [Fact]
    public void What_is_set_aside_is_bounded_and_the_oldest_goes_first_also_at_the_next_start()
    {
        var options = new InferenceOptions { JournalRefusedBytes = 10_000 };
        var time = new ManualTimeProvider();
        List<string> aside = [];
        using (var journal = Open(options, time))
        {
            for (var i = 0; i < 5; i++)
            {
                time.Advance(TimeSpan.FromMilliseconds(1));
                journal.Append(Framed(Record(i, 4_000)));
                journal.Close();
                var segment = journal.TakeOldest()!;
                aside.Add(Path.ChangeExtension(segment.Path, JournalSegment.RefusedExtension));
                journal.SetAside(segment);
            }

            Assert.Equal(0, journal.BacklogBytes);
        }

        Assert.Equal([false, false, false, true, true], aside.Select(File.Exists));
        using (Open(options with { JournalRefusedBytes = 5_000 })) Assert.Equal([aside[^1]], aside.Where(File.Exists));
        using (Open(options with { JournalRefusedBytes = 0 })) Assert.DoesNotContain(aside, File.Exists);
    }

    private Journal Open(InferenceOptions? options = null, TimeProvider? time = null) => new(
        new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create("Storage:Folder", (string?)_folder)]).Build(),
        Options.Create(options ?? new InferenceOptions()),
        new InferenceTelemetry(_services.GetRequiredService<IMeterFactory>(), TimeProvider.System),
        time ?? TimeProvider.System, NullLogger<Journal>.Instance);

    private static PredictionRecord Record(int number, int bytes = 10) => new()
    {
        TimeMicros = number,
        PredictionId = ByteString.CopyFrom(new byte[16]),
        Model = new string('m', bytes),
    };

    private static byte[] Framed(PredictionRecord record) => new PredictionBatch { Records = { record } }.ToByteArray();
}
