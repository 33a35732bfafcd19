using System.Security.Cryptography;
using System.Text.Json;
using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Rollouts.Hooks;

/// <summary>
/// Asks a rollout's hooks over HTTP, with Flagger's body: name, namespace, phase, checksum and metadata. Any answer of 2xx is a
/// yes, anything else, no answer included, is a no.
/// </summary>
internal sealed partial class CallHooks(IHttpClientFactory clients, ILogger<CallHooks> logger)
{
    public const string Client = "rollout hooks";

    /// <summary>Asks the hooks of a type in their order; the first that says no, or null.</summary>
    public async Task<RolloutHook?> FirstNoAsync(Rollout rollout, string type, CancellationToken ct)
    {
        foreach (var hook in rollout.Plan.Hooks.Where(h => h.Type == type))
        {
            if (!await AskAsync(rollout, hook, ct)) return hook;
        }

        return null;
    }

    /// <summary>The first hook of a type that says yes; null: none does.</summary>
    public async Task<RolloutHook?> FirstYesAsync(Rollout rollout, string type, CancellationToken ct)
    {
        foreach (var hook in rollout.Plan.Hooks.Where(h => h.Type == type))
        {
            if (await AskAsync(rollout, hook, ct)) return hook;
        }

        return null;
    }

    /// <summary>Tells all hooks of a type, whatever they answer.</summary>
    public Task TellAsync(Rollout rollout, string type, CancellationToken ct) =>
        Task.WhenAll(rollout.Plan.Hooks.Where(h => h.Type == type).Select(hook => AskAsync(rollout, hook, ct)));

    private async Task<bool> AskAsync(Rollout rollout, RolloutHook hook, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromSeconds(hook.TimeoutSeconds));
        try
        {
            using var client = clients.CreateClient(Client);
            using var response = await client.PostAsJsonAsync(
                new Uri(hook.Url), BodyOf(rollout, hook), PolicyJson.Options, limit.Token);
            if (!response.IsSuccessStatusCode && hook.Type != HookType.Rollback) LogNo(hook.Name, hook.Type, rollout.Model, (int)response.StatusCode);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            LogUnreached(hook.Name, hook.Type, rollout.Model, e.Message);
            return false;
        }
    }

    private static HookBody BodyOf(Rollout rollout, RolloutHook hook)
    {
        var metadata = new Dictionary<string, string>(hook.Metadata)
        {
            ["rollout_id"] = rollout.Id.ToString("N"),
            ["version"] = FormattableString.Invariant($"{rollout.Version}"),
            ["stable_version"] = FormattableString.Invariant($"{rollout.StableVersion}"),
            ["step"] = FormattableString.Invariant($"{rollout.State.Step}"),
            ["weight"] = FormattableString.Invariant($"{rollout.State.Weight}"),
        };
        if (hook.Type == HookType.Event) metadata["eventMessage"] = rollout.State.Message;
        return new HookBody(rollout.Model, "mlops", rollout.Phase, ChecksumOf(rollout), metadata);
    }

    /// <summary>The same for the same version by the same plan, whatever becomes of it.</summary>
    private static string ChecksumOf(Rollout rollout)
    {
        var plan = JsonSerializer.SerializeToUtf8Bytes(rollout.Plan, PolicyJson.Options);
        byte[] version = BitConverter.GetBytes(rollout.Version);
        return Convert.ToHexStringLower(SHA256.HashData([.. version, .. plan]))[..16];
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Hook {Hook} ({Type}) of the rollout of {Model} says no: {Status}")]
    private partial void LogNo(string hook, string type, string model, int status);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Hook {Hook} ({Type}) of the rollout of {Model} was not reached: {Reason}")]
    private partial void LogUnreached(string hook, string type, string model, string reason);

    private sealed record HookBody(
        string Name, string Namespace, string Phase, string Checksum, IReadOnlyDictionary<string, string> Metadata);
}
