using System.Text.RegularExpressions;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using MlOps.Training.Search;
using MlOps.Training.Trainers;

namespace MlOps.Training.Pipelines;

/// <summary>What a pipeline must be to be trained; every broken rule is reported, not only the first.</summary>
internal static partial class PipelineRules
{
    internal const int MaxTrials = 1000;

    /// <summary>Rules that need nothing but the pipeline and the trainers.</summary>
    internal static void Check(Pipeline pipeline, TrainerCatalogue trainers, Violations violations)
    {
        violations.AddIf(!ModelName().IsMatch(pipeline.Model), "pipeline.model",
            "must be 1 to 255 of letters, digits, - _ and ., starting with a letter or digit");
        violations.AddIf(!Digest().IsMatch(pipeline.DatasetDigest), "pipeline.dataset_digest",
            "must be sha256: and 64 hex digits");
        violations.AddIf(pipeline.LabelColumn.Length == 0, "pipeline.label_column", "is required");
        violations.AddIf(pipeline.TimeColumn.Length == 0, "pipeline.time_column", "is required");
        CheckInputs(pipeline, violations);
        CheckSplit(pipeline.Split, violations);
        if (trainers.TryGet(pipeline.Trainer, out var trainer))
        {
            CheckParameters(pipeline, trainer, violations);
            CheckSearch(pipeline, trainer, violations);
        }
        else
        {
            violations.Add("pipeline.trainer", TrainerCatalogue.Absent.GetValueOrDefault(pipeline.Trainer)
                ?? $"must be one of {string.Join(", ", trainers.All.Select(t => t.Name))}");
        }
    }

    /// <summary>Rules about the columns of the snapshot.</summary>
    internal static void CheckColumns(Pipeline pipeline, DatasetSnapshot snapshot, Violations violations)
    {
        var types = snapshot.Schema.ToDictionary(field => field.Name, field => field.Type);
        Require("pipeline.label_column", pipeline.LabelColumn, ColumnType.Double, ColumnType.Integer);
        Require("pipeline.time_column", pipeline.TimeColumn, ColumnType.Time);
        for (var i = 0; i < pipeline.Inputs.Count; i++)
        {
            var input = pipeline.Inputs[i];
            if (input.Kind == InputColumn.Types.Kind.Categorical)
                Require($"pipeline.inputs[{i}]", input.Name, ColumnType.Text);
            else if (input.Kind == InputColumn.Types.Kind.Numeric)
                Require($"pipeline.inputs[{i}]", input.Name, ColumnType.Double, ColumnType.Integer, ColumnType.Boolean);
        }

        void Require(string field, string column, params ReadOnlySpan<ColumnType> allowed)
        {
            if (column.Length == 0) return;
            if (!types.TryGetValue(column, out var type))
                violations.Add(field, $"'{column}' is no column of the dataset; it has {string.Join(", ", types.Keys)}");
            else if (!allowed.Contains(type))
                violations.Add(field, $"'{column}' must be {string.Join(" or ", allowed.ToArray())}, it is {type}");
        }
    }

    private static void CheckInputs(Pipeline pipeline, Violations violations)
    {
        violations.AddIf(pipeline.Inputs.Count == 0, "pipeline.inputs", "must name at least one column");
        var seen = new HashSet<string>();
        for (var i = 0; i < pipeline.Inputs.Count; i++)
        {
            var (field, input) = ($"pipeline.inputs[{i}]", pipeline.Inputs[i]);
            violations.AddIf(input.Name.Length == 0, $"{field}.name", "is required");
            violations.AddIf(!seen.Add(input.Name), $"{field}.name", $"'{input.Name}' stands twice");
            violations.AddIf(input.Name.Length > 0 && input.Name == pipeline.LabelColumn, $"{field}.name",
                "is the label: a model cannot take what it is to predict");
            violations.AddIf(
                input.Kind is not (InputColumn.Types.Kind.Numeric or InputColumn.Types.Kind.Categorical),
                $"{field}.kind", "must be KIND_NUMERIC or KIND_CATEGORICAL");
        }
    }

    private static void CheckSplit(Contracts.Training.V1.TimeSplit? split, Violations violations)
    {
        if (split is null)
        {
            violations.Add("pipeline.split", "is required");
            return;
        }
        var validationIsFraction = split.ValidationFraction is > 0 and < 1;
        var testIsFraction = split.TestFraction is > 0 and < 1;
        violations.AddIf(!validationIsFraction, "pipeline.split.validation_fraction", "must be above 0 and below 1");
        violations.AddIf(!testIsFraction, "pipeline.split.test_fraction", "must be above 0 and below 1");
        violations.AddIf(validationIsFraction && testIsFraction && split.ValidationFraction + split.TestFraction >= 1,
            "pipeline.split", "the two fractions must leave rows to train on: their sum must be below 1");
    }

    private static void CheckParameters(Pipeline pipeline, ITrainer trainer, Violations violations)
    {
        foreach (var (name, value) in pipeline.Parameters.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            if (trainer.Check(name, value) is { } rule) violations.Add($"pipeline.parameters[{name}]", rule);
            else if (pipeline.Parameters.Keys.Any(other => other != name && trainer.Find(other) == trainer.Find(name)))
                violations.Add($"pipeline.parameters[{name}]", $"is given twice: it is another name of {trainer.Find(name)?.Name}");
        }
    }

    private static void CheckSearch(Pipeline pipeline, ITrainer trainer, Violations violations)
    {
        var search = pipeline.Search;
        if (search is null) return;
        var seen = pipeline.Parameters.Keys.Select(trainer.Find).OfType<TrainerParameter>().ToHashSet();
        for (var i = 0; i < search.Dimensions.Count; i++)
        {
            var (field, dimension) = ($"pipeline.search.dimensions[{i}]", search.Dimensions[i]);
            violations.AddIf(dimension.Values.Count == 0, $"{field}.values", "must not be empty");
            violations.AddIf(dimension.Values.Distinct().Count() < dimension.Values.Count, $"{field}.values", "must differ");
            foreach (var rule in dimension.Values.Select(v => trainer.Check(dimension.Parameter, v)).OfType<string>().Distinct())
                violations.Add(field, $"{dimension.Parameter} {rule}");
            if (trainer.Find(dimension.Parameter) is { } parameter && !seen.Add(parameter))
                violations.Add($"{field}.parameter", $"{parameter.Name} is given already");
        }
        var size = GridSearch.SizeOf([.. search.Dimensions.Select(d => new GridDimension(d.Parameter, d.Values))]);
        var least = search.Dimensions.Count == 0 ? 0 : 1;
        violations.AddIf(search.Trials < least || search.Trials > Math.Min(size, MaxTrials), "pipeline.search.trials",
            $"must be {least} to {Math.Min(size, MaxTrials)}: the grid has {size} configurations");
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,254}\z")]
    private static partial Regex ModelName();

    [GeneratedRegex(@"\Asha256:[0-9a-f]{64}\z")]
    private static partial Regex Digest();
}
