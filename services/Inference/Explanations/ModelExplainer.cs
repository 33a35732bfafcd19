using System.Collections.Concurrent;
using System.Globalization;
using MlOps.Inference.Models;
using MlOps.Numerics.Explanations;
using MlOps.Numerics.Linear;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Profiles;
using MlOps.Numerics.Trees;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Explanations;

/// <summary>Decides how a loaded version's predictions are taken apart, and keeps what was made for it once.</summary>
internal sealed class ModelExplainer
{
    private readonly LoadedModel _model;
    private readonly RawValues _raw;
    private readonly Dictionary<string, FeatureProfile> _profiles;
    private readonly ConcurrentDictionary<ExplainableScore, Lazy<IRowExplainer>> _exact = [];

    public ModelExplainer(LoadedModel model)
    {
        _model = model;
        _raw = new RawValues(model.Inputs);
        _profiles = model.Profile?.Features.ToDictionary(feature => feature.Name, StringComparer.Ordinal) ?? [];
        Cache = new ExplanationCache(model.Settings.Explanations.CachedRows);
    }

    public ExplanationCache Cache { get; }

    /// <param name="options">What is asked.</param>
    /// <param name="rows">Rows to be explained.</param>
    /// <exception cref="InvalidRequestException">
    /// EXPLAIN_TOO_MANY_ROWS, EXPLAIN_TOO_COSTLY, EXPLAIN_INVALID, EXPLAIN_NOT_EXACT, EXPLAIN_UNSUPPORTED,
    /// EXPLAIN_NEEDS_BACKGROUND, BACKGROUND_INVALID.
    /// </exception>
    public ExplanationPlan Plan(ExplainOptions options, int rows)
    {
        var settings = _model.Settings.Explanations;
        if (rows > settings.MaxRows)
        {
            throw new InvalidRequestException(
                "EXPLAIN_TOO_MANY_ROWS", $"A request that is explained may have {settings.MaxRows} rows, not {rows}. Send it in parts.");
        }

        var output = ExplainedOutput.Of(_model, options.Output);
        var score = _model.Explainable?.Scores.FirstOrDefault(one => (one.Output, one.Column) == (output.Output, output.Column));
        var whyNot = WhyNotExact(score, options, output);
        if (options.Method == ExplanationMethod.Exact && whyNot is not null)
        {
            throw new InvalidRequestException("EXPLAIN_NOT_EXACT", $"'{output.Name}' of model '{_model.Model}' has no exact explanation: {whyNot}");
        }

        // A background changes nothing of TreeSHAP: who gives one wants it compared with.
        var samples = options.Method == ExplanationMethod.Sampling || whyNot is not null
            || (options.Background is not null && score?.Model is TreeEnsemble);
        return samples ? Sampled(options, output, rows) : Exact(options, output, score!, _model.Explainable!); // There, or there was a reason.
    }

    private string? WhyNotExact(ExplainableScore? score, ExplainOptions options, ExplainedOutput output)
    {
        if (_model.Explainable is not { } parts) return _model.NotExplainable.Length > 0 ? _model.NotExplainable : "the model cannot be taken apart";
        if (score is null) return $"'{output.Name}' does not follow from one score of the model";
        if (score.Model is TreeEnsemble)
        {
            return parts.HasCover
                ? options is { Method: ExplanationMethod.Exact, Background: not null } ? "TreeSHAP follows the training rows; a background is for sampling" : null
                : "its trees do not say how many training rows passed each node";
        }

        var unknown = _raw.Names.FirstOrDefault(name => !_profiles.ContainsKey(name));
        return options.Background is null && unknown is not null
            ? $"without a background it needs the reference profile of every input, and there is none of '{unknown}'"
            : null;
    }

    private ExplanationPlan Exact(ExplainOptions options, ExplainedOutput output, ExplainableScore score, Explainable parts)
    {
        var explainer = options.Background is { } table && score.Model is LinearModel linear
            ? OfLinear(linear, parts, MeansOf(parts, table, options.Seed))
            : _exact.GetOrAdd(score, one => new Lazy<IRowExplainer>(() => Make(one, parts))).Value;
        return new ExplanationPlan(explainer, _raw, output.Name, options.Background is null ? $"{explainer.Method}|{output.Name}" : null)
        {
            Space = parts.Link == ScoreLink.Identity ? "output" : "margin",
            Link = parts.Link.ToString().ToLowerInvariant(),
        };
    }

    private ExactExplainer Make(ExplainableScore score, Explainable parts)
    {
        if (score.Model is LinearModel linear) return OfLinear(linear, parts, EncodedMeans.Of(_model, parts, _raw, _profiles));
        var shap = new TreeShap((TreeEnsemble)score.Model);
        return new ExactExplainer("tree_shap", parts, _raw, shap.Explain);
    }

    private ExactExplainer OfLinear(LinearModel model, Explainable parts, double[] means)
    {
        var shap = new LinearShap(model, means);
        return new ExactExplainer("linear_shap", parts, _raw, shap.Explain);
    }

    private double[] MeansOf(Explainable parts, Contracts.Tables.V1.Table table, int seed)
    {
        using var background = Background.Of(_model, table, seed);
        return EncodedMeans.Of(parts, background.Rows);
    }

    private ExplanationPlan Sampled(ExplainOptions options, ExplainedOutput output, int rows)
    {
        if (_raw.Odd is { } odd)
        {
            throw new InvalidRequestException(
                "EXPLAIN_UNSUPPORTED", $"Model '{_model.Model}' cannot be explained by sampling: input '{odd}' has no fixed number of values a row.");
        }

        var settings = _model.Settings.Explanations;
        var pairs = options.Samples == 0 ? settings.Samples : options.Samples;
        var evaluations = rows * (1 + (pairs * ((2L * _raw.All.Count) - 1)));
        if (evaluations > settings.MaxEvaluations)
        {
            throw new InvalidRequestException("EXPLAIN_TOO_COSTLY", string.Create(
                CultureInfo.InvariantCulture,
                $"{rows} rows with {pairs} samples ask the model for {evaluations} rows, of {settings.MaxEvaluations}. Ask for fewer of either."));
        }

        var background = options.Background is { } table ? Background.Of(_model, table, options.Seed) : Drawn(pairs, options.Seed);
        var explainer = new SamplingExplainer(_model, _raw, output, new PermutationShap(_raw.All.Count, pairs, options.Seed), background);
        var question = options.Background is null
            ? string.Create(CultureInfo.InvariantCulture, $"{explainer.Method}|{pairs}|{options.Seed}|{output.Name}")
            : null;
        return new ExplanationPlan(explainer, _raw, output.Name, question, background)
        {
            Space = "output",
            Link = "identity",
            Samples = pairs,
            Seed = options.Seed,
        };
    }

    private Background Drawn(int pairs, int seed)
    {
        var unknown = _raw.Names.FirstOrDefault(name => !_profiles.ContainsKey(name));
        if (unknown is not null)
        {
            throw NeedsBackground($"the version's reference profile has nothing of '{unknown}'");
        }

        try
        {
            return Background.Of(_model, _raw, _profiles, pairs, seed);
        }
        catch (Exception e) when (e is NotSupportedException or InvalidRequestException)
        {
            throw NeedsBackground(e.Message);
        }
    }

    private InvalidRequestException NeedsBackground(string why) => new(
        "EXPLAIN_NEEDS_BACKGROUND", $"Model '{_model.Model}' version {_model.Version} is explained by sampling, which needs rows to compare with: {why}. Give a background.");
}
