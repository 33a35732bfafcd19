using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>A run of whole rows of an input.</summary>
/// <param name="Offset">Its first byte.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="FirstRow">1-based number of its first row.</param>
/// <param name="FirstLine">1-based line that row stands on.</param>
/// <param name="Rows">Its rows.</param>
internal readonly record struct InputPartition(long Offset, int Length, long FirstRow, long FirstLine, int Rows);

/// <summary>
/// Cuts a text into partitions of whole rows while it passes by in chunks that may break anywhere. Holds no more of it
/// than the record it is in.
/// </summary>
internal sealed class InputIndex(TextFormat format, int partitionBytes)
{
    private readonly List<InputPartition> _partitions = [];
    private byte[] _carried = [];
    private int _carriedLength;
    private long _offset;
    private long _line = 1;
    private long _rows;
    private InputPartition? _open;
    private bool _isBegun;

    /// <summary>Names of the columns, in order; known once the first record has passed.</summary>
    public string[] Columns { get; private set; } = [];

    public IReadOnlyList<InputPartition> Partitions => _partitions;

    public long Rows => _rows;

    /// <exception cref="InvalidRequestException">INPUT_HEADER: the first record does not name the columns.</exception>
    public void Append(ReadOnlySpan<byte> chunk) => Append(chunk, isLast: false);

    /// <summary>No more chunks come.</summary>
    /// <exception cref="InvalidRequestException">INPUT_HEADER, or INPUT_EMPTY: there is no row.</exception>
    public void Complete()
    {
        Append([], isLast: true);
        Close();
        if (Columns.Length == 0) throw new InvalidRequestException("INPUT_HEADER", "The input is empty: its first record names the columns.");
        if (_rows == 0) throw new InvalidRequestException("INPUT_EMPTY", "The input has no rows.");
    }

    private void Append(ReadOnlySpan<byte> chunk, bool isLast)
    {
        if (_carriedLength > 0)
        {
            // Whole records are taken out of the joint text; what is left is carried on.
            Carry(chunk);
            var joint = _carried.AsSpan(0, _carriedLength);
            var taken = Take(joint, isLast);
            joint[taken..].CopyTo(_carried);
            _carriedLength -= taken;
            return;
        }

        Carry(chunk[Take(chunk, isLast)..]);
    }

    private void Carry(ReadOnlySpan<byte> bytes)
    {
        if (_carriedLength + bytes.Length > _carried.Length)
        {
            Array.Resize(ref _carried, Math.Max(_carriedLength + bytes.Length, _carried.Length * 2));
        }

        bytes.CopyTo(_carried.AsSpan(_carriedLength));
        _carriedLength += bytes.Length;
    }

    private int Take(ReadOnlySpan<byte> text, bool isLast)
    {
        var at = 0;
        if (!_isBegun)
        {
            if (text.Length < RecordScanner.ByteOrderMark.Length && !isLast) return 0;
            if (text.StartsWith(RecordScanner.ByteOrderMark)) at = RecordScanner.ByteOrderMark.Length;
            _offset += at;
            _isBegun = true;
        }

        while (RecordScanner.Next(format, text[at..], isLast, out var shape, out var broken) is var length and > 0)
        {
            Take(text.Slice(at, length), shape, broken);
            at += length;
        }

        return at;
    }

    private void Take(ReadOnlySpan<byte> record, CsvShape shape, string? broken)
    {
        var content = RecordScanner.Content(record);
        var isRow = !RecordScanner.IsBlank(content);
        if (isRow && Columns.Length == 0)
        {
            Columns = format == TextFormat.Csv ? HeaderOf(content, broken) : PropertiesOf(content);
            isRow = format == TextFormat.JsonLines;
        }

        if (isRow)
        {
            _open ??= new InputPartition(_offset, 0, _rows + 1, _line, 0);
            _rows++;
        }

        _offset += record.Length;
        _line += shape == CsvShape.Plain ? 1 : record.Count((byte)'\n');
        if (_open is not { } open) return;
        _open = open = open with { Length = (int)(_offset - open.Offset), Rows = open.Rows + (isRow ? 1 : 0) };
        if (open.Length >= partitionBytes) Close();
    }

    private void Close()
    {
        if (_open is { } open) _partitions.Add(open);
        _open = null;
    }

    private static string[] HeaderOf(ReadOnlySpan<byte> content, string? broken)
    {
        if (broken is not null || !Utf8.IsValid(content))
        {
            throw new InvalidRequestException("INPUT_HEADER", $"The header line is malformed: {broken ?? "it is not UTF-8"}.");
        }

        var names = new List<string>();
        for (var at = 0; at <= content.Length;)
        {
            var field = CsvRecords.Field(content, ref at, out var isQuoted);
            var name = Encoding.UTF8.GetString(field);
            names.Add(isQuoted ? name.Replace("\"\"", "\"", StringComparison.Ordinal) : name.Trim());
        }

        return Checked(names);
    }

    private static string[] PropertiesOf(ReadOnlySpan<byte> content)
    {
        var names = new List<string>();
        try
        {
            var reader = new Utf8JsonReader(content);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("it is no object");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                // A property name is never null.
                names.Add(reader.GetString()!);
                reader.Skip();
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidRequestException("INPUT_HEADER", $"The first line, which names the columns, cannot be read: {e.Message}");
        }

        return Checked(names);
    }

    private static string[] Checked(List<string> names)
    {
        var violations = new Violations();
        violations.AddIf(names.Count is 0 or > Predictions.PredictRows.MaxColumns, "columns", $"must be 1 to {Predictions.PredictRows.MaxColumns}");
        foreach (var name in names.GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Key.Length == 0 || g.Key.Contains('\0') || g.Count() > 1))
        {
            violations.Add(name.Key.Length == 0 ? "columns" : Predictions.Workspace.Shown(name.Key), name.Count() > 1 ? "is named twice" : "must be named");
        }

        violations.ThrowIfAny("INPUT_HEADER");
        return [.. names];
    }
}
