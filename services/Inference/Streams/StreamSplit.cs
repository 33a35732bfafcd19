using MlOps.Contracts.Gateway.V1;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Assignment;
using Holdout = MlOps.Numerics.Assignment.Holdout;

namespace MlOps.Inference.Streams;

/// <summary>A traffic policy of the gateway made ready for messages: the same arm for the same subject as at the door.</summary>
internal sealed class StreamSplit
{
    private readonly TrafficPolicy _policy;
    private readonly SplitRule _rule;

    /// <param name="policy">As the gateway lists it, with all its values.</param>
    /// <param name="holdout">Null: nobody is held out.</param>
    public StreamSplit(TrafficPolicy policy, Holdout? holdout)
    {
        _policy = policy;
        _rule = new SplitRule(
            policy.Salt, [.. policy.Arms.Select(a => a.Weight)], policy.Coverage,
            policy.Layer is { } layer ? new LayerRange(layer.Name, layer.Start, layer.End) : null,
            // A policy of one arm is no experiment that anybody could be held out of.
            policy.Arms.Count > 1 && holdout is { Share: > 0 } ? holdout : null);
    }

    /// <summary>The message's subject: in the policy's header, else in the body where the policy says; empty: it has none.</summary>
    public string SubjectOf(StreamMessage message) =>
        message.Header(_policy.SubjectHeader) is { Length: > 0 } subject ? subject : StreamSubject.Find(_policy, message.Body);

    /// <summary>Arm, its version, and what is shed first.</summary>
    public (string Variant, string Version, CallTier Tier) Choose(string subject)
    {
        var arm = _rule.Place(subject).Arm;
        return (_policy.Arms[arm].Name, _policy.Arms[arm].Version, arm == 0 ? CallTier.Stable : CallTier.Canary);
    }
}
