using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.Explanations;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.Inference.Protocol;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Streams;

/// <summary>
/// Gives a message its answer, or the reason why it has none. The prediction's id follows from model and message id, so that
/// a message scored again is in the prediction log once.
/// </summary>
internal sealed class ScoreStreamMessage(
    StreamPolicies policies, ModelHost host, PredictRows predictRows, Predictor predictor, Logbook logbook, TimeProvider time)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    /// <summary>While a service it needs is away, or this one has too much to do, the message waits, and the stream with it.</summary>
    public async Task HandleAsync(ModelStream stream, StreamMessage message, CancellationToken ct)
    {
        await policies.WaitUntilKnownAsync(ct);
        for (var pause = ShortestPause; ; pause = pause * 2 > LongestPause ? LongestPause : pause * 2)
        {
            var call = CallOf(stream, message);
            try
            {
                message.Answer = await AnswerAsync(stream, message, call, ct);
                return;
            }
            catch (DomainException e)
            {
                message.Refuse(e.Code, e.Message);
                return;
            }
            catch (RpcException e) when (IsForNow(e.StatusCode))
            {
                await Task.Delay(pause, time, ct);
            }
            catch (RpcException e) when (e.StatusCode != StatusCode.Cancelled)
            {
                message.Refuse("MESSAGE_REFUSED", e.Status.Detail);
                return;
            }
        }
    }

    private static bool IsForNow(StatusCode code) =>
        code is StatusCode.Unavailable or StatusCode.ResourceExhausted or StatusCode.DeadlineExceeded;

    private Call CallOf(ModelStream stream, StreamMessage message)
    {
        var split = policies.Find(stream.Model);
        message.Subject = split?.SubjectOf(message) ?? message.Header(Call.SubjectHeader);
        var (variant, version, tier) = stream.Version.Length > 0 || split is null
            ? ("", stream.Version, CallTier.Stable)
            // As the gateway takes a request's id where it has no subject.
            : split.Choose(message.Subject.Length > 0 ? message.Subject : message.Id);
        return new Call("stream", version, variant, Call.HashOf(message.Subject), time.GetTimestamp(), tier)
        {
            PredictionId = IdOf(stream.Model, message.Id),
        };
    }

    private async Task<byte[]> AnswerAsync(ModelStream stream, StreamMessage message, Call call, CancellationToken ct)
    {
        Workspace? used = null;
        try
        {
            using var lease = await host.AcquireAsync(stream.Model, call.VersionHint, ct);
            using var workspace = used = lease.Model.RentWorkspace(time.GetTimestamp());
            var request = RowsJson.Read(message.Body.Span);
            call = call.Explained(request.Explain);
            await predictRows.FillAsync(workspace, request.Rows, request.MaxAgeSeconds, ct);
            var prediction = await predictor.PredictAsync(lease.Model, workspace, call, ct);
            var answer = Write(prediction, call, workspace.Answer);
            prediction.Answered(call, time);
            return answer;
        }
        // What is tried again has not failed.
        catch (Exception e) when (e is DomainException && logbook.AddFailure(used, call, e))
        {
            throw;
        }
    }

    private static byte[] Write(Prediction prediction, Call call, ArrayBufferWriter<byte> into)
    {
        using (var writer = new Utf8JsonWriter(into))
        {
            writer.WriteStartObject();
            writer.WriteString("model"u8, prediction.Model.Model);
            writer.WriteString("version"u8, prediction.Model.VersionText);
            writer.WriteString("variant"u8, call.Variant);
            writer.WriteString("prediction_id"u8, prediction.Id);
            if (prediction.Explanation is { } explanation)
            {
                writer.WritePropertyName("explanation"u8);
                ExplanationJson.Write(writer, explanation);
            }

            writer.WriteStartArray("predictions"u8);
            for (var row = 0; row < prediction.Rows; row++) PredictionRows.Write(writer, prediction, row);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return into.WrittenSpan.ToArray();
    }

    // The first 16 bytes of SHA-256 over model and message id, as a version 8 UUID (RFC 9562).
    private static Guid IdOf(string model, string message)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"stream\0{model}\0{message}"), hash);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}
