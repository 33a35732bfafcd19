using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;

namespace MlOps.Inference.Guards;

/// <summary>Holds one value of each row against what training had in its place.</summary>
internal abstract class ValueGuard
{
    private readonly string _missingFlag;

    protected ValueGuard(string name, int element, GuardAction missing)
    {
        (Name, Element, Missing) = (name, element, missing);
        _missingFlag = $"missing:{name}";
    }

    /// <summary>Bits of the checks it makes.</summary>
    public abstract int Checks { get; }

    protected string Name { get; }

    /// <summary>Place of the value in its input's row.</summary>
    protected int Element { get; }

    /// <summary>Off where training had missing values.</summary>
    protected GuardAction Missing { get; }

    protected int MissingBit => Missing == GuardAction.Off ? 0 : 1 << (int)GuardCheck.Missing;

    /// <param name="slot">A checked input.</param>
    /// <param name="width">Its values a row.</param>
    /// <param name="findings">Take what is found, each kind once.</param>
    public abstract void Check(InputSlot slot, int width, ref GuardFindings findings);

    protected void AddMissing(ref GuardFindings findings, int row) => findings.Add(
        GuardCheck.Missing, Missing, _missingFlag, Name, "is missing, as it never was in training", row);

    /// <returns>Null when nothing is to be checked.</returns>
    public static ValueGuard? Of(TensorLayout layout, string name, int element, FeatureProfile profile, GuardSettings settings)
    {
        var missing = profile.Missing > 0 ? GuardAction.Off : settings.ActionOf(GuardCheck.Missing, name);
        ValueGuard? guard = (profile.Kind, layout.Datatype.IsText) switch
        {
            (FeatureKind.Numeric, false) => new NumberGuard(layout.Datatype, name, element, missing, profile, settings),
            (FeatureKind.Categorical, true) => new TextGuard(name, element, missing, profile, settings.ActionOf(GuardCheck.Category, name)),
            // A category that is served as a number, or the other way round: there is nothing to hold it against.
            _ => null,
        };
        return guard is null or { Checks: 0 } ? null : guard;
    }
}
