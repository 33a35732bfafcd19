using MlOps.Inference.Models.Backends;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;

namespace MlOps.Inference.Guards;

/// <summary>Holds texts against the categories of training, by one look into a table each. The empty text is a missing one, unless it is a category.</summary>
internal sealed class TextGuard : ValueGuard
{
    private readonly GuardAction _category;
    private readonly Utf8Table _known;
    private readonly string _flag;

    public TextGuard(string name, int element, GuardAction missing, FeatureProfile profile, GuardAction category)
        : base(name, element, missing)
    {
        _category = category;
        _known = new Utf8Table(profile.Categories.Keys);
        _flag = $"category:{name}";
    }

    public override int Checks => (_category == GuardAction.Off ? 0 : 1 << (int)GuardCheck.Category) | MissingBit;

    public override void Check(InputSlot slot, int width, ref GuardFindings findings)
    {
        var (isNew, isMissing) = (_category == GuardAction.Off, Missing == GuardAction.Off);
        for (var i = Element; i < slot.Count && !(isNew && isMissing); i += width)
        {
            var text = slot.Text(i);
            if (_known.Find(text) >= 0) continue;
            if (text.IsEmpty)
            {
                if (!isMissing) AddMissing(ref findings, i / width);
                isMissing = true;
                continue;
            }

            if (!isNew) findings.Add(GuardCheck.Category, _category, _flag, Name, "is a category training never saw", i / width);
            isNew = true;
        }
    }
}
