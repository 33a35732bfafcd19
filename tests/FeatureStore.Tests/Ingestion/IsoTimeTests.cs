using System.Globalization;
using System.Text;
using MlOps.FeatureStore.Tables;

namespace MlOps.FeatureStore.Tests.Ingestion;

public sealed class IsoTimeTests
{
    [Theory]
    [InlineData("2001-01-31", "2001-01-31T00:00:00.000000Z")]
    [InlineData("2001-01-31T13:05", "2001-01-31T13:05:00.000000Z")] // without a zone: UTC
    [InlineData("2001-01-31 13:05:09", "2001-01-31T13:05:09.000000Z")]
    [InlineData("2001-01-31T13:05:09.5Z", "2001-01-31T13:05:09.500000Z")]
    [InlineData("2001-01-31T13:05:09.1234569Z", "2001-01-31T13:05:09.123456Z")]
    [InlineData("2001-01-31T13:05:09+02:30", "2001-01-31T10:35:09.000000Z")]
    [InlineData("2001-01-31T13:05-0800", "2001-01-31T21:05:00.000000Z")]
    [InlineData("2001-01-31T13:05+01", "2001-01-31T12:05:00.000000Z")]
    [InlineData("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z")]
    [InlineData("2000-02-29", "2000-02-29T00:00:00.000000Z")]
    public void A_time_is_read_to_the_microsecond(string text, string expected)
    {
        Assert.True(IsoTime.TryParse(Encoding.UTF8.GetBytes(text), out var micros));
        Assert.Equal(expected, Micros.ToDateTime(micros).ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("")]
    [InlineData("yesterday")]
    [InlineData("2001/01/31")]
    [InlineData("2001-02-29")]
    [InlineData("2001-13-01")]
    [InlineData("0000-01-01")]
    [InlineData("2001-01-31T24:00")]
    [InlineData("2001-01-31T13")]
    [InlineData("2001-01-31T13:05:09.")]
    [InlineData("2001-01-31T13:05:09Zulu")]
    [InlineData("2001-01-31T13:05:60Z")]
    [InlineData("2001-01-31T13:05+2")]
    [InlineData("2001-01-31T13:05+19:00")]
    [InlineData("0001-01-01T00:00+01:00")]
    public void Anything_else_is_refused(string text) =>
        Assert.False(IsoTime.TryParse(Encoding.UTF8.GetBytes(text), out _));
}
