using MlOps.Numerics.Onnx;

namespace MlOps.Inference.Models.Backends;

/// <summary>Links in the graph's own float32 steps; within 1e-6 of ONNX Runtime.</summary>
internal static class ScoreLinks
{
    public static void Apply(ScoreLink link, Span<float> scores)
    {
        switch (link)
        {
            case ScoreLink.Logistic:
                foreach (ref var score in scores) score = 1 / (MathF.Exp(-score) + 1);
                break;
            case ScoreLink.Exponential:
                foreach (ref var score in scores) score = MathF.Exp(score);
                break;
            case ScoreLink.Identity:
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(link), link, "is not taken of one score alone");
        }
    }
}
