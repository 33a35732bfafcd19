using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Predictions;

/// <summary>What becomes of features the online store lacks or has only old: part <c>Features</c> of a model's settings.</summary>
internal sealed record FeatureSettings : IValidatableObject
{
    /// <summary>The store says NOT_FOUND or NULL_VALUE. Default Leave.</summary>
    public FeatureAction WhenMissing { get; init; } = FeatureAction.Leave;

    /// <summary>The store says OUTSIDE_MAX_AGE, or the value is older than the age allowed here or by the request. Default Leave.</summary>
    public FeatureAction WhenStale { get; init; } = FeatureAction.Leave;

    /// <summary>Greatest age of a value; the view's time to live holds beside it. Default none.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>Whether without the store every feature counts as missing, instead of the request being UNAVAILABLE. Default false.</summary>
    public bool IsMissingWithoutStore { get; init; }

    /// <summary>Version or alias that answers where an action is Fallback. Default none.</summary>
    [Required(AllowEmptyStrings = true)]
    public string Version { get; init; } = "";

    /// <summary>What single features have otherwise, by name.</summary>
    public Dictionary<string, InputFeatureSettings> Inputs { get; init; } = [];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        var actions = Inputs.Values.SelectMany(one => new[] { one.WhenMissing, one.WhenStale }).Append(WhenMissing).Append(WhenStale);
        if (Version.Length == 0 && actions.Contains(FeatureAction.Fallback))
        {
            yield return new ValidationResult("Version must name what answers where an action is Fallback.");
        }

        if (WhenMissing == FeatureAction.Default || WhenStale == FeatureAction.Default)
        {
            yield return new ValidationResult("WhenMissing and WhenStale may be Default for single inputs only, which have a Default.");
        }

        if (Inputs.Values.Select(one => one.MaxAge).Append(MaxAge).Any(age => age <= TimeSpan.Zero))
        {
            yield return new ValidationResult("MaxAge must be longer than 0.");
        }

        foreach (var (name, one) in Inputs)
        {
            if (one.Default is null && (one.WhenMissing == FeatureAction.Default || one.WhenStale == FeatureAction.Default))
            {
                yield return new ValidationResult($"Inputs:{name}:Default must be given.");
            }
        }
    }
}

/// <summary>What one feature has otherwise than its model; null: nothing.</summary>
internal sealed record InputFeatureSettings
{
    public FeatureAction? WhenMissing { get; init; }

    public FeatureAction? WhenStale { get; init; }

    public TimeSpan? MaxAge { get; init; }

    /// <summary>The value of the action Default; a number, true or false, or text, as the input is.</summary>
    public string? Default { get; init; }
}
