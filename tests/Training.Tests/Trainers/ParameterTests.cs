using MlOps.Training.Trainers;
using MlOps.Training.Trainers.Xgboost;

namespace MlOps.Training.Tests.Trainers;

public sealed class ParameterTests
{
    private static readonly XgboostTrainer Trainer = new(new XgboostLibrary());

    [Theory]
    [InlineData("max_depth", "6")]
    [InlineData("eta", "0.05")]
    [InlineData("learning_rate", "1")]
    [InlineData("num_boost_round", "400")]
    [InlineData("lambda", "0")]
    [InlineData("grow_policy", "lossguide")]
    public void Good_values_pass(string name, string value) => Assert.Null(Trainer.Check(name, value));

    [Theory]
    [InlineData("max_depth", "0", "an integer from 1 to 20")]
    [InlineData("max_depth", "6.5", "an integer from 1 to 20")]
    [InlineData("eta", "0", "a number in (0, 1]")]
    [InlineData("eta", "0,1", "a number in (0, 1]")]
    [InlineData("lambda", "-1", "a number of at least 0")]
    [InlineData("lambda", "NaN", "a number of at least 0")]
    [InlineData("grow_policy", "sideways", "one of depthwise, lossguide")]
    public void Bad_values_are_told_the_rule(string name, string value, string rule) =>
        Assert.Equal($"must be {rule}, not '{value}'", Trainer.Check(name, value));

    [Fact]
    public void An_unknown_name_is_told_what_there_is()
    {
        var told = Trainer.Check("max_dept", "6");
        Assert.Contains("is no parameter of xgboost", told);
        Assert.Contains("max_depth", told);
    }

    [Fact]
    public void Settings_hold_every_parameter_under_its_own_name()
    {
        var settings = TrainerSettings.Of(Trainer, [new("learning_rate", "0.3"), new("n_estimators", "7")], 1);
        Assert.Equal(0.3, settings.Number("eta"));
        Assert.Equal(7, settings.Integer("rounds"));
        Assert.Equal(6, settings.Integer("max_depth"));
        Assert.Equal(Trainer.Parameters.Count, settings.Values.Count);
    }
}
