using System.Security.Cryptography;
using Google.Protobuf;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Tables;

namespace MlOps.FeatureStore.Offline;

/// <summary>Writes the content of a snapshot to a temporary file while computing its digest.</summary>
internal sealed class SnapshotWriter : IAsyncDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly FileStream _file;
    private ColumnBuffer[] _columns = [];

    public SnapshotWriter(string path) =>
        _file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 128 * 1024, useAsync: true);

    public List<Field> Schema { get; } = [];

    public long RowCount { get; private set; }

    public long Size { get; private set; }

    public async Task AddAsync(Table table, CancellationToken ct)
    {
        if (Schema.Count == 0)
            await BeginAsync(table, ct);
        ColumnBuffer[] added = [.. table.Columns.Select(ColumnBuffer.From)];
        for (var row = 0; row < added[0].Count; row++)
        {
            for (var column = 0; column < added.Length; column++)
                _columns[column].AddFrom(added[column], row);
            RowCount++;
            if (_columns[0].Count == SnapshotFile.RowsPerTable)
                await WriteRowsAsync(ct);
        }
    }

    /// <summary>Writes what is left, makes the file durable, and names its content.</summary>
    public async Task<string> CompleteAsync(CancellationToken ct)
    {
        if (_columns.Length > 0 && _columns[0].Count > 0)
            await WriteRowsAsync(ct);
        await _file.FlushAsync(ct);
        _file.Flush(flushToDisk: true);
        return "sha256:" + Convert.ToHexStringLower(_hash.GetHashAndReset());
    }

    public ValueTask DisposeAsync()
    {
        _hash.Dispose();
        return _file.DisposeAsync();
    }

    private async Task BeginAsync(Table table, CancellationToken ct)
    {
        Schema.AddRange(table.Columns.Select(column => new Field { Name = column.Name, Type = column.Type() }));
        _columns = [.. Schema.Select(field => new ColumnBuffer(field.Type))];
        await WriteAsync(SnapshotFile.Mark.ToArray(), ct);
        await WriteRowsAsync(ct);
    }

    private async Task WriteRowsAsync(CancellationToken ct)
    {
        var table = new Table();
        for (var column = 0; column < _columns.Length; column++)
        {
            table.Columns.Add(_columns[column].ToColumn(Schema[column].Name));
            _columns[column].Truncate(0);
        }

        using var bytes = new MemoryStream();
        table.WriteDelimitedTo(bytes);
        await WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), ct);
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        _hash.AppendData(bytes.Span);
        await _file.WriteAsync(bytes, ct);
        Size += bytes.Length;
    }
}
