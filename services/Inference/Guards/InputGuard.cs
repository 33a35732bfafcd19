using System.Globalization;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Guards;

/// <summary>
/// Holds a request's values against the reference profile of the version that is to answer. Which inputs there must be,
/// their datatypes and shapes, the signature decided before.
/// </summary>
internal sealed class InputGuard
{
    private const int MaxWidth = 1_000;
    private readonly (int Input, ValueGuard Guard)[] _guards;
    private readonly int _checks;

    private InputGuard((int Input, ValueGuard Guard)[] guards)
    {
        _guards = guards;
        foreach (var (_, guard) in guards) _checks |= guard.Checks;
    }

    /// <returns>Null when there is nothing to hold values against, or no check is on.</returns>
    public static InputGuard? Of(TensorLayout[] inputs, ReferenceProfile? profile, GuardSettings settings)
    {
        if (profile is null) return null;
        var features = profile.Features.ToDictionary(feature => feature.Name, StringComparer.Ordinal);
        var guards = new List<(int, ValueGuard)>();
        for (var input = 0; input < inputs.Length; input++)
        {
            if (WidthOf(inputs[input]) is not { } width) continue;
            for (var element = 0; element < width; element++)
            {
                var name = width == 1
                    ? inputs[input].Name
                    : string.Create(CultureInfo.InvariantCulture, $"{inputs[input].Name}[{element}]");
                if (!features.TryGetValue(name, out var feature)) continue;
                if (ValueGuard.Of(inputs[input], name, element, feature, settings) is { } guard) guards.Add((input, guard));
            }
        }

        return guards.Count == 0 ? null : new InputGuard([.. guards]);
    }

    /// <summary>Flags what is found, and answers whether another version is to answer.</summary>
    /// <param name="workspace">Checked inputs; takes the flags.</param>
    /// <param name="mayFallBack">False: what would have another version answer is flagged.</param>
    /// <exception cref="InvalidRequestException">INPUT_UNLIKE_TRAINING.</exception>
    public bool Check(Workspace workspace, bool mayFallBack)
    {
        var findings = new GuardFindings(workspace.Flags, workspace.Model.Decisions, mayFallBack);
        foreach (var (input, guard) in _guards)
        {
            var slot = workspace.Inputs[input];
            guard.Check(slot, slot.Count / slot.Rows, ref findings);
        }

        findings.Settle(_checks);
        return findings.WantsFallback;
    }

    // Values of a row, where every row has as many.
    private static int? WidthOf(TensorLayout input)
    {
        if (!input.IsBatched) return null;
        var width = 1L;
        foreach (var size in input.Shape.AsSpan(1)) width *= size == -1 && input.IsScalarPerRow ? 1 : size;
        return width is >= 1 and <= MaxWidth ? (int)width : null;
    }
}
