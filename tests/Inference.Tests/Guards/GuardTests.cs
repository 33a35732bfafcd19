using Microsoft.Extensions.Configuration;
using MlOps.Inference.Guards;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Tests.Guards;

/// <summary>What the guard finds in values, beside an oracle that looks at each of them.</summary>
public sealed class GuardTests
{
    private static readonly GuardSettings AllOff = new() { Range = GuardAction.Off, Category = GuardAction.Off, Missing = GuardAction.Off };

    [Fact]
    public void Without_a_profile_or_a_check_there_is_no_guard()
    {
        using var without = Delay(new GuardSettings(), null);
        using var off = Delay(AllOff, Profiles.Delay);
        using var on = Delay(new GuardSettings(), Profiles.Delay);

        Assert.Null(without.Guard);
        Assert.Null(off.Guard);
        Assert.NotNull(on.Guard);
    }

    [Theory]
    [InlineData(500, 12, "ATL", "")]
    [InlineData(0, 0, "ORD", "")]
    [InlineData(1000, 23, "ORD", "")]
    [InlineData(float.NaN, 12, "ATL", "")]
    [InlineData(1000.001f, 12, "ATL", "range:distance")]
    [InlineData(-1, 24, "ATL", "range:distance,range:hour")]
    [InlineData(500, 12, "atl", "category:origin")]
    [InlineData(500, 12, "", "missing:origin")]
    [InlineData(1001, 12, "DTW", "range:distance,category:origin")]
    public void Values_unlike_those_of_training_are_flagged_in_the_order_of_the_inputs(float distance, float hour, string origin, string flags)
    {
        using var model = Delay(new GuardSettings(), Profiles.Delay);
        using var workspace = Filled(model, [distance], [hour], [origin]);

        Assert.False(model.Guard!.Check(workspace, mayFallBack: true));

        Assert.Equal(flags, string.Join(',', workspace.Flags));
    }

    [Fact]
    public void Each_kind_of_finding_is_flagged_once_whatever_the_rows_and_counted_once()
    {
        using var model = Delay(new GuardSettings(), Profiles.Delay);
        using var workspace = Filled(model, [1, 2000, float.NaN, -5], [1, 2, 3, 30], ["ATL", "LAX", "", "DTW"]);

        model.Guard!.Check(workspace, mayFallBack: true);

        Assert.Equal(["range:distance", "range:hour", "category:origin", "missing:origin"], workspace.Flags);
        Assert.Equal(
            [("range", "flag", 2L), ("category", "flag", 1), ("missing", "flag", 1)],
            model.Decisions.Read().Select(c => (c.Check, c.Decision, c.Count)));
    }

    [Fact]
    public void A_check_that_finds_nothing_counts_as_passed_and_one_that_is_off_as_nothing()
    {
        using var model = Delay(new GuardSettings { Category = GuardAction.Off }, Profiles.Delay);
        using var workspace = Filled(model, [1], [1], ["LAX"]);

        model.Guard!.Check(workspace, mayFallBack: true);
        model.Guard.Check(workspace, mayFallBack: true);

        Assert.Empty(workspace.Flags);
        Assert.Equal(
            [("range", "pass", 2L), ("missing", "pass", 2)], model.Decisions.Read().Select(c => (c.Check, c.Decision, c.Count)));
    }

    [Fact]
    public void A_refusal_names_every_input_with_its_rule_and_the_first_row_that_breaks_it()
    {
        using var model = Delay(
            new GuardSettings { Range = GuardAction.Reject, Category = GuardAction.Reject, Missing = GuardAction.Reject }, Profiles.Delay);
        using var workspace = Filled(model, [1, -1, 5000], [1, 2, 3], ["ATL", "ORD", "LAX"]);

        var refused = Assert.Throws<InvalidRequestException>(() => model.Guard!.Check(workspace, mayFallBack: true));

        Assert.Equal("INPUT_UNLIKE_TRAINING", refused.Code);
        Assert.Equal(
            [("distance", "is below the range of training, 0 to 1000 (row 1)"), ("origin", "is a category training never saw (row 2)")],
            refused.Violations.Select(v => (v.Field, v.Rule)));
        Assert.Equal(["range:distance", "category:origin"], workspace.Flags);
        Assert.Contains(new DecisionCount("range", "reject", 1), model.Decisions.Read());
    }

    [Fact]
    public void Fallback_is_asked_for_and_only_flagged_in_the_version_that_stands_in()
    {
        using var model = Delay(new GuardSettings { Range = GuardAction.Fallback, Version = "1" }, Profiles.Delay);
        using var workspace = Filled(model, [-1], [1], ["ATL"]);

        Assert.True(model.Guard!.Check(workspace, mayFallBack: true));
        Assert.False(model.Guard.Check(workspace, mayFallBack: false));

        Assert.Equal(["range:distance"], workspace.Flags);
        Assert.Equal(
            [("flag", 1L), ("fallback", 1)],
            model.Decisions.Read().Where(c => c.Check == "range").Select(c => (c.Decision, c.Count)));
    }

    [Fact]
    public void What_a_single_input_has_otherwise_holds_for_it_alone()
    {
        using var model = Delay(
            new GuardSettings
            {
                Range = GuardAction.Reject,
                Inputs = new() { ["hour"] = new() { Range = GuardAction.Flag }, ["distance"] = new() { Margin = 0.1 } },
            },
            Profiles.Delay);
        using var within = Filled(model, [1100], [99], ["ATL"]);
        using var beyond = Filled(model, [1100.5f], [1], ["ATL"]);

        Assert.False(model.Guard!.Check(within, mayFallBack: true));
        Assert.Equal(["range:hour"], within.Flags);
        Assert.Throws<InvalidRequestException>(() => model.Guard.Check(beyond, mayFallBack: true));
    }

    [Fact]
    public void The_range_may_be_that_of_the_quantiles()
    {
        using var model = Delay(new GuardSettings { RangeOf = GuardRange.Quantiles }, Profiles.Delay);
        using var workspace = Filled(model, [5], [12], ["ATL"]);

        model.Guard!.Check(workspace, mayFallBack: true);

        Assert.Equal(["range:distance"], workspace.Flags);
    }

    [Fact]
    public void The_single_next_to_a_double_of_training_is_the_same_value()
    {
        // 0.1f is above 0.1, 0.3f below 0.3.
        var profile = new ReferenceProfile { Features = [FeatureProfile.Numeric("x", [0.3, 0.1])] };
        Assert.True(0.1f > 0.1 && 0.7f < 0.7);
        foreach (var (least, greatest) in ((double, double)[])[(0.7, 0.7), (0.1, 0.1), (-0.1, 0.1), (-0.7, 0.7)])
        {
            profile = new ReferenceProfile { Features = [FeatureProfile.Numeric("x", [least, greatest])] };
            using var model = Times(new GuardSettings(), profile);
            using var workspace = model.RentWorkspace(0);
            Give(workspace, "x", [(float)least, (float)greatest], (slot, value) => slot.Append(value));
            workspace.Check(new Violations());

            model.Guard!.Check(workspace, mayFallBack: true);

            Assert.Empty(workspace.Flags);
        }
    }

    [Fact]
    public void An_input_training_had_no_value_of_is_outside_whatever_it_is()
    {
        using var model = Times(new GuardSettings(), new ReferenceProfile { Features = [FeatureProfile.Numeric("x", [double.NaN])] });
        using var workspace = model.RentWorkspace(0);
        Give(workspace, "x", [0f], (slot, value) => slot.Append(value));
        workspace.Check(new Violations());

        model.Guard!.Check(workspace, mayFallBack: true);

        Assert.Equal(["range:x"], workspace.Flags);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(1001)]
    public void One_value_outside_is_found_wherever_it_is(int rows)
    {
        using var model = Times(new GuardSettings(), new ReferenceProfile { Features = [FeatureProfile.Numeric("x", [-1d, 1])] });
        for (var at = 0; at < rows; at += 1 + (rows / 40))
        {
            foreach (var (value, flag) in ((float, string)[])[(1.0000001f, "range:x"), (-7, "range:x"), (1, ""), (-1, "")])
            {
                using var workspace = model.RentWorkspace(0);
                Give(workspace, "x", [.. Enumerable.Range(0, rows).Select(row => row == at ? value : 0.5f)], (slot, one) => slot.Append(one));
                workspace.Check(new Violations());

                model.Guard!.Check(workspace, mayFallBack: true);

                Assert.Equal(flag, string.Join(',', workspace.Flags));
            }
        }
    }

    [Theory]
    [InlineData("FP32")]
    [InlineData("FP64")]
    [InlineData("INT64")]
    [InlineData("UINT8")]
    [InlineData("FP16")]
    [InlineData("BF16")]
    public void Of_several_values_a_row_each_is_held_against_its_own_profile(string datatype)
    {
        var random = new Random(7);
        for (var round = 0; round < 50; round++)
        {
            var profile = new ReferenceProfile
            {
                Features = [FeatureProfile.Numeric("x[0]", [10d, 100]), FeatureProfile.Numeric("x[1]", [0d, 5])],
            };
            using var model = Echo(datatype, profile);
            using var workspace = model.RentWorkspace(0);
            var values = Enumerable.Range(0, 8).Select(_ => random.Next(8) == 0 ? random.Next(0, 120) : 10 * random.Next(2) + random.Next(6)).ToArray();
            var slot = workspace.Inputs[0];
            slot.TryBegin(new Violations());
            slot.TryShape(datatype, [4, 2], new Violations());
            foreach (var value in values)
            {
                if (slot.Layout.Datatype.IsFloating) Columns.AppendNumber(slot, value);
                else Columns.TryAppendInteger(slot, value);
            }

            workspace.Check(new Violations());
            model.Guard!.Check(workspace, mayFallBack: true);

            string[] expected =
            [
                .. values.Where((value, i) => i % 2 == 0 && (value < 10 || value > 100)).Any() ? ["range:x[0]"] : (string[])[],
                .. values.Where((value, i) => i % 2 == 1 && value > 5).Any() ? ["range:x[1]"] : (string[])[],
            ];
            Assert.Equal(expected, workspace.Flags);
        }
    }

    [Theory]
    [InlineData("Guard:Range", "Fallback", "Guard", "Version must name what answers")]
    [InlineData("Guard:Inputs:x:Missing", "Fallback", "Guard", "Version must name what answers")]
    [InlineData("Guard:Margin", "-1", "Guard", "Margin")]
    [InlineData("Guard:Inputs:x:Margin", "1001", "Guard", "Inputs:x:Margin must be between 0 and 1000")]
    [InlineData("Guard:Range", "Sometimes", "Guard", "Sometimes")]
    [InlineData("Features:WhenMissing", "Fallback", "Features", "Version must name what answers")]
    [InlineData("Features:WhenStale", "Default", "Features", "for single inputs only")]
    [InlineData("Features:Inputs:hour:WhenStale", "Default", "Features", "Inputs:hour:Default must be given")]
    [InlineData("Features:MaxAge", "00:00:00", "Features", "longer than 0")]
    [InlineData("Features:Inputs:hour:MaxAge", "-00:00:01", "Features", "longer than 0")]
    public void A_setting_that_cannot_be_is_named_at_start(string key, string value, string part, string rule)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            [KeyValuePair.Create($"Inference:Models:delay:{key}", (string?)value)]).Build();

        var message = Assert.Throws<InvalidOperationException>(() => new ModelSettingsBook(configuration)).Message;

        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Contains(rule, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_default_that_is_not_of_its_inputs_datatype_keeps_the_version_from_loading()
    {
        var settings = new ModelSettings
        {
            Features = new() { Inputs = new() { ["hour"] = new() { WhenMissing = FeatureAction.Default, Default = "noon" } } },
        };
        var model = new SampleModel("delay", Graphs.Delay(), Graphs.DelaySignature);

        var refused = Assert.Throws<InvalidDataException>(() => model.Open(settings));

        Assert.Contains("Features:Inputs:hour:Default 'noon' is no FP32", refused.Message, StringComparison.Ordinal);
    }

    private static LoadedModel Delay(GuardSettings settings, ReferenceProfile? profile) =>
        new SampleModel("delay", Graphs.Delay(), Graphs.DelaySignature).Open(new ModelSettings { Guard = settings }, profile);

    private static LoadedModel Times(GuardSettings settings, ReferenceProfile? profile) =>
        new SampleModel("times", Graphs.Times(2), Graphs.TimesSignature).Open(new ModelSettings { Guard = settings }, profile);

    private static LoadedModel Echo(string datatype, ReferenceProfile profile) => new SampleModel(
        "echo", Graphs.Echo(Graphs.Types.Single(type => type.Datatype == datatype).OnnxType), Graphs.EchoSignature(datatype)).Open(null, profile);

    private static Workspace Filled(LoadedModel model, float[] distance, float[] hour, string[] origin)
    {
        var workspace = model.RentWorkspace(0);
        Give(workspace, "distance", distance, (slot, value) => slot.Append(value));
        Give(workspace, "hour", hour, (slot, value) => slot.Append(value));
        Give(workspace, "origin", origin, (slot, value) => slot.TryAppendText(System.Text.Encoding.UTF8.GetBytes(value)));
        workspace.Check(new Violations());
        return workspace;
    }

    private static void Give<T>(Workspace workspace, string input, T[] values, Action<InputSlot, T> append)
    {
        var slot = workspace.Find(input)!; // The sample has it.
        Assert.True(slot.TryBegin(new Violations()) && slot.TryShape(slot.Layout.Datatype.Name, [values.Length, 1], new Violations()));
        foreach (var value in values) append(slot, value);
    }
}
