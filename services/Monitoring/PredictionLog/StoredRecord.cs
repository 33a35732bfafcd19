using Google.Protobuf;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Tables.V1;
using Npgsql;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>A record put together again from its rows in the log.</summary>
internal sealed class StoredRecord(Guid id)
{
    /// <summary>One row per prediction of a record; to be continued with a condition and the order of the rows.</summary>
    public const string Select =
        """
        select prediction_id, time, model, version, variant, subject_hash, latency_micros, mode, prediction, layout_id, numbers, texts,
            flags, shadow_of, sampling_rate
        from prediction

        """;

    private readonly List<(Column Column, int Row)> _gaps = [];

    /// <summary>Whole after <see cref="Finish"/>.</summary>
    public PredictionRecord Record { get; } = new() { PredictionId = ByteString.CopyFrom(id.ToByteArray(bigEndian: true)) };

    /// <summary>Takes the next row; its number.</summary>
    public int Add(NpgsqlDataReader r, Dictionary<int, InputLayout> layouts)
    {
        if (Record.Predictions.Count == 0)
        {
            Record.TimeMicros = Micros.From(r.GetFieldValue<DateTimeOffset>(1));
            Record.Model = r.GetString(2);
            Record.Version = r.GetString(3);
            Record.Variant = r.GetString(4);
            Record.SubjectHash = r.GetString(5);
            Record.LatencyMicros = r.GetInt64(6);
            Record.Mode = r.GetString(7);
            if (!r.IsDBNull(12)) Record.Flags.Add(r.GetFieldValue<string[]>(12));
            if (!r.IsDBNull(13)) Record.ShadowOf = ByteString.CopyFrom(r.GetGuid(13).ToByteArray(bigEndian: true));
            if (!r.IsDBNull(14)) Record.SamplingRate = r.GetDouble(14);
            Record.Inputs = TableOf(layouts[r.GetInt32(9)]);
        }

        Record.Predictions.Add(r.GetDouble(8));
        AddInputs(Record.Predictions.Count - 1, r.GetFieldValue<double[]>(10), r.GetFieldValue<string?[]>(11));
        return Record.Predictions.Count;
    }

    private void AddInputs(int row, double[] numbers, string?[] texts)
    {
        var (number, text) = (0, 0);
        foreach (var column in Record.Inputs.Columns)
        {
            var isMissing = column.ValuesCase == Column.ValuesOneofCase.Texts
                ? Add(column.Texts, texts[text++])
                : Add(column, numbers[number++]);
            if (isMissing) _gaps.Add((column, row));
        }
    }

    /// <summary>To be called after the last row.</summary>
    public PredictionRecord Finish()
    {
        foreach (var column in _gaps.GroupBy(gap => gap.Column, ReferenceEqualityComparer.Instance))
        {
            var bitmap = new byte[(Record.Predictions.Count + 7) / 8];
            foreach (var (_, row) in column) bitmap[row >> 3] |= (byte)(1 << (row & 7));
            column.First().Column.Missing = UnsafeByteOperations.UnsafeWrap(bitmap);
        }

        return Record;
    }

    private static bool Add(TextValues values, string? text)
    {
        values.Values.Add(text ?? "");
        return text is null;
    }

    // A double that is missing is NaN and needs no mark.
    private static bool Add(Column column, double number)
    {
        var value = double.IsNaN(number) ? 0 : number;
        switch (column.ValuesCase)
        {
            case Column.ValuesOneofCase.Integers:
                column.Integers.Values.Add((long)value);
                break;
            case Column.ValuesOneofCase.Booleans:
                column.Booleans.Values.Add(value != 0);
                break;
            case Column.ValuesOneofCase.Times:
                column.Times.Values.Add((long)value);
                break;
            default:
                column.Doubles.Values.Add(number);
                return false;
        }

        return double.IsNaN(number);
    }

    private static Table TableOf(InputLayout layout) => new()
    {
        Columns =
        {
            layout.Names.Zip(layout.Kinds, (name, kind) => kind switch
            {
                "i" => new Column { Name = name, Integers = new IntegerValues() },
                "b" => new Column { Name = name, Booleans = new BooleanValues() },
                "t" => new Column { Name = name, Texts = new TextValues() },
                "m" => new Column { Name = name, Times = new TimeValues() },
                _ => new Column { Name = name, Doubles = new DoubleValues() },
            }),
        },
    };
}
