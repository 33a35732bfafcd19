using MlOps.Gateway.Routes;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// Asks every inference replica itself whether it has a version loaded, and one that has not to load it, so that no caller waits
/// for it.
/// </summary>
internal sealed class WarmReplicas(IHttpClientFactory clients, IConfiguration configuration)
{
    public const string Client = "rollout warm-up";
    private readonly PlatformCredential _credential = new(configuration);

    /// <summary>The address of a replica without it; null: all have it.</summary>
    public async Task<string?> FirstColdAsync(string model, int version, CancellationToken ct)
    {
        var addresses = PlatformService.All.Single(s => s.Name == PlatformService.Inference).Addresses(configuration, "http");
        var asked = addresses.Select(async address => (Address: address, IsWarm: await IsWarmAsync(address, model, version, ct)));
        return (await Task.WhenAll(asked)).FirstOrDefault(a => !a.IsWarm).Address;
    }

    private async Task<bool> IsWarmAsync(string address, string model, int version, CancellationToken ct)
    {
        var path = FormattableString.Invariant($"/v2/models/{Uri.EscapeDataString(model)}/versions/{version}");
        if (await AnswersAsync(new Uri(new Uri(address), $"{path}/ready"), ct)) return true;
        // Describing a version loads it.
        await AnswersAsync(new Uri(new Uri(address), path), ct);
        return false;
    }

    private async Task<bool> AnswersAsync(Uri address, CancellationToken ct)
    {
        try
        {
            using var client = clients.CreateClient(Client);
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            _credential.AddTo(request);
            using var response = await client.SendAsync(request, ct);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            return false;
        }
    }
}
