using Google.Protobuf;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>A record of a batch, checked: every column has a value, or a gap, for every prediction.</summary>
internal sealed record LoggedRecord(Guid Id, DateTimeOffset Time, PredictionRecord Record, InputLayout Layout)
{
    // Every month makes a partition, so a wild clock must not make thousands.
    private static readonly DateTimeOffset Earliest = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan ClockSkew = TimeSpan.FromDays(1);

    /// <exception cref="InvalidRequestException">BATCH_MALFORMED</exception>
    public static List<LoggedRecord> Parse(ReadOnlyMemory<byte> batch, DateTimeOffset now)
    {
        PredictionBatch parsed;
        try
        {
            parsed = PredictionBatch.Parser.ParseFrom(batch.Span);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidRequestException("BATCH_MALFORMED", $"Not a PredictionBatch: {e.Message}");
        }

        var violations = new Violations();
        var records = new List<LoggedRecord>(parsed.Records.Count);
        for (var i = 0; i < parsed.Records.Count; i++)
        {
            var record = parsed.Records[i];
            if (Check(record, now) is { } rule) violations.Add($"records[{i}]", rule);
            else
            {
                var id = new Guid(record.PredictionId.Span, bigEndian: true);
                records.Add(new LoggedRecord(id, Micros.ToTime(record.TimeMicros), record, InputLayout.Of(record.Inputs)));
            }
        }

        violations.ThrowIfAny("BATCH_MALFORMED");
        return records;
    }

    private static string? Check(PredictionRecord record, DateTimeOffset now)
    {
        var columns = record.Inputs?.Columns ?? [];
        return record switch
        {
            _ when record.PredictionId.Length != 16 => "prediction_id must have 16 bytes",
            _ when record.Model.Length == 0 || (record.Version.Length == 0 && record.Failure.Length == 0) =>
                "model and version must be given",
            _ when record.Failure.Length > 0 && record.Predictions.Count > 0 => "a failed one has no predictions",
            _ when record.ShadowOf.Length is not (0 or 16) => "shadow_of must have 16 bytes or none",
            _ when record.SamplingRate is not (>= 0 and <= 1) => "sampling_rate must be between 0 and 1",
            _ when !Micros.IsTime(record.TimeMicros)
                || Micros.ToTime(record.TimeMicros) < Earliest
                || Micros.ToTime(record.TimeMicros) > now + ClockSkew =>
                "time_micros must be after 1999 and not in the future",
            _ when columns.Any(c => c.Name.Length == 0 || c.Name.Contains('\0')) => "every column needs a name",
            _ when columns.Select(c => c.Name).Distinct().Count() != columns.Count => "a column is named twice",
            // A model whose first output has no value per row is served, and has nothing to log.
            _ when record.Predictions.Count == 0 => null,
            _ => columns.Select(c => Check(c, record.Predictions.Count)).FirstOrDefault(rule => rule is not null),
        };
    }

    private static string? Check(Column column, int rows)
    {
        var count = column.ValuesCase switch
        {
            Column.ValuesOneofCase.Doubles => column.Doubles.Values.Count,
            Column.ValuesOneofCase.Integers => column.Integers.Values.Count,
            Column.ValuesOneofCase.Booleans => column.Booleans.Values.Count,
            Column.ValuesOneofCase.Texts => column.Texts.Values.Count,
            Column.ValuesOneofCase.Times => column.Times.Values.Count,
            _ => -1,
        };
        var isShort = column.Missing.Length > 0 && column.Missing.Length * 8 < rows;
        return count != rows ? $"column '{column.Name}' has {count} values for {rows} predictions"
            : isShort ? $"column '{column.Name}' has too short a bitmap"
            : null;
    }

    public bool IsFailure => Record.Failure.Length > 0;

    /// <summary>What was noticed; null where nothing was.</summary>
    public string[]? Flags => Record.Flags.Count == 0 ? null : [.. Record.Flags.Select(WithoutNul)];

    public Guid? ShadowOf => Record.ShadowOf.IsEmpty ? null : new Guid(Record.ShadowOf.Span, bigEndian: true);

    /// <summary>Below 1; null where all such requests are logged.</summary>
    public double? SamplingRate => Record.SamplingRate is > 0 and < 1 ? Record.SamplingRate : null;

    /// <summary>The numbers of row <paramref name="row"/> in the layout's order; NaN where missing.</summary>
    public double[] Numbers(int row) =>
        [.. Columns.Where(c => !IsText(c)).Select(c => IsMissing(c, row) ? double.NaN : Number(c, row))];

    /// <summary>The texts of row <paramref name="row"/> in the layout's order; null where missing.</summary>
    public string?[] Texts(int row) =>
        [.. Columns.Where(IsText).Select(c => IsMissing(c, row) ? null : Text(c, row))];

    private IEnumerable<Column> Columns => Record.Inputs?.Columns ?? [];

    private static bool IsText(Column column) => column.ValuesCase == Column.ValuesOneofCase.Texts;

    private static bool IsMissing(Column column, int row) =>
        column.Missing.Length > 0 && (column.Missing[row / 8] >> (row % 8) & 1) == 1;

    private static string Text(Column column, int row) => WithoutNul(column.Texts.Values[row]);

    // PostgreSQL keeps no NUL, and one caller's odd text must not hold up a batch of others.
    private static string WithoutNul(string text) => text.Replace('\0', '\uFFFD');

    private static double Number(Column column, int row) => column.ValuesCase switch
    {
        Column.ValuesOneofCase.Doubles => column.Doubles.Values[row],
        Column.ValuesOneofCase.Integers => column.Integers.Values[row],
        Column.ValuesOneofCase.Booleans => column.Booleans.Values[row] ? 1 : 0,
        _ => column.Times.Values[row],
    };
}
