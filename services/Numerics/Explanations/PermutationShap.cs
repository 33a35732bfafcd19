namespace MlOps.Numerics.Explanations;

/// <summary>
/// SHAP values of any function, estimated: features go over from a background row to the explained one in random
/// orders, each order once forwards and once backwards (antithetic sampling: Mitchell, Cooper, Frank and Holmes 2022,
/// "Sampling Permutations for Shapley Value Estimation", JMLR 23; the estimator is Štrumbelj and Kononenko 2014). The
/// same seed asks for the same rows. Here are only the plan and the sums: whoever has the function evaluates it.
/// </summary>
/// <remarks>
/// Unbiased for the interventional values over the background, with an error that falls with the root of the number of
/// pairs; the contributions and the bias add up to the function's value however few there are.
/// </remarks>
public sealed class PermutationShap
{
    private readonly int _features;
    private readonly int _perPair;
    private readonly int[] _ranks; // pairs × features: place of the feature in the pair's order

    /// <param name="features">At least 1.</param>
    /// <param name="pairs">Orders, each walked both ways; at least 1. Pair p starts from background row p.</param>
    /// <param name="seed">Of the orders.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one feature or pair.</exception>
    public PermutationShap(int features, int pairs, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(features, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(pairs, 1);
        (_features, Pairs, _perPair) = (features, pairs, 2 * features - 1);
        Evaluations = checked(1 + pairs * _perPair);
        var random = new Random(seed);
        var order = new int[features];
        _ranks = new int[pairs * features];
        for (var pair = 0; pair < pairs; pair++)
        {
            for (var i = 0; i < features; i++)
                order[i] = i;
            random.Shuffle(order);
            for (var place = 0; place < features; place++)
                _ranks[pair * features + order[place]] = place;
        }
    }

    public int Pairs { get; }

    /// <summary>Rows the function is asked for: the explained one first, then 2·features − 1 for every pair.</summary>
    public int Evaluations { get; }

    /// <summary>Background row the features of an evaluation that are not the explained row's come from.</summary>
    public int BackgroundOf(int evaluation) => evaluation == 0 ? 0 : (evaluation - 1) / _perPair;

    /// <summary>Whether the feature of an evaluation is the explained row's.</summary>
    public bool IsExplained(int evaluation, int feature)
    {
        if (evaluation == 0)
            return true;
        var rank = _ranks[(evaluation - 1) / _perPair * _features + feature];
        // 0: nothing yet; to features − 1: forwards; from there on: backwards.
        var step = (evaluation - 1) % _perPair;
        return step < _features ? rank < step : _features - 1 - rank < step - _features + 1;
    }

    /// <summary>Puts the function's values together.</summary>
    /// <param name="values">One per evaluation, in order.</param>
    /// <param name="contributions">One per feature; filled, in the unit of the values.</param>
    /// <param name="standardErrors">One per feature; filled. NaN with a single pair.</param>
    /// <returns>The bias: the mean over the background rows asked.</returns>
    public double Sum(ReadOnlySpan<double> values, Span<double> contributions, Span<double> standardErrors)
    {
        if (values.Length != Evaluations || contributions.Length != _features || standardErrors.Length != _features)
            throw new ArgumentException($"{Evaluations} values of {_features} features are to be put together.", nameof(values));
        contributions.Clear();
        standardErrors.Clear();
        var bias = 0.0;
        for (var pair = 0; pair < Pairs; pair++)
        {
            var of = values.Slice(1 + pair * _perPair, _perPair);
            bias += (of[0] - bias) / (pair + 1);
            for (var feature = 0; feature < _features; feature++)
            {
                var rank = _ranks[pair * _features + feature];
                var forwards = At(of, values[0], rank + 1, 0) - At(of, values[0], rank, 0);
                var place = _features - 1 - rank;
                var backwards = At(of, values[0], place + 1, _features - 1) - At(of, values[0], place, _features - 1);
                // Welford's running mean and sum of squared differences.
                var both = (forwards + backwards) / 2;
                var before = both - contributions[feature];
                contributions[feature] += before / (pair + 1);
                standardErrors[feature] += before * (both - contributions[feature]);
            }
        }

        for (var feature = 0; feature < _features; feature++)
            standardErrors[feature] = Pairs == 1
                ? double.NaN
                : Math.Sqrt(standardErrors[feature] / (Pairs - 1) / Pairs);
        return bias;
    }

    // The value with that many features of the explained row, on the way that starts behind an offset.
    private double At(ReadOnlySpan<double> pair, double explained, int taken, int offset) =>
        taken == 0 ? pair[0] : taken == _features ? explained : pair[offset + taken];
}
