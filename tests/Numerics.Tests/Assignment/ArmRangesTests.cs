using FsCheck;
using FsCheck.Fluent;
using MlOps.Numerics.Assignment;

namespace MlOps.Numerics.Tests.Assignment;

public class ArmRangesTests
{
    [Theory]
    [InlineData(0.0, 0)]
    [InlineData(0.0449, 0)]
    [InlineData(0.45, -1)]
    [InlineData(0.8999, -1)]
    [InlineData(0.9, 1)]
    [InlineData(0.9499, 1)]
    [InlineData(0.9501, -1)]
    [InlineData(0.9999, -1)]
    public void At_half_coverage_each_arm_has_the_first_half_of_its_range(double bucket, int arm) =>
        Assert.Equal(arm, ArmRanges.Choose([0.9, 0.1], 0.5, bucket));

    [Fact]
    public void At_full_coverage_everyone_has_an_arm_and_shares_are_the_weights()
    {
        double[] weights = [0.1, 0.2, 0.7];
        var counts = new int[3];
        for (var step = 0; step < 10_000; step++)
            counts[ArmRanges.Choose(weights, 1, step / 10_000.0)]++;

        Assert.Equal(10_000, counts.Sum());
        for (var arm = 0; arm < 3; arm++) // 0.1 + 0.2 in double is a little more than 0.3
            Assert.InRange(counts[arm], 10_000 * weights[arm] - 1.1, 10_000 * weights[arm] + 1.1);
    }

    [Fact]
    public void Raising_the_coverage_moves_nobody_who_has_an_arm() =>
        Prop.ForAll<NonEmptyArray<byte>, byte, byte>((raw, one, other) =>
        {
            var sum = Math.Max(1.0, raw.Get.Sum(value => (double)value));
            double[] weights = [.. raw.Get.Select(value => value / sum)];
            var (less, more) = (Math.Min(one, other) / 255.0, Math.Max(one, other) / 255.0);
            for (var subject = 0; subject < 200; subject++)
            {
                var bucket = SubjectHash.Bucket("ramp", $"user-{subject}");
                var before = ArmRanges.Choose(weights, less, bucket);
                Assert.True(before == -1 || before == ArmRanges.Choose(weights, more, bucket));
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Coverage_outside_0_to_1_counts_as_the_nearer_end()
    {
        Assert.Equal(-1, ArmRanges.Choose([1.0], -0.2, 0));
        Assert.Equal(0, ArmRanges.Choose([1.0], 1.5, 0.9999));
    }
}
