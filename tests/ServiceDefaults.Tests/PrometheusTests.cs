using System.Diagnostics.Metrics;
using MlOps.ServiceDefaults.Telemetry;

namespace MlOps.ServiceDefaults.Tests;

public sealed class PrometheusTests : IDisposable
{
    private readonly Meter _meter = new($"MlOps.Test{Guid.NewGuid():N}");
    private readonly PrometheusExposition _exposition;

    public PrometheusTests()
    {
        _exposition = new PrometheusExposition([_meter.Name]);
        _exposition.StartAsync(CancellationToken.None);
    }

    [Fact]
    public void A_counter_ends_in_total_and_adds_up_per_label_set()
    {
        var requests = _meter.CreateCounter<long>("mlops.test.requests", "{request}", "Requests answered");
        requests.Add(2, new KeyValuePair<string, object?>("model", "a"));
        requests.Add(3, new KeyValuePair<string, object?>("model", "a"));
        requests.Add(1, new KeyValuePair<string, object?>("model", "say \"b\""));

        var text = _exposition.Render();

        Assert.Contains("# HELP mlops_test_requests_total Requests answered\n# TYPE mlops_test_requests_total counter\n", text, StringComparison.Ordinal);
        Assert.Contains("mlops_test_requests_total{model=\"a\"} 5\n", text, StringComparison.Ordinal);
        Assert.Contains("mlops_test_requests_total{model=\"say \\\"b\\\"\"} 1\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_histogram_has_cumulative_buckets_a_sum_and_a_count()
    {
        var duration = _meter.CreateHistogram(
            "mlops.test.duration", "s", "Time taken", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 1] });
        foreach (var seconds in new[] { 0.05, 0.1, 0.5, 7 }) duration.Record(seconds);

        var text = _exposition.Render();

        Assert.Contains("""
            mlops_test_duration_seconds_bucket{le="0.1"} 2
            mlops_test_duration_seconds_bucket{le="1"} 3
            mlops_test_duration_seconds_bucket{le="+Inf"} 4
            mlops_test_duration_seconds_sum 7.65
            mlops_test_duration_seconds_count 4
            """, text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_gauge_shows_its_value_of_now()
    {
        var value = 1.5;
        _meter.CreateObservableGauge("mlops.test.backlog", () => value, "By");
        _exposition.Render();
        value = 2.5;

        Assert.Contains("mlops_test_backlog_bytes 2.5\n", _exposition.Render(), StringComparison.Ordinal);
    }

    [Fact]
    public void Labels_without_end_flow_into_one_series()
    {
        var counter = _meter.CreateCounter<long>("mlops.test.users");
        for (var i = 0; i < 2_500; i++) counter.Add(1, new KeyValuePair<string, object?>("user", i));

        var lines = _exposition.Render().Split('\n').Where(l => l.StartsWith("mlops_test_users_total", StringComparison.Ordinal)).ToList();

        Assert.Equal(2_001, lines.Count);
        Assert.Contains("mlops_test_users_total{overflow=\"true\"} 500", lines);
    }

    public void Dispose()
    {
        _exposition.Dispose();
        _meter.Dispose();
    }
}
