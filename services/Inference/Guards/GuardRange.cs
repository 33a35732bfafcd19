namespace MlOps.Inference.Guards;

/// <summary>What of a number's reference profile counts as its range.</summary>
internal enum GuardRange
{
    /// <summary>From the least to the greatest value of training.</summary>
    MinMax,

    /// <summary>From the 1 % to the 99 % quantile, which single odd rows of training do not move.</summary>
    Quantiles,
}
