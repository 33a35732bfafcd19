using MlOps.Numerics.Linear;

namespace MlOps.Numerics.Explanations;

/// <summary>
/// Interventional SHAP of a linear model: φⱼ = coefficientⱼ·(xⱼ − meanⱼ), bias = intercept + Σ coefficientⱼ·meanⱼ
/// (Lundberg and Lee 2017, "A Unified Approach to Interpreting Model Predictions", Corollary 1).
/// </summary>
public sealed class LinearShap
{
    private readonly LinearModel _model;
    private readonly double[] _means;
    private readonly double _bias;

    /// <param name="model">What to explain.</param>
    /// <param name="means">Mean of every feature over the reference rows.</param>
    /// <exception cref="ArgumentException">Not one mean per feature.</exception>
    public LinearShap(LinearModel model, ReadOnlySpan<double> means)
    {
        if (means.Length != model.FeatureCount)
            throw new ArgumentException(
                $"The model takes {model.FeatureCount} features, not {means.Length} means.", nameof(means));
        _model = model;
        _means = means.ToArray();
        _bias = model.Intercept;
        for (var j = 0; j < means.Length; j++)
            _bias += model.Coefficients[j] * means[j];
    }

    /// <summary>Explains one row; a NaN in it makes that feature's contribution NaN, as it does the prediction.</summary>
    public Explanation Explain(ReadOnlySpan<float> row)
    {
        var contributions = new double[row.Length];
        return new Explanation(Explain(row, contributions), contributions);
    }

    /// <summary>Writes the contributions of one row and gives the bias, the same for every row.</summary>
    public double Explain(ReadOnlySpan<float> row, Span<double> contributions)
    {
        if (row.Length != _means.Length || contributions.Length != row.Length)
            throw new ArgumentException(
                $"The model takes {_means.Length} features, not {row.Length} for {contributions.Length}.", nameof(row));
        for (var j = 0; j < row.Length; j++)
            contributions[j] = _model.Coefficients[j] * (row[j] - _means[j]);
        return _bias;
    }
}
