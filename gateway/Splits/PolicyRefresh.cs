using Microsoft.Extensions.Options;
using MlOps.Gateway.Revisions;

namespace MlOps.Gateway.Splits;

/// <summary>Keeps this replica's traffic policies fresh.</summary>
internal sealed class PolicyRefresh(PolicyBook book, IOptions<GatewayOptions> options, TimeProvider time, ILogger<PolicyRefresh> logger)
    : RefreshCopy<PolicyBook>(book, "traffic policies", options.Value.PolicyCheckInterval, time, logger);
