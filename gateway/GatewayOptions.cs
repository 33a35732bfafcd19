using System.ComponentModel.DataAnnotations;
using MlOps.Numerics.Assignment;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway;

/// <summary>Limits of the door; section <c>Gateway</c>.</summary>
internal sealed record GatewayOptions
{
    /// <summary>Largest body of a REST request, in bytes. gRPC messages are limited by the service that takes them.</summary>
    [Range(1024, 1024L * 1024 * 1024)]
    public long MaxRequestBodyBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>How long a REST request may go without a byte moving in either direction. gRPC calls carry their own deadline.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan RestActivityTimeout { get; init; } = TimeSpan.FromSeconds(100);

    /// <summary>How long a client may take to send the headers of a request.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan RequestHeadersTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Connections at once; further ones are closed at once. Each gRPC connection carries a hundred calls at a time.</summary>
    [Range(1, 1_000_000)]
    public long MaxConnections { get; init; } = 10_000;

    /// <summary>How long a request waits for a service that refuses connections, since it may be restarting.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan RestartPatience { get; init; } = ClientExtensions.RestartPatience;

    /// <summary>How often each replica of a service is asked whether it is alive; one that is not, twice in a row, gets no requests while others are.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a gateway that was told to stop goes on as before, but for saying so at <c>/readyz</c>: what who sends requests takes to notice.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan DrainDelay { get; init; } = TimeSpan.Zero;

    /// <summary>How long it then waits for what is in flight.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a replica asks the database whether it missed a change of the traffic policies.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan PolicyCheckInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>JSON file of traffic policies that the API cannot change; read again when it changes. Empty: none.</summary>
    public string PolicyFile { get; init; } = "";

    /// <summary>Share, 0 to 1, of all subjects that takes part in no experiment; a holdout in the policy file stands before it.</summary>
    [Range(0.0, 1.0)]
    public double HoldoutShare { get; init; }

    /// <summary>Seed of the holdout's hash: the same seed holds the same subjects out.</summary>
    [Required, MaxLength(255)]
    public string HoldoutSalt { get; init; } = "holdout";

    /// <summary>Both of these.</summary>
    public Holdout Holdout => new(HoldoutSalt, HoldoutShare);

    /// <summary>Key of the tokens by which testers ask for an arm: 32 characters or more. Empty: nobody can.</summary>
    [RegularExpression("(.{32,})?", ErrorMessage = "Gateway:ForceArmKey must have 32 characters or more, all of them random.")]
    public string ForceArmKey { get; init; } = "";

    /// <summary>How often the policy file is looked at; a change is taken once it stands still for as long.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:10:00")]
    public TimeSpan PolicyFileCheckInterval { get; init; } = TimeSpan.FromSeconds(1);
}
