using System.Globalization;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;
using Message = MlOps.Contracts.Inference.V1.ExplainOptions;

namespace MlOps.Inference.Explanations;

/// <summary>What a request asks of its explanation.</summary>
internal sealed record ExplainOptions
{
    public const int DefaultSeed = 1;
    private const int MaxSamples = 100_000;

    /// <summary>Everything left to the model's settings.</summary>
    public static ExplainOptions Default { get; } = new();

    public ExplanationMethod Method { get; init; }

    /// <summary>Output explained, with a column in brackets where it has several a row; empty: the first.</summary>
    public string Output { get; init; } = "";

    /// <summary>Pairs of orders; 0: as the settings say.</summary>
    public int Samples { get; init; }

    public int Seed { get; init; } = DefaultSeed;

    /// <summary>Rows to compare with; null: the reference profile.</summary>
    public Table? Background { get; init; }

    /// <exception cref="InvalidRequestException">EXPLAIN_INVALID.</exception>
    public static ExplainOptions Of(Message message) => new ExplainOptions
    {
        Method = MethodOf(message.Method),
        Output = message.Output,
        Samples = message.Samples,
        Seed = message.Seed == 0 ? DefaultSeed : message.Seed,
        Background = message.Background,
    }.Checked();

    /// <exception cref="InvalidRequestException">EXPLAIN_INVALID.</exception>
    public static ExplanationMethod MethodOf(string word) => word switch
    {
        "" or "auto" => ExplanationMethod.Auto,
        "exact" => ExplanationMethod.Exact,
        "sampling" => ExplanationMethod.Sampling,
        _ => throw new InvalidRequestException(
            "EXPLAIN_INVALID", [new FieldViolation("explain", "must name the method auto, exact or sampling")]),
    };

    /// <exception cref="InvalidRequestException">EXPLAIN_INVALID.</exception>
    public ExplainOptions Checked()
    {
        if (Samples is < 0 or > MaxSamples)
        {
            throw new InvalidRequestException("EXPLAIN_INVALID", [new FieldViolation(
                "samples", string.Create(CultureInfo.InvariantCulture, $"must be 1 to {MaxSamples}, or 0 for what the settings say"))]);
        }

        return this;
    }
}
