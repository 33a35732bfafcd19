namespace MlOps.Contracts.Monitoring.V1;

/// <summary>How a text that may not be shown stands in the inputs of a record: <c>masked:</c> and a keyed hash of it.</summary>
public sealed partial class PredictionRecord
{
    /// <summary>Texts of the log that begin so are hashes.</summary>
    public const string MaskedPrefix = "masked:";

    /// <inheritdoc cref="MaskedPrefix"/>
    public static ReadOnlySpan<byte> MaskedPrefixUtf8 => "masked:"u8;
}
