using System.Text.RegularExpressions;
using MlOps.Gateway.Access;

namespace MlOps.Gateway.Tests.Access;

public sealed class GrantTests
{
    [Theory]
    [InlineData("*", "anything", true)]
    [InlineData("*", "", true)]
    [InlineData("fraud", "fraud", true)]
    [InlineData("fraud", "fraud-2", false)]
    [InlineData("fraud", "Fraud", false)]
    [InlineData("fraud-*", "fraud-2", true)]
    [InlineData("fraud-*", "fraud-", true)]
    [InlineData("fraud-*", "fraud", false)]
    [InlineData("*-eu", "fraud-eu", true)]
    [InlineData("*-eu", "fraud-eu-2", false)]
    [InlineData("a*b*c", "a-b-b-c", true)]
    [InlineData("a*b*c", "a-c-b", false)]
    [InlineData("**", "x", true)]
    public void A_star_stands_for_anything(string pattern, string model, bool covers) =>
        Assert.Equal(covers, Grant.Matches(pattern, model));

    [Fact]
    public void Patterns_match_as_the_regular_expression_they_stand_for()
    {
        var random = new Random(17);
        for (var i = 0; i < 20_000; i++)
        {
            var pattern = Word("ab*", 6);
            var model = Word("ab", 8);
            var expected = Regex.IsMatch(model, $@"\A{Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal)}\z");
            Assert.True(expected == Grant.Matches(pattern, model), $"{pattern} on {model}");
        }

        string Word(string letters, int longest) =>
            new([.. Enumerable.Range(0, random.Next(longest + 1)).Select(_ => letters[random.Next(letters.Length)])]);
    }

    [Fact]
    public void A_right_reaches_as_far_as_the_grant_that_gives_it()
    {
        var caller = new Caller("key:x", [new Grant(Find("viewer"), "*"), new Grant(Find("operator"), "fraud-*")]);

        Assert.True(caller.May(Right.Read, "anything"));
        Assert.True(caller.May(Right.Operate, "fraud-eu"));
        Assert.False(caller.May(Right.Operate, "churn"));
        Assert.True(caller.MaySomewhere(Right.Operate));
        Assert.False(caller.MayEverywhere(Right.Operate));
        Assert.False(caller.May(Right.Operate, ""));
        Assert.True(caller.May(Right.Read | Right.Operate, "churn"));
        Assert.False(caller.MaySomewhere(Right.Approve));
    }

    [Fact]
    public void Every_role_may_predict_and_predict_may_nothing_else()
    {
        Assert.All(Role.All, role => Assert.True(role.Rights.HasFlag(Right.Predict), role.Name));
        Assert.Equal(Right.Predict, Find("predict").Rights);
        Assert.All(Enum.GetValues<Right>(), right => Assert.True(Role.Admin.Rights.HasFlag(right), right.ToString()));
    }

    private static Role Find(string name) => Role.Find(name) ?? throw new InvalidOperationException(name);
}
