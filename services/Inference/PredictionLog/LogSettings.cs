using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.PredictionLog;

/// <summary>What the prediction log keeps of a model: part <c>Log</c> of its settings.</summary>
internal sealed record LogSettings
{
    /// <summary>
    /// Share of answers that is logged, chosen by a hash of the prediction id; failures and flagged answers are logged
    /// whatever it says. Default 1.
    /// </summary>
    [Range(0d, 1d)]
    public double Rate { get; init; } = 1;

    /// <summary>Inputs whose values the log must not show, beside those the model's signature calls personal. Default none.</summary>
    public string[] Masked { get; init; } = [];

    /// <summary>Where logged answers go as CloudEvents besides, an address of http or https. Default empty: nowhere.</summary>
    [RegularExpression("https?://.+", ErrorMessage = "CloudEventsUrl must be an address of http or https.")]
    public string CloudEventsUrl { get; init; } = "";

    /// <summary>What goes there: <c>all</c>, <c>request</c> or <c>response</c>. Default all.</summary>
    [RegularExpression("all|request|response", ErrorMessage = "CloudEventsMode must be all, request or response.")]
    public string CloudEventsMode { get; init; } = "all";

    /// <summary>What the extension <c>annotations</c> says. Default nothing.</summary>
    public Dictionary<string, string> CloudEventsAnnotations { get; init; } = [];
}
