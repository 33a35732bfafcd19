namespace MlOps.Inference.Batching;

/// <summary>
/// How long a run takes, and how many rows it may have so that 99 of 100 requests keep the target: who comes waits for the
/// run under way and then for its own, so a run may take half of it. A run that took longer makes the next ones a tenth
/// smaller, a full one that did not makes them larger by so little that the two are in balance at one in a hundred (AIMD as
/// in Clipper, Crankshaw et al., NSDI 2017, with steps as in stochastic approximation of a quantile, Robbins and Monro, 1951).
/// One caller at a time.
/// </summary>
internal sealed class BatchPace(BatchVerdict verdict, TimeSpan target)
{
    private const double Missed = 0.01;
    private const double Decrease = 0.9;
    private const int LeastRows = 2;
    private const double Smoothing = 0.1;
    private static readonly double Increase = Math.Exp(-Math.Log(Decrease) * Missed / (1 - Missed));
    private double _rows = verdict.MaxRows;

    // How much slower runs are than they were at load.
    private double _slowness = 1;

    /// <summary>Most rows of the next run.</summary>
    public int MaxRows => Math.Max(LeastRows, (int)_rows);

    /// <summary>How long a run of that many rows will take.</summary>
    public TimeSpan Expect(int rows) => AtLoad(rows) * _slowness;

    public void Observe(int rows, TimeSpan took)
    {
        var atLoad = AtLoad(rows);
        if (atLoad > TimeSpan.Zero) _slowness += Smoothing * (Math.Clamp(took / atLoad, 0.1, 100) - _slowness);
        if (took > target / 2) _rows = Math.Max(LeastRows, (rows < MaxRows ? rows : _rows) * Decrease);
        else if (rows >= MaxRows) _rows = Math.Min(verdict.MaxRows, _rows * Increase);
    }

    private TimeSpan AtLoad(int rows) => verdict.RunCost + (verdict.RowCost * rows);
}
