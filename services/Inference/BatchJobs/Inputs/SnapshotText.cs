using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Google.Protobuf.Collections;
using Grpc.Core;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>A dataset snapshot's rows as CSV. Times are ISO 8601, but microseconds where the model takes them as an input.</summary>
internal sealed class SnapshotText(FeatureStoreService.FeatureStoreServiceClient store)
{
    /// <exception cref="NotFoundException">SNAPSHOT_UNKNOWN.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        string digest, IReadOnlySet<string> inputs, [EnumeratorCancellation] CancellationToken ct)
    {
        await RequireAsync(digest, ct);
        using var call = store.ReadSnapshot(new ReadSnapshotRequest { Digest = digest }, cancellationToken: ct);
        var isFirst = true;
        await foreach (var table in call.ResponseStream.ReadAllAsync(ct))
        {
            var text = new StringBuilder();
            if (isFirst) AddLine(text, table.Columns, (column, _) => Quoted(column.Name), 0);
            isFirst = false;
            var rows = table.Columns.Count == 0 ? 0 : Columns.CountOf(table.Columns[0]);
            for (var row = 0; row < rows; row++) AddLine(text, table.Columns, (column, at) => ValueOf(column, at, inputs), row);
            yield return Encoding.UTF8.GetBytes(text.ToString());
        }
    }

    private async Task RequireAsync(string digest, CancellationToken ct)
    {
        try
        {
            await store.GetSnapshotAsync(new GetSnapshotRequest { Digest = digest }, cancellationToken: ct);
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.NotFound or StatusCode.InvalidArgument)
        {
            throw new NotFoundException("SNAPSHOT_UNKNOWN", $"FeatureStore has no dataset snapshot '{Workspace.Shown(digest)}'.");
        }
    }

    private static void AddLine(StringBuilder text, RepeatedField<Column> columns, Func<Column, int, string> valueOf, int row)
    {
        for (var i = 0; i < columns.Count; i++)
        {
            if (i > 0) text.Append(',');
            text.Append(valueOf(columns[i], row));
        }

        text.Append('\n');
    }

    private static string ValueOf(Column column, int row, IReadOnlySet<string> inputs) => column.ValuesCase switch
    {
        _ when Columns.IsMissing(column, row) => "",
        Column.ValuesOneofCase.Doubles when double.IsNaN(column.Doubles.Values[row]) => "",
        Column.ValuesOneofCase.Doubles => column.Doubles.Values[row].ToString("R", CultureInfo.InvariantCulture),
        Column.ValuesOneofCase.Integers => column.Integers.Values[row].ToString(CultureInfo.InvariantCulture),
        Column.ValuesOneofCase.Booleans => column.Booleans.Values[row] ? "true" : "false",
        Column.ValuesOneofCase.Times when inputs.Contains(column.Name) => column.Times.Values[row].ToString(CultureInfo.InvariantCulture),
        Column.ValuesOneofCase.Times => Rows.IsoTime.ToText(column.Times.Values[row]),
        _ => Quoted(column.Texts.Values[row]),
    };

    private static string Quoted(string text) => $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
