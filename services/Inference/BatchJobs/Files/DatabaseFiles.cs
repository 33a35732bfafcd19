using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs.Files;

/// <summary>Files in the service's own database, in chunks, for replicas that share no folder. A file appears when its transaction commits.</summary>
internal sealed class DatabaseFiles(NpgsqlDataSource source) : IBatchFiles
{
    public const int ChunkBytes = 1 << 20;

    public string Id => "database";

    public Task WriteAsync(string name, Func<Stream, Task> write, CancellationToken ct) => source.InTransactionAsync(
        async transaction =>
        {
            // A partition may be scored twice at once; the later of the two, with the same content, waits here.
            await transaction.ExecuteAsync("select pg_advisory_xact_lock(hashtextextended($1, 0))", [name], ct);
            await transaction.ExecuteAsync("delete from batch_file where name = $1", [name], ct);
            await using var chunks = new ChunkStream(transaction, name);
            await write(chunks);
            await chunks.CompleteAsync(ct);
        },
        ct);

    public async Task ReadAsync(string name, long offset, Memory<byte> bytes, CancellationToken ct)
    {
        var at = (int)(offset % ChunkBytes);
        for (var chunk = (int)(offset / ChunkBytes); !bytes.IsEmpty; chunk++, at = 0)
        {
            var content = await ReadChunkAsync(name, chunk, ct);
            if (content is null && chunk == 0) throw new FileNotFoundException($"There is no file {name}.");
            if (content is null || content.Length <= at) throw new EndOfStreamException($"{name} ends before its chunk {chunk}.");
            var length = Math.Min(bytes.Length, content.Length - at);
            content.AsMemory(at, length).CopyTo(bytes);
            bytes = bytes[length..];
        }
    }

    public async Task<Stream> OpenAsync(string name, CancellationToken ct)
    {
        var first = await ReadChunkAsync(name, 0, ct) ?? throw new FileNotFoundException($"There is no file {name}.");
        return new StoredChunks(this, name, first);
    }

    public Task DeleteAsync(string name, CancellationToken ct) => source.ExecuteAsync(
        "delete from batch_file where name = $1 or starts_with(name, $1 || '/')", [name], ct);

    private Task<byte[]?> ReadChunkAsync(string name, int chunk, CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        "select content from batch_file where name = $1 and chunk = $2", [name, chunk], r => r.GetFieldValue<byte[]>(0), ct);

    /// <summary>Cuts what is written into rows of the table.</summary>
    private sealed class ChunkStream(NpgsqlTransaction transaction, string name) : OneWayStream
    {
        private readonly byte[] _chunk = new byte[ChunkBytes];
        private int _length;
        private int _number;

        public override bool CanWrite => true;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (!buffer.IsEmpty)
            {
                var part = Math.Min(buffer.Length, ChunkBytes - _length);
                buffer[..part].CopyTo(_chunk.AsMemory(_length));
                _length += part;
                buffer = buffer[part..];
                if (_length == ChunkBytes) await FlushChunkAsync(cancellationToken);
            }
        }

        /// <summary>Writes the last chunk, an empty one when the file is.</summary>
        public async Task CompleteAsync(CancellationToken ct)
        {
            if (_length > 0 || _number == 0) await FlushChunkAsync(ct);
        }

        private async Task FlushChunkAsync(CancellationToken ct)
        {
            await transaction.ExecuteAsync(
                "insert into batch_file (name, chunk, content) values ($1, $2, $3)", [name, _number++, _chunk.AsMemory(0, _length)], ct);
            _length = 0;
        }
    }

    private sealed class StoredChunks(DatabaseFiles files, string name, byte[] first) : OneWayStream
    {
        private byte[]? _chunk = first;
        private int _at;
        private int _number;

        public override bool CanRead => true;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (_chunk is not null && _at == _chunk.Length)
            {
                _chunk = await files.ReadChunkAsync(name, ++_number, cancellationToken);
                _at = 0;
            }

            if (_chunk is null) return 0;
            var part = Math.Min(buffer.Length, _chunk.Length - _at);
            _chunk.AsMemory(_at, part).CopyTo(buffer);
            _at += part;
            return part;
        }
    }
}
