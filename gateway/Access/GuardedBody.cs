using System.Buffers;
using System.IO.Compression;
using MlOps.Gateway.Routes;
using MlOps.ServiceDefaults;
using Finding = MlOps.Gateway.Access.MessageScan.Finding;

namespace MlOps.Gateway.Access;

/// <summary>
/// The body of a guarded call on its way to the service. The bytes that complete a message go on only when the message may:
/// the service never has a whole one that was refused.
/// </summary>
internal sealed class GuardedBody(Stream body, GuardedCall call, string encoding) : RequestBodyStream
{
    private const int FirstRead = 4 * 1024;
    private readonly MessageScan _scan = new(call.FieldNumbers);
    private ReadOnlyMemory<byte> _begun;
    private byte[]? _rented;
    private ArrayBufferWriter<byte>? _compressed;
    private bool _isNamed;

    /// <summary>Judges what comes first before the service is asked at all, which for most calls is everything.</summary>
    /// <exception cref="RefusedException">A message is refused.</exception>
    public async Task BeginAsync(CancellationToken ct)
    {
        _rented = ArrayPool<byte>.Shared.Rent(FirstRead);
        _begun = _rented.AsMemory(0, await ReadAsync(_rented, ct));
        if (_begun.IsEmpty) GiveBack();
    }

    /// <exception cref="RefusedException">A message is refused.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!_begun.IsEmpty)
        {
            var taken = Math.Min(_begun.Length, buffer.Length);
            _begun[..taken].CopyTo(buffer);
            _begun = _begun[taken..];
            if (_begun.IsEmpty) GiveBack();
            return taken;
        }

        var read = await body.ReadAsync(buffer, cancellationToken);
        Judge(buffer.Span[..read]);
        return read;
    }

    private void GiveBack()
    {
        if (_rented is not { } rented) return;
        (_rented, _begun) = (null, default);
        ArrayPool<byte>.Shared.Return(rented);
    }

    private void Judge(ReadOnlySpan<byte> chunk)
    {
        while (true)
        {
            var finding = _scan.Next(ref chunk, out var piece);
            switch (finding)
            {
                case Finding.NeedsMore:
                    return;
                case Finding.Compressed:
                    Hold(piece);
                    break;
                case Finding.CompressedEnded:
                    JudgeInflated();
                    break;
                default:
                    Judge(finding, _scan);
                    break;
            }
        }
    }

    private void Judge(Finding finding, MessageScan scan)
    {
        if (finding == Finding.Malformed) call.RefuseMalformed();
        if (finding == Finding.Named)
        {
            call.Judge(scan.Name);
            _isNamed = true;
            return;
        }

        if (!_isNamed) call.Judge([]);
        call.Count(_isNamed ? scan.Name : []);
        _isNamed = false;
    }

    // Only the whole of it can be inflated, so it is kept until then, as large as a message may be.
    private void Hold(ReadOnlySpan<byte> piece)
    {
        _compressed ??= new ArrayBufferWriter<byte>();
        if (_compressed.WrittenCount + piece.Length > ClientExtensions.MaxMessageSize) call.RefuseMalformed();
        _compressed.Write(piece);
    }

    private void JudgeInflated()
    {
        var scan = MessageScan.OfInflated(call.FieldNumbers);
        var buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            using var source = new MemoryStream(_compressed?.WrittenMemory.ToArray() ?? []);
            using Stream? inflating = encoding switch
            {
                "gzip" => new GZipStream(source, CompressionMode.Decompress),
                // gRPC's deflate is zlib's format (RFC 1950).
                "deflate" => new ZLibStream(source, CompressionMode.Decompress),
                _ => null,
            };
            if (inflating is null) call.RefuseMalformed();
            long total = 0;
            for (int read; (read = inflating.Read(buffer)) > 0;)
            {
                // A service takes no larger message either, so a bomb costs no more than reading this much.
                if ((total += read) > ClientExtensions.MaxMessageSize) call.RefuseMalformed();
                ReadOnlySpan<byte> chunk = buffer.AsSpan(0, read);
                while (scan.Next(ref chunk, out _) is var finding and not Finding.NeedsMore) Judge(finding, scan);
            }
        }
        catch (InvalidDataException)
        {
            call.RefuseMalformed();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            _compressed?.ResetWrittenCount();
        }

        Judge(scan.IsBetweenFields ? Finding.Ended : Finding.Malformed, scan);
    }
}
