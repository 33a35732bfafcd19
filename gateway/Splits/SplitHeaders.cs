using Yarp.ReverseProxy.Transforms;

namespace MlOps.Gateway.Splits;

/// <summary>How the choice travels: to Inference with the request, to the caller with the answer.</summary>
internal static class SplitHeaders
{
    /// <summary>Version number or alias that is to answer.</summary>
    public const string Version = "x-mlops-model-version";

    /// <summary>Name of the arm.</summary>
    public const string Variant = "x-mlops-variant";
}

/// <summary>Tells the caller which arm it got, where Inference has not said so in more detail.</summary>
internal sealed class ChosenArmHeaders : ResponseTransform
{
    public override ValueTask ApplyAsync(ResponseTransformContext context)
    {
        if (context.HttpContext.Features.Get<SplitArm>() is { } arm)
        {
            var headers = context.HttpContext.Response.Headers;
            headers.TryAdd(SplitHeaders.Version, arm.Version);
            headers.TryAdd(SplitHeaders.Variant, arm.Variant);
        }

        return ValueTask.CompletedTask;
    }
}
