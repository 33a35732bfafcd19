using MlOps.Gateway.Experiments;
using MlOps.Gateway.Experiments.Readouts;
using MlOps.Gateway.Splits;
using MlOps.Numerics.Experiments;

namespace MlOps.Gateway.Tests.Experiments;

/// <summary>An experiment whose subjects are drawn instead of asked for: of each arm the chance of a purchase is known.</summary>
internal sealed class SimulatedExperiment
{
    public static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly Random _random;
    private readonly double[] _rates;
    private readonly List<double[]> _weights;
    private readonly List<UnitSums[]> _sums = [];
    private readonly double _errors;
    private readonly List<UnitSums[]> _failures = [];

    public SimulatedExperiment(int seed, double[] rates, double[]? weights = null, double errors = 0.02, ExperimentPlan? plan = null)
    {
        (_random, _rates, _errors) = (new Random(seed), rates, errors);
        _weights = [weights ?? [.. rates.Select(_ => 1.0 / rates.Length)]];
        _sums.Add(new UnitSums[rates.Length]);
        _failures.Add(new UnitSums[rates.Length]);
        Plan = (plan ?? PlanOf()) with
        {
            Arms = [.. rates.Select((_, i) => new PolicyArm(i == 0 ? "control" : $"arm-{i}", $"{i + 1}", _weights[0][i]))],
        };
    }

    public ExperimentPlan Plan { get; }

    public long[] Subjects => [.. _rates.Select((_, arm) => _sums.Sum(s => s[arm].Units))];

    public double PlainMean(int arm) => _sums.Sum(s => s[arm].X) / _sums.Sum(s => s[arm].N);

    public static ExperimentPlan PlanOf(double absolute = 0.02) => new(
        new ExperimentMetric("conversion", MetricKind.OutcomeShare, "purchase", "higher", absolute, 0))
    {
        Hypothesis = "a simulation",
        Guardrails = [new ExperimentMetric("errors", MetricKind.ErrorRate, "", "lower", 0.01, 0)],
    };

    /// <summary>New subjects, each to an arm by the weights of the period under way.</summary>
    public void Meet(int subjects, Func<int, bool>? isLost = null)
    {
        for (var i = 0; i < subjects; i++)
        {
            var (place, arm) = (_random.NextDouble(), 0);
            while (arm < _rates.Length - 1 && place >= _weights[^1][arm]) place -= _weights[^1][arm++];
            var (buys, fails) = (_random.NextDouble() < _rates[arm], _random.NextDouble() < _errors);
            if (isLost?.Invoke(arm) == true) continue;
            _sums[^1][arm] += UnitSums.Of([(buys ? 1 : 0, 1)]);
            _failures[^1][arm] += UnitSums.Of([(fails ? 1 : 0, 1)]);
        }
    }

    public void Move(double[] weights)
    {
        _weights.Add(weights);
        _sums.Add(new UnitSums[_rates.Length]);
        _failures.Add(new UnitSums[_rates.Length]);
    }

    public Experiment Experiment => new("simulated", "model", ExperimentState.Running, 1, Plan, Noon, Noon)
    {
        StartedAt = Noon,
        Periods = [.. _weights.Select((w, i) => new ExperimentPeriod(i + 1, Noon.AddHours(i), null, $"s:{i}", w))],
    };

    public ExperimentEvidence Evidence => new(
        [
            .. _sums.SelectMany((sums, period) => sums.Select((s, arm) => new EvidenceCell(
                Plan.Arms[arm].Name, period + 1, "", s.Units, 0, [s, _failures[period][arm]])).Where(c => c.Subjects > 0)),
        ], []);

    public ExperimentReadout Read() => JudgeExperiment.Read(Experiment, Evidence, Noon.AddDays(1));
}
