using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Streams;

/// <summary>Settings of stream scoring, section <c>Inference:Streams</c>; every one has a working default.</summary>
internal sealed record StreamOptions
{
    /// <summary>Streams by model, which the API cannot change. Default none.</summary>
    public IReadOnlyDictionary<string, StreamSettings> Models { get; init; } = new Dictionary<string, StreamSettings>();

    /// <summary>Addresses of http or https, by the names streams call them. Default none.</summary>
    public IReadOnlyDictionary<string, Uri> Webhooks { get; init; } = new Dictionary<string, Uri>();

    /// <summary>How long a message that is done is known when it comes again. Default 1 hour.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan Window { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How often the gateway is asked for its traffic policies. Default 5 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan PolicyInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Key that may read the traffic policies of a gateway that asks for one. Default none.</summary>
    [Required(AllowEmptyStrings = true)]
    public string GatewayKey { get; init; } = "";

    /// <summary>How often streams declared through another replica are looked for. Default 2 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan CheckInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest a webhook may take for one answer. Default 10 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan WebhookTimeout { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>A stream of the configuration; values mean what they mean in <c>ModelStream</c>.</summary>
internal sealed record StreamSettings
{
    public string Version { get; init; } = "";

    public int Prefetch { get; init; }

    public int MaxBatch { get; init; }

    public int MaxAttempts { get; init; }

    public string Webhook { get; init; } = "";

    public bool WebhookOnly { get; init; }

    public bool Paused { get; init; }
}
