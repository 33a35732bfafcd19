namespace MlOps.Inference.Guards;

/// <summary>What becomes of a request with a value unlike those of training.</summary>
internal enum GuardAction
{
    /// <summary>It is not looked at.</summary>
    Off,

    /// <summary>It is answered, and the answer and the log say what was noticed.</summary>
    Flag,

    /// <summary>It is refused: InvalidArgument / 400.</summary>
    Reject,

    /// <summary>Another version answers it.</summary>
    Fallback,
}
