using MlOps.Gateway.Access;

namespace MlOps.Gateway.Tests.Access;

public sealed class RouteTreeTests
{
    private static readonly RouteTree Tree = new(AccessTable.Rules);

    [Theory]
    [InlineData("GET", "/v2", "GET /v2", "")]
    [InlineData("GET", "/v2/", "GET /v2", "")]
    [InlineData("POST", "/v2/models/m/infer", "POST /v2/models/{model}/infer", "m")]
    [InlineData("post", "/V2/Models/m/INFER", "POST /v2/models/{model}/infer", "m")]
    [InlineData("GET", "/v2/models/stats", "GET /v2/models/stats", "")]
    [InlineData("GET", "/v2/models/stats/ready", "GET /v2/models/{model}/ready", "stats")]
    [InlineData("POST", "/v1/models/m:predict", "POST /v1/models/{model}:predict", "m")]
    [InlineData("POST", "/v1/models/a:b:predict", "POST /v1/models/{model}:predict", "a:b")]
    [InlineData("POST", "/v1/models/m/versions/3:predict", "POST /v1/models/{model}/versions/{version}:predict", "m")]
    [InlineData("POST", "/v1/models/m:predict/predict", "POST /v1/models/{model}/predict", "m:predict")]
    [InlineData("GET", "/v1/models/m:predict", "GET /v1/models/{model}", "m:predict")]
    [InlineData("POST", "/v2/models/versions/versions/versions/infer", "POST /v2/models/{model}/versions/{version}/infer", "versions")]
    [InlineData("POST", "/v2/repository/models/m/load", "POST /v2/repository/models/{model}/load", "m")]
    [InlineData("POST", "/v2/models/a%2Fb/infer", "POST /v2/models/{model}/infer", "a%2Fb")]
    public void A_path_finds_its_line_and_its_model(string method, string path, string route, string model)
    {
        Assert.True(Tree.TryFind(method, path, out var rule, out var range));
        Assert.Equal((route, model), (rule.Route, path[range]));
    }

    [Theory]
    [InlineData("DELETE", "/v2/models/m/infer")]
    [InlineData("GET", "/v2/models/m/infer")]
    [InlineData("GET", "/v2/models//ready")]
    [InlineData("GET", "/v2//models")]
    [InlineData("GET", "/v2/models/m//")]
    [InlineData("GET", "/v2//")]
    [InlineData("POST", "/v1/models/:predict")]
    [InlineData("GET", "/")]
    [InlineData("GET", "")]
    [InlineData("GET", "/v2/models/m/versions")]
    [InlineData("GET", "/nothing")]
    public void What_is_not_listed_is_not_found(string method, string path)
    {
        Assert.False(Tree.TryFind(method, path, out _, out _));
    }

    [Fact]
    public void Looking_up_allocates_nothing()
    {
        Assert.Equal(2_000, Found(1_000));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Found(1_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static int Found(int times)
        {
            var found = 0;
            for (var i = 0; i < times; i++)
            {
                if (Tree.TryFind("POST", "/v2/models/flight-delay/infer", out _, out _)) found++;
                if (Tree.TryFind("POST", "/v1/models/flight-delay:predict", out _, out _)) found++;
            }

            return found;
        }
    }
}
