using MlOps.Numerics.Assignment;

namespace MlOps.Numerics.Tests.Assignment;

public class SampleHashTests
{
    /// <summary>Computed in Python with unbounded integers from the formula in the summary of the class.</summary>
    [Theory]
    [InlineData("00000000000000000000000000000000", 0.0)]
    [InlineData("00000000000000000000000000000001", 0.7044485202539007)]
    [InlineData("0198a7b2c3d47e5f8a9b0c1d2e3f4a5b", 0.6515830719776465)]
    [InlineData("0198a7b2c3d47e5f8a9b0c1d2e3f4a5c", 0.4639629097768446)]
    [InlineData("ffffffffffffffffffffffffffffffff", 0.23262077378533152)]
    public void A_place_is_that_of_the_formula(string id, double place) =>
        Assert.Equal(place, SampleHash.Place(Guid.ParseExact(id, "N")));

    [Fact]
    public void A_sample_has_its_share_and_holds_every_smaller_one()
    {
        const int Ids = 100_000;
        double[] shares = [0, 0.001, 0.01, 0.1, 0.5, 0.9, 1];
        var taken = new int[shares.Length];
        for (var i = 0; i < Ids; i++)
        {
            var id = IdOf(i);
            var before = false;
            for (var s = 0; s < shares.Length; s++)
            {
                var isTaken = SampleHash.IsTaken(id, shares[s]);
                Assert.True(isTaken || !before, $"{id} is in a smaller sample than {shares[s]}");
                before = isTaken;
                if (isTaken) taken[s]++;
            }
        }

        Assert.Equal((0, Ids), (taken[0], taken[^1]));
        // Five standard deviations of a binomial count.
        Assert.All(shares.Zip(taken), pair => Assert.InRange(
            pair.Second, (Ids * pair.First) - (5 * Deviation(pair.First)), (Ids * pair.First) + (5 * Deviation(pair.First))));

        static double Deviation(double share) => Math.Sqrt(Ids * share * (1 - share));
    }

    [Fact]
    public void Ids_made_one_after_another_are_spread_evenly()
    {
        var cells = new int[100];
        for (var i = 0; i < 100_000; i++) cells[(int)(SampleHash.Place(IdOf(i)) * 100)]++;

        var chiSquare = cells.Sum(count => (count - 1_000.0) * (count - 1_000.0) / 1_000);
        // 99 degrees of freedom: the mean is 99, 99.99 % of draws lie below 161.
        Assert.InRange(chiSquare, 50, 161);
    }

    [Fact]
    public void Hashing_allocates_nothing()
    {
        var id = IdOf(1);
        SampleHash.IsTaken(id, 0.5);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 1_000; i++)
            SampleHash.IsTaken(id, 0.5);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    // Like a UUID of version 7 whose random part is a counter, which is the worst there can be.
    private static Guid IdOf(int i) => new($"0198a7b2-c3d4-7000-8000-{i:x12}");
}
