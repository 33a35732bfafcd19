using System.Globalization;

namespace MlOps.Training.Trainers;

/// <summary>A parameter a trainer takes: its name, what values it may have, and the value it has when not given.</summary>
internal sealed record TrainerParameter
{
    private TrainerParameter(string name, string fallback) => (Name, Default) = (name, fallback);

    public string Name { get; }

    public string Default { get; }

    /// <summary>Other names by which the parameter is known.</summary>
    public IReadOnlyList<string> Aliases { get; private init; } = [];

    public string Rule { get; private init; } = "";

    private Func<string, bool> IsValid { get; init; } = _ => true;

    /// <summary>For people: name, rule and default.</summary>
    public string Description => $"{Name}: {Rule}; default {Default}";

    /// <summary>What is wrong with <paramref name="value"/>; null when nothing is.</summary>
    public string? Check(string value) => IsValid(value) ? null : $"must be {Rule}, not '{value}'";

    public static TrainerParameter Integer(string name, int fallback, int min, int max, params string[] aliases) =>
        new(name, fallback.ToString(CultureInfo.InvariantCulture))
        {
            Aliases = aliases,
            Rule = $"an integer from {min} to {max}",
            IsValid = text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
                && value >= min && value <= max,
        };

    /// <summary>A number in [<paramref name="min"/>, <paramref name="max"/>], without its lower end when <paramref name="isOpen"/>.</summary>
    public static TrainerParameter Number(
        string name, double fallback, double min, double max, bool isOpen = false, params string[] aliases) =>
        new(name, fallback.ToString(CultureInfo.InvariantCulture))
        {
            Aliases = aliases,
            Rule = max == double.MaxValue
                ? string.Create(CultureInfo.InvariantCulture, $"a number {(isOpen ? "above" : "of at least")} {min}")
                : string.Create(CultureInfo.InvariantCulture, $"a number in {(isOpen ? '(' : '[')}{min}, {max}]"),
            IsValid = text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
                && double.IsFinite(value) && (isOpen ? value > min : value >= min) && value <= max,
        };

    public static TrainerParameter Choice(string name, params string[] values) =>
        new(name, values[0])
        {
            Rule = $"one of {string.Join(", ", values)}",
            IsValid = text => values.Contains(text, StringComparer.Ordinal),
        };
}
