using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Hosting;

namespace MlOps.ServiceDefaults.Telemetry;

/// <summary>
/// The process's metrics in Prometheus' text format 0.0.4: every instrument of the chosen meters with HELP and TYPE,
/// base units in the name, counters ending in <c>_total</c>. An instrument keeps at most 2,000 label sets; more are
/// counted in one series labelled <c>overflow</c>.
/// </summary>
internal sealed class PrometheusExposition : IHostedService, IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, Family> _families = [];

    /// <param name="meters">Names of meters; a trailing <c>*</c> stands for anything.</param>
    public PrometheusExposition(IReadOnlyList<string> meters)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (meters.Any(pattern => Matches(pattern, instrument.Meter.Name)))
            {
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, static i => new Family(i)));
            }
        };
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => ((Family?)state)?.Record(value, tags));
        _listener.SetMeasurementEventCallback<float>((_, value, tags, state) => ((Family?)state)?.Record(value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => ((Family?)state)?.Record(value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, state) => ((Family?)state)?.Record(value, tags));
        _listener.SetMeasurementEventCallback<short>((_, value, tags, state) => ((Family?)state)?.Record(value, tags));
        _listener.SetMeasurementEventCallback<byte>((_, value, tags, state) => ((Family?)state)?.Record(value, tags));
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _listener.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The text a scraper gets now.</summary>
    public string Render()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder(16 * 1024);
        // Instruments of the same name in several meters make one family in Prometheus.
        foreach (var family in _families.Values.GroupBy(f => f.Name).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var first = family.First();
            text.Append(CultureInfo.InvariantCulture, $"# HELP {first.Name} {Escape(first.Help)}\n");
            text.Append(CultureInfo.InvariantCulture, $"# TYPE {first.Name} {first.Type}\n");
            foreach (var instrument in family.Where(f => f.Type == first.Type)) instrument.RenderTo(text);
        }

        return text.ToString();
    }

    private static bool Matches(string pattern, string name) => pattern.EndsWith('*')
        ? name.StartsWith(pattern.AsSpan(0, pattern.Length - 1), StringComparison.Ordinal)
        : name == pattern;

    internal static string Escape(string text) =>
        text.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);

    public void Dispose() => _listener.Dispose();
}
