namespace MlOps.Gateway.Shadows;

/// <summary>What became of a request that a shadow was to answer too; the order is that of the columns and never changes.</summary>
internal enum ShadowOutcome
{
    BothAnswered,

    /// <summary>The shadow failed, or did not answer in time.</summary>
    OnlyLiveAnswered,

    OnlyShadowAnswered,

    NeitherAnswered,

    /// <summary>Inference refused it for want of capacity, shadows first.</summary>
    Shed,

    /// <summary>No inference service could be reached.</summary>
    Unreached,

    /// <summary>It was not copied, or not sent, because too many others waited.</summary>
    Dropped,

    /// <summary>Its body was larger than what is copied, or did not pass as a whole.</summary>
    NotCopied,
}
