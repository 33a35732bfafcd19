using System.Text;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Tests.Splits;

public sealed class PolicyFileReaderTests
{
    private static readonly DateTimeOffset Written = new(2025, 3, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_policy_is_what_the_api_takes_with_the_same_defaults()
    {
        var (file, errors) = Read(
            """
            {
              // Comments are for people.
              "policies": [
                { "model": "m", "arms": [{ "name": "a", "version": "1", "weight": 0.9 }, { "name": "b", "version": "canary", "weight": 0.1 }],
                  "coverage": 0.5, "subject_header": "X-User" },
                { "model": "n", "arms": [{ "name": "a", "version": "1", "weight": 1 }], "salt": "s" },
              ]
            }
            """);
        Assert.Empty(errors);
        Assert.NotNull(file);
        Assert.Equal(["m", "n"], file.Policies.Select(p => p.Model));
        var (first, second) = (file.Policies[0], file.Policies[1]);
        Assert.Equal(("m", 0.5, "x-user", 0L, "file"), (first.Salt, first.Coverage, first.SubjectHeader, first.Revision, first.Owner));
        Assert.Equal([new PolicyArm("a", "1", 0.9), new PolicyArm("b", "canary", 0.1)], first.Arms);
        Assert.Equal(("s", 1.0, "x-mlops-subject", Written), (second.Salt, second.Coverage, second.SubjectHeader, second.UpdatedAt));
    }

    [Fact]
    public void Everything_wrong_in_the_whole_file_is_said_at_once()
    {
        var (file, errors) = Read(
            """
            {
              "polices": [],
              "policies": [
                { "model": "m", "arms": [{ "name": "a", "version": "1", "weight": "half" }, { "name": "a", "version": "latest", "weight": 0.4, "wieght": 1 }], "coverrage": 1 },
                7,
                { "model": 3, "arms": {}, "coverage": 2 },
                { "model": "m", "arms": [{ "name": "a", "version": "1", "weight": 1 }] }
              ]
            }
            """);
        Assert.Null(file);
        Assert.Equal(
            [
                "policies[0].arms", "policies[0].arms[0].weight", "policies[0].arms[1].name", "policies[0].arms[1].version",
                "policies[0].arms[1].wieght", "policies[0].coverrage", "policies[1]", "policies[1].arms", "policies[1].model",
                "policies[2].arms", "policies[2].coverage", "policies[2].model", "policies[3].model", "polices",
            ],
            errors.Select(e => e.Field).Order(StringComparer.Ordinal).OrderBy(f => f == "polices"));
        Assert.Contains(errors, e => e is { Field: "policies[0].arms[0].weight", Rule: "must be a number" });
        Assert.Contains(errors, e => e.Field == "policies[0].coverrage" && e.Rule.Contains("coverage", StringComparison.Ordinal));
    }

    [Fact]
    public void The_sample_breaks_no_rule()
    {
        var violations = new Violations();
        var file = PolicyFileReader.Read(
            File.ReadAllBytes(Path.Combine(TestServers.Repository.Root, "samples", "gateway", "policies.json")), Written, violations);
        Assert.Empty(violations.Found);
        Assert.Equal(0.05, file?.Holdout?.Share);
        Assert.Equal(new PolicyLayer("delays", 0, 0.5), file?.Policies[0].Layer);
    }

    [Fact]
    public void Layers_and_the_holdout_have_their_rules_too()
    {
        var (_, errors) = Read(
            """
            {
              "holdout": { "share": 1.5, "sald": "x" },
              "policies": [
                { "model": "a", "arms": [{ "name": "a", "version": "1", "weight": 1 }], "layer": { "name": "l", "start": 0, "end": 0.5 } },
                { "model": "b", "arms": [{ "name": "a", "version": "1", "weight": 1 }], "layer": { "name": "l", "start": 0.4, "end": 0.6 } },
                { "model": "c", "arms": [{ "name": "a", "version": "1", "weight": 1 }], "layer": { "name": "m", "start": 0.9 }, "subject_json": "x" }
              ]
            }
            """);
        Assert.Equal(
            ["holdout.sald", "holdout.share", "policies[1].layer", "policies[2].layer.end", "policies[2].subject_json"],
            errors.Select(e => e.Field).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"policies": [], "policies": []}""")]
    [InlineData("nonsense")]
    [InlineData("""{"policies": [], "\ud800": 1}""")]
    public void What_is_no_json_is_one_error_with_its_place(string text)
    {
        var (file, errors) = Read(text);
        Assert.Null(file);
        Assert.Equal("file", Assert.Single(errors).Field);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    public void A_file_is_an_object(string text) => Assert.Equal(new FieldViolation("file", "must be an object"), Assert.Single(Read(text).Errors));

    [Fact]
    public void A_byte_order_mark_is_no_reason_to_complain()
    {
        var violations = new Violations();
        var file = PolicyFileReader.Read(Encoding.UTF8.GetPreamble().Concat("""{"policies":[]}"""u8.ToArray()).ToArray(), Written, violations);
        Assert.Empty(violations.Found);
        Assert.Empty(file?.Policies ?? throw new InvalidOperationException("not read"));
    }

    private static (PolicyFile? File, IReadOnlyList<FieldViolation> Errors) Read(string text)
    {
        var violations = new Violations();
        return (PolicyFileReader.Read(Encoding.UTF8.GetBytes(text), Written, violations), violations.Found);
    }
}
