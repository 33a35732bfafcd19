using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Tests.Splits;

public sealed class TrafficPolicyRulesTests
{
    private static readonly TrafficPolicy Good = new(
        "flight-delay", [new PolicyArm("a", "1", 0.1), new PolicyArm("b", "champion", 0.2), new PolicyArm("c", "3", 0.7)],
        "salt", 0.5, "x-user", 0, default);

    [Fact]
    public void A_good_policy_breaks_no_rule() => Assert.Empty(FieldsOf(Good));

    [Fact]
    public void Everything_wrong_is_said_at_once()
    {
        var bad = new TrafficPolicy(
            "a/b",
            [
                new PolicyArm("", "latest", -0.1), new PolicyArm("x", "0", 0.5), new PolicyArm("x", "v3", double.NaN),
                new PolicyArm("y", "", 2),
            ],
            "tab\t", 1.5, "two words", -1, default);

        Assert.Equal(
            [
                "arms", "arms[0].name", "arms[0].version", "arms[0].weight", "arms[1].version", "arms[2].name", "arms[2].version",
                "arms[2].weight", "arms[3].version", "arms[3].weight", "coverage", "model", "revision", "salt", "subject_header",
            ],
            FieldsOf(bad));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(21)]
    public void One_to_twenty_arms(int count)
    {
        var arms = Enumerable.Range(0, count).Select(i => new PolicyArm($"a{i}", "1", 1.0 / count)).ToArray();
        Assert.Equal(["arms"], FieldsOf(Good with { Arms = arms }));
    }

    [Theory]
    [InlineData(0.5, true)]
    [InlineData(0.5 + 5e-10, true)]
    [InlineData(0.5 + 5e-9, false)]
    [InlineData(0.4, false)]
    public void Weights_sum_to_one(double second, bool isGood)
    {
        PolicyArm[] arms = [new("a", "1", 0.5), new("b", "2", second)];
        Assert.Equal(isGood, FieldsOf(Good with { Arms = arms }).Length == 0);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("2147483647", true)]
    [InlineData("champion", true)]
    [InlineData("shadow-2_b", true)]
    [InlineData("0", false)]
    [InlineData("01", false)]
    [InlineData("2147483648", false)]
    [InlineData("LATEST", false)]
    [InlineData("V12", false)]
    [InlineData("a.b", false)]
    [InlineData("a\r\nx-admin: 1", false)]
    public void A_version_is_a_number_or_an_alias(string version, bool isGood) =>
        Assert.Equal(isGood, FieldsOf(Good with { Arms = [new PolicyArm("a", version, 1)] }).Length == 0);

    private static string[] FieldsOf(TrafficPolicy policy)
    {
        var violations = new Violations();
        violations.CheckPolicy(policy);
        try
        {
            violations.ThrowIfAny("TRAFFIC_POLICY_INVALID");
            return [];
        }
        catch (InvalidRequestException e)
        {
            return [.. e.Violations.Select(v => v.Field).Order(StringComparer.Ordinal)];
        }
    }
}
