using Microsoft.Extensions.Options;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Streams;

/// <summary>What a stream must say, what stands where it says nothing, and the queues that follow from its model.</summary>
internal sealed class StreamRules(IConfiguration configuration, IOptions<StreamOptions> options)
{
    public const string OwnerApi = "api";
    public const string OwnerConfiguration = "configuration";
    private const int LongestModel = 150;
    private const int DefaultPrefetch = 256;
    private const int DefaultMaxBatch = 64;
    private const int DefaultMaxAttempts = 5;

    /// <summary>The stream with all its values.</summary>
    /// <exception cref="InvalidRequestException">STREAM_INVALID, with every broken rule.</exception>
    public ModelStream Complete(ModelStream given, string owner)
    {
        var violations = new Violations();
        violations.AddIf(given.Model.Length is 0 or > LongestModel, "model", $"must be named, with at most {LongestModel} characters");
        violations.AddIf(given.Version.Length > 255, "version", "must be a version number or an alias");
        violations.AddIf(given.Prefetch is < 0 or > 10_000, "prefetch", "must be 1 to 10,000, or 0 for the default");
        violations.AddIf(given.MaxBatch is < 0 or > 1_000, "max_batch", "must be 1 to 1,000, or 0 for the default");
        violations.AddIf(given.MaxAttempts is < 0 or 1 or > 100, "max_attempts", "must be 2 to 100, or 0 for the default");
        violations.AddIf(
            given.Webhook.Length > 0 && !options.Value.Webhooks.ContainsKey(given.Webhook),
            "webhook", "is not configured in Inference:Streams:Webhooks");
        violations.AddIf(given.WebhookOnly && given.Webhook.Length == 0, "webhook_only", "must come with a webhook");
        violations.ThrowIfAny("STREAM_INVALID");
        var queue = $"{configuration["Bus:Prefix"]}stream.{given.Model}";
        return new ModelStream(given)
        {
            Prefetch = given.Prefetch == 0 ? DefaultPrefetch : given.Prefetch,
            MaxBatch = given.MaxBatch == 0 ? DefaultMaxBatch : given.MaxBatch,
            MaxAttempts = given.MaxAttempts == 0 ? DefaultMaxAttempts : given.MaxAttempts,
            InputQueue = queue,
            AnswerQueue = given.WebhookOnly ? "" : $"{queue}.answers",
            DeadLetterQueue = $"{queue}.dead",
            Owner = owner,
        };
    }

    /// <summary>The configuration's streams.</summary>
    /// <exception cref="InvalidRequestException">STREAM_INVALID.</exception>
    public IReadOnlyList<ModelStream> Configured() =>
    [
        .. options.Value.Models.Select(m => Complete(
            new ModelStream
            {
                Model = m.Key,
                Version = m.Value.Version,
                Prefetch = m.Value.Prefetch,
                MaxBatch = m.Value.MaxBatch,
                MaxAttempts = m.Value.MaxAttempts,
                Webhook = m.Value.Webhook,
                WebhookOnly = m.Value.WebhookOnly,
                Paused = m.Value.Paused,
            },
            OwnerConfiguration)),
    ];
}
