using MlOps.Numerics.Assignment;

namespace MlOps.Numerics.Tests.Assignment;

public class SubjectHashTests
{
    /// <summary>The version 2 vectors GrowthBook publishes for its SDKs (cases.json, "hash").</summary>
    [Theory]
    [InlineData("seed", "a", 0.0505)]
    [InlineData("seed", "b", 0.2696)]
    [InlineData("foo", "ab", 0.2575)]
    [InlineData("foo", "def", 0.2019)]
    [InlineData("89123klj", "8952klfjas09ujkasdf", 0.124)]
    [InlineData("90850943850283058242805", "123", 0.7516)]
    [InlineData("()**(%$##$%#$#", "___)((*\":&", 0.0128)]
    public void Buckets_are_GrowthBooks(string seed, string value, double bucket) =>
        Assert.Equal(bucket, SubjectHash.Bucket(seed, value));

    [Fact]
    public void Text_beyond_ASCII_is_hashed_by_code_unit()
    {
        // FNV-1a over the units D83D, DE00 of one emoji, its decimal text hashed again.
        var inner = 2_166_136_261u;
        foreach (var unit in "s\ud83d\ude00")
            inner = unchecked((inner ^ unit) * 16_777_619u);
        var outer = 2_166_136_261u;
        foreach (var digit in inner.ToString(System.Globalization.CultureInfo.InvariantCulture))
            outer = unchecked((outer ^ digit) * 16_777_619u);

        Assert.Equal(outer % 10_000 / 10_000.0, SubjectHash.Bucket("s", "\ud83d\ude00"));
    }

    [Fact]
    public void Hashing_allocates_nothing()
    {
        SubjectHash.Bucket("seed", "warm");
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 1_000; i++)
            SubjectHash.Bucket("seed", "a subject key of ordinary length");

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Buckets_are_uniform_and_two_seeds_are_independent()
    {
        const int Subjects = 100_000;
        var cells = new int[10, 10];
        for (var i = 0; i < Subjects; i++)
        {
            var first = SubjectHash.Bucket("one", $"user-{i}");
            Assert.InRange(first, 0, 0.9999);
            cells[(int)(first * 10), (int)(SubjectHash.Bucket("two", $"user-{i}") * 10)]++;
        }

        var expected = Subjects / 100.0;
        var chiSquare = cells.Cast<int>().Sum(count => (count - expected) * (count - expected) / expected);
        // 99 degrees of freedom: the mean is 99, 99.99 % of draws lie below 161.
        Assert.InRange(chiSquare, 50, 161);
    }
}
