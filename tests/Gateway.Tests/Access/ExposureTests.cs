using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using MlOps.Gateway.Access;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

public sealed class ExposureTests(ClosedPlatform<ExposureTests> platform) : IClassFixture<ClosedPlatform<ExposureTests>>
{
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("127.0.0.1")]
    [InlineData("127.8.9.10")]
    [InlineData("::1")]
    public void On_loopback_the_gateway_may_be_open(string? bind) => Exposure.Check(Settings(bind, mode: null));

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("192.0.2.7")]
    public void Where_others_reach_it_an_open_gateway_does_not_start_and_says_what_to_set(string bind)
    {
        foreach (var mode in new[] { null, "Open" })
        {
            var refusal = Assert.Throws<InvalidOperationException>(() => Exposure.Check(Settings(bind, mode)));
            foreach (var word in new[] { bind, "Access__Mode=Closed", "Access__AdminKey", "MLOPS_BIND=127.0.0.1" })
                Assert.Contains(word, refusal.Message, StringComparison.Ordinal);
        }

        Exposure.Check(Settings(bind, "Closed"));
    }

    [Theory]
    [InlineData("0.0.0.0", null, true)]
    [InlineData("0.0.0.0", "door.pem", false)]
    [InlineData("127.0.0.1", null, false)]
    [InlineData(null, null, false)]
    public void Keys_in_the_clear_are_warned_of(string? bind, string? certificate, bool isWarned)
    {
        var log = new Lines();
        Exposure.WarnOfPlainText(Settings(bind, "Closed", certificate), log);
        if (isWarned) Assert.Contains("MLOPS_TLS_CERT", Assert.Single(log.Written), StringComparison.Ordinal);
        else Assert.Empty(log.Written);
    }

    [ServerFact]
    public async Task A_closed_gateway_without_any_key_does_not_start()
    {
        await using var fresh = new FreshDatabase();
        await fresh.Database.InitializeAsync();
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => GatewayReplica.StartAsync(
            fresh.Database.ConnectionString, "exposure-", platform.Peer, "--Access:Mode=Closed"));
        Assert.Contains("Access__AdminKey", refusal.Message, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_configured_key_of_another_shape_stops_the_start_without_showing_it()
    {
        var failure = await Assert.ThrowsAnyAsync<Exception>(() => platform.StartReplicaAsync("--Access:AdminKey=secret-of-mine"));
        Assert.Contains("Access:AdminKey must be", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-of-mine", failure.ToString(), StringComparison.Ordinal);
    }

    private static IConfiguration Settings(string? bind, string? mode, string? certificate = null) => new ConfigurationBuilder().AddInMemoryCollection(
        new Dictionary<string, string?> { ["MLOPS_BIND"] = bind, ["Access:Mode"] = mode, ["Tls:Certificate"] = certificate }).Build();

    private sealed class Lines : ILogger
    {
        public List<string> Written { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Written.Add(formatter(state, exception));
    }

    private sealed class FreshDatabase : IAsyncDisposable
    {
        public PostgresDatabase<FreshDatabase> Database { get; } = new();

        public async ValueTask DisposeAsync() => await Database.DisposeAsync();
    }
}
