using System.Buffers;

namespace MlOps.Inference.Protocol;

/// <summary>A request's whole body in a rented array; the server's limit on bodies bounds it. Dispose gives it back.</summary>
internal readonly struct RequestBody : IDisposable
{
    private const int FirstSize = 4096;
    private readonly byte[] _bytes;
    private readonly int _length;

    private RequestBody(byte[] bytes, int length) => (_bytes, _length) = (bytes, length);

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, _length);

    public static async ValueTask<RequestBody> ReadAsync(HttpRequest request, CancellationToken ct)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(FirstSize);
        var length = 0;
        try
        {
            while (true)
            {
                var read = await request.BodyReader.ReadAsync(ct);
                var needed = length + (int)read.Buffer.Length;
                if (needed > bytes.Length) bytes = Larger(bytes, length, needed);
                read.Buffer.CopyTo(bytes.AsSpan(length));
                length = needed;
                request.BodyReader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return new RequestBody(bytes, length);
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(bytes);
            throw;
        }
    }

    private static byte[] Larger(byte[] bytes, int length, int needed)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, bytes.Length * 2));
        bytes.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(bytes);
        return larger;
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_bytes);
}
