using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Transforms;

namespace MlOps.Gateway.Splits;

/// <summary>How the choice travels: to Inference with the request, to the caller with the answer.</summary>
internal static class SplitHeaders
{
    /// <summary>Version number or alias that is to answer.</summary>
    public const string Version = "x-mlops-model-version";

    /// <summary>Name of the arm.</summary>
    public const string Variant = "x-mlops-variant";

    /// <summary>What is shed first under overload: shadow, then canary, then stable.</summary>
    public const string Tier = "x-mlops-tier";

    /// <summary>On a shadow copy: whose it is.</summary>
    public const string ShadowOf = "x-mlops-shadow-of";

    /// <summary>In every answer of Inference, and in no request.</summary>
    public const string PredictionId = "x-mlops-prediction-id";

    /// <summary>From testers: the arm they want. It ends here.</summary>
    public const string ForceArm = "x-mlops-force-arm";

    /// <summary>In the answer: why it is this arm.</summary>
    public const string Assignment = "x-mlops-assignment";

    /// <summary>From the caller: what a request without a subject is told from others by, so that its repetition meets the same arm.</summary>
    public const string RequestId = "x-request-id";

    /// <summary>Names the model of a call to /invocations.</summary>
    public const string Model = "x-mlops-model";

    /// <summary>Takes away what only the gateway may say, however a client spelt or repeated it.</summary>
    public static void Strip(IHeaderDictionary headers)
    {
        headers.Remove(Version);
        headers.Remove(Variant);
        headers.Remove(Tier);
        headers.Remove(ShadowOf);
        headers.Remove(PredictionId);
        headers.Remove(Assignment);
        headers.Remove(ForceArm);
    }

    /// <summary>A header that came more than once is one list (RFC 9110, section 5.3), in the form in which it is passed on.</summary>
    public static string? One(in StringValues values) => values.Count <= 1 ? (string?)values : string.Join(", ", values.ToArray());
}

/// <summary>Tells the caller which arm it got and why, where Inference has not said so in more detail.</summary>
internal sealed class ChosenArmHeaders : ResponseTransform
{
    public override ValueTask ApplyAsync(ResponseTransformContext context)
    {
        if (context.HttpContext.Features.Get<Assignment>() is { } assignment)
        {
            var headers = context.HttpContext.Response.Headers;
            headers.TryAdd(SplitHeaders.Version, assignment.Arm.Version);
            headers.TryAdd(SplitHeaders.Variant, assignment.Arm.Variant);
            headers[SplitHeaders.Assignment] = assignment.Reason;
        }

        return ValueTask.CompletedTask;
    }
}
