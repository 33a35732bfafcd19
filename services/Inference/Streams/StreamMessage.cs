using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace MlOps.Inference.Streams;

/// <summary>A request out of a queue and, as it is worked on, what comes of it.</summary>
internal sealed class StreamMessage
{
    private const int LongestId = 255;
    private readonly IDictionary<string, object?>? _headers;

    public StreamMessage(BasicDeliverEventArgs delivery)
    {
        var properties = delivery.BasicProperties;
        _headers = properties.Headers;
        Id = properties.MessageId is { Length: > 0 and <= LongestId } id && !id.Contains('\0') ? id : "";
        CorrelationId = properties.CorrelationId ?? Id;
        ContentType = properties.ContentType ?? "";
        Tag = delivery.DeliveryTag;
        IsRedelivered = delivery.Redelivered;
        // The client reuses its buffer.
        Body = delivery.Body.ToArray();
        if (Id.Length == 0) Refuse("MESSAGE_ID_MISSING", $"A message must have a message_id of 1 to {LongestId} characters.");
    }

    /// <summary>The publisher's name for it; empty: it has none that counts.</summary>
    public string Id { get; }

    public string CorrelationId { get; }

    public string ContentType { get; }

    public ulong Tag { get; }

    /// <summary>It was handed out before, so somebody may have died over it.</summary>
    public bool IsRedelivered { get; }

    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>What its answers are kept in order by; empty: nothing.</summary>
    public string Subject { get; set; } = "";

    /// <summary>Times it was taken, this one included.</summary>
    public int Attempts { get; set; } = 1;

    /// <summary>JSON that goes out; null: there is none yet.</summary>
    public byte[]? Answer { get; set; }

    /// <summary>Why it goes to the dead letters; null: it does not.</summary>
    public StreamFailure? Failure { get; private set; }

    public void Refuse(string code, string reason) => Failure ??= new StreamFailure(code, reason);

    /// <summary>A header of text; empty: there is none.</summary>
    public string Header(string name) => _headers?.TryGetValue(name, out var value) == true
        ? value switch
        {
            byte[] utf8 => Encoding.UTF8.GetString(utf8),
            string text => text,
            _ => "",
        }
        : "";

    /// <summary>Properties of its answer.</summary>
    public BasicProperties ToAnswer() => new()
    {
        MessageId = Id,
        CorrelationId = CorrelationId,
        ContentType = "application/json",
        DeliveryMode = DeliveryModes.Persistent,
    };

    /// <summary>Properties of it as a dead letter: its own, and why it is one.</summary>
    public BasicProperties ToDeadLetter()
    {
        var headers = new Dictionary<string, object?>(_headers ?? new Dictionary<string, object?>())
        {
            ["x-mlops-failure"] = Failure?.Code,
            ["x-mlops-reason"] = Failure?.Reason,
            ["x-mlops-attempts"] = Attempts,
        };
        return new BasicProperties
        {
            MessageId = Id.Length == 0 ? null : Id,
            CorrelationId = CorrelationId.Length == 0 ? null : CorrelationId,
            ContentType = ContentType.Length == 0 ? null : ContentType,
            DeliveryMode = DeliveryModes.Persistent,
            Headers = headers,
        };
    }
}

/// <summary>Why a message has no answer: a stable code and words.</summary>
internal sealed record StreamFailure(string Code, string Reason);
