using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Outcome = MlOps.Gateway.Splits.FirstMessage.Outcome;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Looks at the first message of a gRPC call and leaves the request's body as it was for the forwarder.
/// </summary>
internal static class MessagePeek
{
    private const int HeldBytes = FirstMessage.HeaderBytes + FirstMessage.FarBytes;

    /// <summary>What the call says, and the split of its model where it has one.</summary>
    public static async ValueTask<(Outcome Outcome, Split? Split)> LookAsync(
        HttpContext http, PolicySnapshot policies, CancellationToken ct)
    {
        // The forwarder does so for gRPC as well, but from the first read on it is too late.
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate) rate.MinDataRate = null;
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
            // Lifted already; finding it fixed, the forwarder would log a warning for every call.
            http.Features.Set<IHttpMaxRequestBodySizeFeature>(null);
        }


        var encoding = http.Request.Headers.GrpcEncoding.ToString();
        var reader = http.Request.BodyReader;
        var result = await reader.ReadAsync(ct);
        var look = Look(result.Buffer, result.IsCompleted, encoding, policies);
        if (look.Outcome != Outcome.NeedsMore)
        {
            // Neither consumed nor examined: the forwarder reads the same bytes at once.
            reader.AdvanceTo(result.Buffer.Start);
            return look;
        }

        return await HoldAsync(http, result, encoding, policies, ct);
    }

    // Bytes must be consumed to be credited to the client's flow-control window: reading on while only examining them
    // stalls the stream. So they are held here and put before the rest.
    private static async ValueTask<(Outcome Outcome, Split? Split)> HoldAsync(
        HttpContext http, ReadResult result, string encoding, PolicySnapshot policies, CancellationToken ct)
    {
        var rest = http.Request.Body;
        var reader = http.Request.BodyReader;
        var held = new ArrayBufferWriter<byte>(1024);
        while (true)
        {
            var taken = result.Buffer.Slice(0, Math.Min(result.Buffer.Length, HeldBytes - held.WrittenCount));
            foreach (var segment in taken) held.Write(segment.Span);
            var isAll = result.IsCompleted && taken.Length == result.Buffer.Length;
            reader.AdvanceTo(taken.End);

            var look = Look(
                new ReadOnlySequence<byte>(held.WrittenMemory), isAll || held.WrittenCount == HeldBytes, encoding, policies);
            if (look.Outcome != Outcome.NeedsMore)
            {
                http.Request.Body = new PrefixedStream(held.WrittenMemory, rest);
                return look;
            }

            result = await reader.ReadAsync(ct);
        }
    }

    private static (Outcome Outcome, Split? Split) Look(
        in ReadOnlySequence<byte> received, bool isAll, string encoding, PolicySnapshot policies)
    {
        Span<char> name = stackalloc char[FirstMessage.MaxName];
        var outcome = FirstMessage.Look(received, isAll, encoding, name, out var length);
        return (outcome, outcome == Outcome.Named ? policies.Find(name[..length]) : null);
    }
}
