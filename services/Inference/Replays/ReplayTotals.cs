using MlOps.Contracts.Inference.V1;

namespace MlOps.Inference.Replays;

/// <summary>Adds up how replayed predictions differ from the logged ones, in one pass and in double.</summary>
/// <param name="threshold">Where decisions change; null: nobody asked.</param>
internal sealed class ReplayTotals(double? threshold)
{
    private long _equal;
    private long _flips;
    private long _numbers;
    private double _greatest = double.NaN;
    private double _greatestRelative = double.NaN;
    private string _worst = "";
    private double _meanDifference;
    private double _meanLogged;
    private double _meanReplayed;
    private double _squaresLogged;
    private double _squaresReplayed;
    private double _products;

    /// <summary>Predictions run again.</summary>
    public long Count { get; private set; }

    public long Skipped { get; set; }

    public void Add(string name, double logged, double replayed)
    {
        Count++;
        if (IsEqual(logged, replayed)) _equal++;
        if (threshold is { } at && (logged >= at) != (replayed >= at)) _flips++;
        if (!double.IsFinite(logged) || !double.IsFinite(replayed)) return;
        _numbers++;
        var difference = Math.Abs(replayed - logged);
        if (!(difference <= _greatest)) (_greatest, _worst) = (difference, name);
        if (logged != 0) _greatestRelative = double.MaxNumber(_greatestRelative, difference / Math.Abs(logged));
        _meanDifference += (difference - _meanDifference) / _numbers;
        // Welford 1962, for two columns.
        var (fromLogged, fromReplayed) = (logged - _meanLogged, replayed - _meanReplayed);
        _meanLogged += fromLogged / _numbers;
        _meanReplayed += fromReplayed / _numbers;
        _squaresLogged += fromLogged * (logged - _meanLogged);
        _squaresReplayed += fromReplayed * (replayed - _meanReplayed);
        _products += fromLogged * (replayed - _meanReplayed);
    }

    /// <summary>The same number to the bit, or no number both.</summary>
    public static bool IsEqual(double logged, double replayed) =>
        BitConverter.DoubleToInt64Bits(logged) == BitConverter.DoubleToInt64Bits(replayed) || (double.IsNaN(logged) && double.IsNaN(replayed));

    public ReplaySummary ToSummary(string output) => new()
    {
        Output = output,
        Count = Count,
        Skipped = Skipped,
        Equal = _equal,
        MaxAbsoluteDifference = _greatest,
        MaxRelativeDifference = _greatestRelative,
        WorstPredictionId = _worst,
        MeanAbsoluteDifference = _numbers == 0 ? double.NaN : _meanDifference,
        Flips = _flips,
        Correlation = _squaresLogged > 0 && _squaresReplayed > 0 ? _products / Math.Sqrt(_squaresLogged * _squaresReplayed) : double.NaN,
    };
}
