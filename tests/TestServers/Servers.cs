namespace MlOps.TestServers;

/// <summary>The real servers tests run on, as <c>./mlops test</c> or CI announces them in the environment.</summary>
public static class Servers
{
    /// <summary>Npgsql connection string of a user who may create databases.</summary>
    public static string Postgres => Read("MLOPS_TEST_POSTGRES");

    /// <summary>StackExchange.Redis configuration, <c>host:port,password=…</c>.</summary>
    public static string Redis => Read("MLOPS_TEST_REDIS");

    /// <summary>AMQP URI, <c>amqp://user:password@host:port/</c>.</summary>
    public static string RabbitMq => Read("MLOPS_TEST_RABBITMQ");

    /// <summary>True when missing servers fail the run instead of skipping tests.</summary>
    public static bool AreRequired => Environment.GetEnvironmentVariable("MLOPS_TEST_REQUIRE") == "1";

    /// <summary>True when every server is announced.</summary>
    public static bool AreThere => Missing.Length == 0;

    /// <summary>Why a server test is skipped; null when it runs (which it does, and fails, when servers are required).</summary>
    public static string? SkipReason => AreThere || AreRequired
        ? null
        : $"No servers to test on ({string.Join(", ", Missing)} not set). Run ./mlops test, which starts them.";

    private static string[] Missing =>
        [.. new[] { "MLOPS_TEST_POSTGRES", "MLOPS_TEST_REDIS", "MLOPS_TEST_RABBITMQ" }
            .Where(name => string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name)))];

    private static string Read(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value
            ? value
            : throw new InvalidOperationException($"{name} is not set. Run ./mlops test, which starts the servers.");
}
