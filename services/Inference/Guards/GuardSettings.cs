using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Guards;

/// <summary>How a model's inputs are held against the reference profile of the version: part <c>Guard</c> of its settings.</summary>
internal sealed record GuardSettings : IValidatableObject
{
    /// <summary>Numbers outside the range of training. Default Flag.</summary>
    public GuardAction Range { get; init; } = GuardAction.Flag;

    /// <summary>Categories training never saw. Default Flag.</summary>
    public GuardAction Category { get; init; } = GuardAction.Flag;

    /// <summary>Missing values where training had none. Default Flag.</summary>
    public GuardAction Missing { get; init; } = GuardAction.Flag;

    /// <summary>What the range is. Default MinMax.</summary>
    public GuardRange RangeOf { get; init; } = GuardRange.MinMax;

    /// <summary>Share of the range's width by which a number may lie outside it. Default 0.</summary>
    [Range(0d, 1_000d)]
    public double Margin { get; init; }

    /// <summary>Version or alias that answers where an action is Fallback. Default none.</summary>
    [Required(AllowEmptyStrings = true)]
    public string Version { get; init; } = "";

    /// <summary>What single inputs have otherwise, by name; a value of several a row like <c>x[3]</c>.</summary>
    public Dictionary<string, InputGuardSettings> Inputs { get; init; } = [];

    public GuardAction ActionOf(GuardCheck check, string input)
    {
        var own = Inputs.GetValueOrDefault(input);
        return check switch
        {
            GuardCheck.Range => own?.Range ?? Range,
            GuardCheck.Category => own?.Category ?? Category,
            _ => own?.Missing ?? Missing,
        };
    }

    public double MarginOf(string input) => Inputs.GetValueOrDefault(input)?.Margin ?? Margin;

    public GuardRange RangeOfInput(string input) => Inputs.GetValueOrDefault(input)?.RangeOf ?? RangeOf;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        var actions = Inputs.Values.SelectMany(one => new[] { one.Range, one.Category, one.Missing }).Append(Range).Append(Category).Append(Missing);
        if (Version.Length == 0 && actions.Contains(GuardAction.Fallback))
        {
            yield return new ValidationResult("Version must name what answers where an action is Fallback.");
        }

        foreach (var (name, one) in Inputs)
        {
            if (one.Margin is < 0 or > 1_000) yield return new ValidationResult($"Inputs:{name}:Margin must be between 0 and 1000.");
        }
    }
}

/// <summary>What one input has otherwise than its model; null: nothing.</summary>
internal sealed record InputGuardSettings
{
    public GuardAction? Range { get; init; }

    public GuardAction? Category { get; init; }

    public GuardAction? Missing { get; init; }

    public GuardRange? RangeOf { get; init; }

    public double? Margin { get; init; }
}
