using MlOps.Contracts.Features.V1;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore.Definitions;

/// <summary>Selections resolved against the definitions: which features of which view, under which names, found by which columns.</summary>
internal sealed class SelectionPlan(IReadOnlyList<SelectedView> selections)
{
    public IReadOnlyList<SelectedView> Selections => selections;

    /// <summary>Number of output columns.</summary>
    public int Width { get; } = selections.Sum(selection => selection.Features.Length);

    /// <exception cref="NotFoundException">FEATURE_VIEW_UNKNOWN or FEATURE_UNKNOWN, naming it.</exception>
    /// <exception cref="InvalidRequestException">SELECTION_INVALID: nothing selected, an unknown join key, or two outputs of one name.</exception>
    public static SelectionPlan Resolve(DefinitionSet definitions, IReadOnlyList<FeatureSelection> selections)
    {
        var violations = new Violations();
        if (selections.Count == 0)
            violations.Add("selections", "must name a feature service or at least one selection");
        var outputs = new HashSet<string>(StringComparer.Ordinal);
        var resolved = new SelectedView[selections.Count];
        for (var index = 0; index < resolved.Length; index++)
            resolved[index] = Resolve(definitions, selections[index], $"selections[{index}]", outputs, violations);
        violations.ThrowIfAny("SELECTION_INVALID");
        return new(resolved);
    }

    private static SelectedView Resolve(
        DefinitionSet definitions, FeatureSelection selection, string path, HashSet<string> outputs, Violations violations)
    {
        var view = definitions.View(selection.FeatureView);
        foreach (var key in selection.EntityColumns.Keys)
            if (!view.JoinKeys.Contains(key))
                violations.Add($"{path}.entity_columns", $"'{key}' is no join key of '{view.Name}'");

        string[] names = selection.Features.Count > 0
            ? [.. selection.Features] : [.. view.Features.Select(field => field.Name)];
        var features = new int[names.Length];
        var outputNames = new string[names.Length];
        for (var index = 0; index < features.Length; index++)
        {
            features[index] = view.FeatureIndex(names[index]);
            outputNames[index] = selection.Prefix + names[index];
            if (features[index] < 0)
                throw new NotFoundException("FEATURE_UNKNOWN", $"Feature view '{view.Name}' has no feature '{names[index]}'.");
            if (!outputs.Add(outputNames[index]))
                violations.Add($"{path}.features", $"'{outputNames[index]}' is the name of another output column: give a prefix");
        }

        var keyColumns = new string[view.JoinKeys.Count];
        for (var key = 0; key < keyColumns.Length; key++)
            keyColumns[key] = selection.EntityColumns.TryGetValue(view.JoinKeys[key], out var column)
                ? column : view.JoinKeys[key];
        return new(view, keyColumns, features, outputNames);
    }
}

/// <summary>One resolved selection.</summary>
/// <param name="View">The view read.</param>
/// <param name="KeyColumns">Request columns that hold the join keys, in the view's order of join keys.</param>
/// <param name="Features">Indexes into the view's features, in output order.</param>
/// <param name="OutputNames">Names of the output columns, prefix included.</param>
internal sealed record SelectedView(ViewDefinition View, string[] KeyColumns, int[] Features, string[] OutputNames);
