namespace MlOps.Numerics.Trees;

/// <summary>What a <see cref="TreeEvaluator"/> computes batches with; the predictions are the same to the bit.</summary>
public enum TreeInstructions
{
    /// <summary>One row at a time, four trees interleaved; single rows go this way on every machine.</summary>
    Scalar,

    /// <summary>Eight rows to a register.</summary>
    Avx2,

    /// <summary>Sixteen rows to a register.</summary>
    Avx512,
}
