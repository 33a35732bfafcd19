using MlOps.Contracts.Inference.V1;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>How rows are written as text.</summary>
internal enum TextFormat
{
    Csv,
    JsonLines,
}

/// <summary>The formats' names: in the database, on the wire and as media types.</summary>
internal static class TextFormats
{
    public static string Name(this TextFormat format) => format == TextFormat.Csv ? "csv" : "jsonl";

    public static string MediaType(this TextFormat format) =>
        format == TextFormat.Csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson";

    public static TextFormat Named(string name) => name == "csv" ? TextFormat.Csv : TextFormat.JsonLines;

    public static TextFormat? Of(BatchFormat format) => format switch
    {
        BatchFormat.Csv => TextFormat.Csv,
        BatchFormat.JsonLines => TextFormat.JsonLines,
        _ => null,
    };

    public static BatchFormat ToWire(this TextFormat format) =>
        format == TextFormat.Csv ? BatchFormat.Csv : BatchFormat.JsonLines;
}
