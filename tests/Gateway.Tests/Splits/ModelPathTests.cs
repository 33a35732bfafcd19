using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Tests.Splits;

public sealed class ModelPathTests
{
    [Theory]
    [InlineData("/v2/models/flight-delay", "flight-delay", false)]
    [InlineData("/v2/models/flight-delay/infer", "flight-delay", false)]
    [InlineData("/V2/Models/flight-delay/infer", "flight-delay", false)]
    [InlineData("/v2/models/flight-delay/versions/3/infer", "flight-delay", true)]
    [InlineData("/v1/models/flight-delay", "flight-delay", false)]
    [InlineData("/v1/models/flight-delay:predict", "flight-delay", false)]
    [InlineData("/v1/models/flight-delay/predict", "flight-delay", false)]
    [InlineData("/v1/models/flight-delay/versions/3:predict", "flight-delay", true)]
    [InlineData("/v1/models/flight-delay/aliases/shadow/predict", "flight-delay", true)]
    [InlineData("/v1/models/flight-delay/labels/stable:predict", "flight-delay", true)]
    [InlineData("/v1/models/flight-delay/replay", "flight-delay", true)]
    public void The_model_is_the_segment_after_models(string path, string model, bool namesVersion)
    {
        Assert.True(ModelPath.TryRead(path, out var found, out var named));
        Assert.Equal(model, found.ToString());
        Assert.Equal(namesVersion, named);
    }

    [Theory]
    [InlineData("/v1/models/flight-delay:explain", true)]
    [InlineData("/v1/models/flight-delay/versions/3:Explain", true)]
    [InlineData("/v1/models/flight-delay/explain", true)]
    [InlineData("/v1/models/flight-delay/predict", false)]
    [InlineData("/v1/models/explain:predict", false)]
    public void What_only_explains_is_known_by_its_verb(string path, bool isExplanation) =>
        Assert.Equal(isExplanation, ModelPath.IsExplanation(path));

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/v2")]
    [InlineData("/v2/models")]
    [InlineData("/v2/models/")]
    [InlineData("/v2/models//infer")]
    [InlineData("/v2/health/ready")]
    [InlineData("/v1/traffic-policies/flight-delay")]
    public void Other_paths_name_no_model(string path) => Assert.False(ModelPath.TryRead(path, out _, out _));
}
