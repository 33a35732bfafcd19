using MlOps.Inference.Predictions;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

public sealed class GrpcTimeoutTests
{
    [Theory]
    [InlineData("1H", 36_000_000_000)]
    [InlineData("2M", 1_200_000_000)]
    [InlineData("3S", 30_000_000)]
    [InlineData("250m", 2_500_000)]
    [InlineData("99999999u", 999_999_990)]
    [InlineData("500n", 5)]
    [InlineData("0m", 0)]
    public void A_timeout_is_counted_from_now(string header, long ticks) =>
        Assert.Equal(1_000 + ticks, GrpcTimeout.DeadlineOf(header, 1_000, new ManualTimeProvider()));

    [Theory]
    [InlineData("")]
    [InlineData("m")]
    [InlineData("5")]
    [InlineData("5s")]
    [InlineData("-5m")]
    [InlineData("1.5S")]
    [InlineData("123456789m")]
    public void What_is_no_timeout_is_no_deadline(string header) =>
        Assert.Equal(long.MaxValue, GrpcTimeout.DeadlineOf(header, 1_000, new ManualTimeProvider()));
}
