using System.Security.Cryptography;
using System.Text;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>The columns of a prediction's inputs: where to find each in its row's two arrays.</summary>
internal sealed record InputLayout(string[] Names, string[] Kinds)
{
    public static InputLayout Of(Table? inputs) => new(
        inputs is null ? [] : [.. inputs.Columns.Select(c => c.Name)],
        inputs is null ? [] : [.. inputs.Columns.Select(KindOf)]);

    /// <summary>SHA-256 over names and kinds, each ended by NUL, which no name holds.</summary>
    public byte[] Digest() =>
        SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(Names.Zip(Kinds, (name, kind) => $"{name}\0{kind}\0"))));

    /// <summary>Whether the column is text, and its place in the array of its sort; null when the layout lacks it.</summary>
    public InputSlot? Find(string name)
    {
        var index = Array.IndexOf(Names, name);
        if (index < 0) return null;
        var isText = Kinds[index] == "t";
        return new InputSlot(Kinds[index], Kinds.Take(index).Count(k => k == "t" == isText));
    }

    private static string KindOf(Column column) => column.ValuesCase switch
    {
        Column.ValuesOneofCase.Integers => "i",
        Column.ValuesOneofCase.Booleans => "b",
        Column.ValuesOneofCase.Texts => "t",
        Column.ValuesOneofCase.Times => "m",
        _ => "d",
    };
}

/// <summary>A column's kind and its 0-based place among the texts (kind "t") or the numbers of a row.</summary>
internal sealed record InputSlot(string Kind, int Index);
