using MlOps.Inference.Predictions;

namespace MlOps.Inference.Tests;

public sealed class PredictionIdTests
{
    [Fact]
    public void Ids_are_version_7_of_their_millisecond_and_never_the_same()
    {
        using var ids = new PredictionIds();
        var now = new DateTimeOffset(2026, 5, 4, 3, 2, 1, 234, TimeSpan.Zero);

        Guid[] made = [.. Enumerable.Range(0, 10_000).Select(_ => ids.New(now))];

        Assert.Equal(made.Length, made.Distinct().Count());
        Assert.All(made, id =>
        {
            Assert.Equal((7, true), (id.Version, id.Variant is >= 8 and <= 11));
            // The first 48 bits are the time, as the system's own have it.
            Assert.Equal(Guid.CreateVersion7(now).ToString("N")[..12], id.ToString("N")[..12]);
        });
        var ones = new int[128];
        foreach (var id in made)
        {
            var bytes = id.ToByteArray(bigEndian: true);
            for (var bit = 0; bit < 128; bit++) ones[bit] += (bytes[bit / 8] >> (7 - (bit % 8))) & 1;
        }

        // Of the random bits each is set in half of the ids, within ten standard deviations.
        Assert.All(ones[52..64].Concat(ones[66..]), count => Assert.InRange(count, 4_500, 5_500));
    }
}
