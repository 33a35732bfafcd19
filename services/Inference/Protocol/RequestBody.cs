using System.Buffers;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>
/// A request's whole body, decompressed, in a rented array; the server's limit on bodies and the one on decompressed
/// bodies bound it. Dispose gives it back.
/// </summary>
internal readonly struct RequestBody : IDisposable
{
    private const int FirstSize = 4096;
    private readonly byte[] _bytes;
    private readonly int _length;

    private RequestBody(byte[] bytes, int length) => (_bytes, _length) = (bytes, length);

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, _length);

    /// <exception cref="InvalidRequestException">ENCODING_UNKNOWN, BODY_TORN: its compression is another, or broken.</exception>
    /// <exception cref="BadHttpRequestException">It is larger than a body may be.</exception>
    public static ValueTask<RequestBody> ReadAsync(HttpRequest request, CancellationToken ct) =>
        request.Headers.ContentEncoding.Count > 0 && BodyEncoding.Open(request) is { } decompressed
            ? ReadAsync(decompressed, ct)
            : ReadPlainAsync(request, ct);

    private static async ValueTask<RequestBody> ReadPlainAsync(HttpRequest request, CancellationToken ct)
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

    private static async ValueTask<RequestBody> ReadAsync(Stream decompressed, CancellationToken ct)
    {
        await using var _ = decompressed;
        var bytes = ArrayPool<byte>.Shared.Rent(FirstSize);
        var length = 0;
        try
        {
            while (true)
            {
                var read = await decompressed.ReadAsync(bytes.AsMemory(length), ct);
                if (read == 0) return new RequestBody(bytes, length);
                length += read;
                if (length > BodyEncoding.MaxBytes)
                {
                    throw new BadHttpRequestException(
                        $"The body is larger than {BodyEncoding.MaxBytes} bytes when decompressed.", StatusCodes.Status413PayloadTooLarge);
                }

                if (length == bytes.Length) bytes = Larger(bytes, length, length + 1);
            }
        }
        catch (InvalidDataException e)
        {
            ArrayPool<byte>.Shared.Return(bytes);
            throw new InvalidRequestException("BODY_TORN", $"The body cannot be decompressed: {e.Message}");
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
