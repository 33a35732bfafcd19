namespace MlOps.Inference.Batching;

/// <summary>When requests of a model share a run.</summary>
internal enum BatchMode
{
    /// <summary>Where a row's answer is the same to the bit in a batch and alone, and a row costs enough less there.</summary>
    Auto,

    /// <summary>Wherever the model takes rows at all, though answers may differ from those alone in their last bits.</summary>
    On,

    /// <summary>Never.</summary>
    Off,
}
