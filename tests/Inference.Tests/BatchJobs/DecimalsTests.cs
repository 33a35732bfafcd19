using System.Globalization;
using System.Text;
using MlOps.Inference.BatchJobs.Rows;

namespace MlOps.Inference.Tests.BatchJobs;

public sealed class DecimalsTests
{
    [Theory]
    [InlineData("0")]
    [InlineData("-0.0")]
    [InlineData("1e-45")]
    [InlineData("1.17549435e-38")]
    [InlineData("1.1754943e-38")]
    [InlineData("3.4028235e38")]
    [InlineData("3.4028236e38")]
    [InlineData("1e39")]
    [InlineData("16777217")]
    [InlineData("16777217.0000001")]
    [InlineData("33554434.5")]
    [InlineData("0.500000089406967163085938")] // the middle of two floats, rounded down by the digits behind
    [InlineData("7.038531e-26")]
    [InlineData("9007199254740993")]
    [InlineData("12345678901234567890123")]
    [InlineData(".5")]
    [InlineData("5.")]
    [InlineData("+5")]
    [InlineData("1E+2")]
    [InlineData("NaN")]
    [InlineData("-Infinity")]
    public void A_number_is_what_the_runtime_reads(string text) => AssertSame(text);

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData(".")]
    [InlineData("1e")]
    [InlineData("1e+")]
    [InlineData("1..2")]
    [InlineData("1,2")]
    [InlineData("0x1")]
    [InlineData("1 2")]
    [InlineData("one")]
    public void What_is_no_number_is_refused(string text)
    {
        Assert.False(Decimals.TryFloat(Encoding.UTF8.GetBytes(text), out _));
        Assert.False(Decimals.TryDouble(Encoding.UTF8.GetBytes(text), out _));
    }

    [Fact]
    public void Random_numbers_in_many_forms_are_read_to_the_bit()
    {
        var random = new Random(7);
        for (var i = 0; i < 200_000; i++)
        {
            var single = BitConverter.Int32BitsToSingle(random.Next());
            if (float.IsFinite(single)) AssertSame(single.ToString("R", CultureInfo.InvariantCulture));
            AssertSame(((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-12, 12))).ToString($"G{random.Next(1, 18)}", CultureInfo.InvariantCulture));
            AssertSame($"{random.Next(-100_000, 100_000)}.{random.Next(1_000_000)}e{random.Next(-40, 40)}");
        }
    }

    [Fact]
    public void The_middle_between_two_floats_and_its_neighbours_are_rounded_once()
    {
        var random = new Random(11);
        for (var i = 0; i < 20_000; i++)
        {
            var below = BitConverter.Int32BitsToSingle(random.Next(1 << 23, 0x7F00_0000));
            var middle = ((double)below + BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(below) + 1)) / 2;
            foreach (var value in new[] { middle, Math.BitIncrement(middle), Math.BitDecrement(middle) })
            {
                AssertSame(value.ToString("G17", CultureInfo.InvariantCulture));
                AssertSame(new decimal(Math.Clamp(value, 0, 1e20)).ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    private static void AssertSame(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        Assert.True(Decimals.TryFloat(utf8, out var single), text);
        Assert.True(Decimals.TryDouble(utf8, out var number), text);
        Assert.Equal(BitConverter.SingleToInt32Bits(float.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture)), BitConverter.SingleToInt32Bits(single));
        Assert.Equal(BitConverter.DoubleToInt64Bits(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture)), BitConverter.DoubleToInt64Bits(number));
    }
}
