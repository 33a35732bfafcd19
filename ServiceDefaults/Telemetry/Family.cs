using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace MlOps.ServiceDefaults.Telemetry;

/// <summary>One instrument's series, a series per label set. Recording a known label set allocates nothing.</summary>
internal sealed class Family
{
    private const int MaxSeries = 2_000;
    private const int Recent = 8;
    private static readonly KeyValuePair<string, object?>[] Overflow = [new("overflow", "true")];
    private readonly ConcurrentDictionary<int, Series[]> _byHash = [];
    private readonly Lock _growing = new();
    // Label sets of late: most recordings are one of few, whose names need not be hashed for it.
    private readonly Series?[] _recent = new Series?[Recent];
    private uint _recentAt;
    private readonly double[] _bounds;
    private readonly bool _isAbsolute;
    private int _count;

    public Family(Instrument instrument)
    {
        var kind = instrument.GetType().GetGenericTypeDefinition();
        Type = kind == typeof(Counter<>) || kind == typeof(ObservableCounter<>) ? "counter"
            : kind == typeof(Histogram<>) ? "histogram"
            : "gauge";
        _isAbsolute = instrument.IsObservable || kind == typeof(Gauge<>);
        Name = NameOf(instrument, Type);
        Help = instrument.Description is { Length: > 0 } description ? description : instrument.Name;
        _bounds = Type == "histogram" ? BoundsOf(instrument) : [];
    }

    public string Name { get; }

    public string Type { get; }

    public string Help { get; }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var series = Find(tags);
        if (Type == "histogram") series.Observe(value, _bounds);
        else if (_isAbsolute) series.Set(value);
        else series.Add(value);
    }

    public void RenderTo(StringBuilder text)
    {
        foreach (var series in _byHash.Values.SelectMany(s => s)) series.RenderTo(text, Name, Type, _bounds);
    }

    private Series Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach (var series in _recent)
        {
            if (series?.Has(tags) == true) return series;
        }

        var found = FindByHash(tags);
        _recent[Interlocked.Increment(ref _recentAt) % Recent] = found;
        return found;
    }

    private Series FindByHash(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var hash = new HashCode();
        foreach (var tag in tags)
        {
            hash.Add(tag.Key);
            hash.Add(tag.Value);
        }

        return Known(hash.ToHashCode(), tags) ?? Grow(hash.ToHashCode(), tags);
    }

    private Series? Known(int hash, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (!_byHash.TryGetValue(hash, out var candidates)) return null;
        foreach (var candidate in candidates)
        {
            if (candidate.Has(tags)) return candidate;
        }

        return null;
    }

    private Series Grow(int hash, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_growing)
        {
            if (Known(hash, tags) is { } made) return made;
            if (_count >= MaxSeries)
            {
                hash = 0;
                tags = Overflow;
                if (Known(hash, tags) is { } overflow) return overflow;
            }

            _count++;
            var series = new Series(tags.ToArray(), _bounds.Length);
            _byHash[hash] = [.. _byHash.GetValueOrDefault(hash, []), series];
            return series;
        }
    }

    // "mlops.inference.duration", unit s, histogram → mlops_inference_duration_seconds
    internal static string NameOf(Instrument instrument, string type)
    {
        var name = new StringBuilder(instrument.Name.Length + 16);
        foreach (var c in instrument.Name) name.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
        var unit = instrument.Unit switch
        {
            "s" => "seconds",
            "ms" => "milliseconds",
            "By" => "bytes",
            "1" when type == "gauge" => "ratio",
            _ => "",
        };
        if (unit.Length > 0 && !name.ToString().EndsWith("_" + unit, StringComparison.Ordinal)) name.Append('_').Append(unit);
        if (type == "counter" && !name.ToString().EndsWith("_total", StringComparison.Ordinal)) name.Append("_total");
        return name.ToString();
    }

    private static double[] BoundsOf(Instrument instrument) =>
        instrument is Histogram<double> { Advice.HistogramBucketBoundaries: { Count: > 0 } asDouble } ? [.. asDouble]
        : instrument is Histogram<long> { Advice.HistogramBucketBoundaries: { Count: > 0 } asLong } ? [.. asLong.Select(b => (double)b)]
        : instrument.Unit == "s" ? [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
        : [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 100_000, 1_000_000];

    private sealed class Series(KeyValuePair<string, object?>[] tags, int bounds)
    {
        private readonly long[] _buckets = new long[bounds + 1];
        private readonly string _labels = Labels(tags);
        private double _value;

        public bool Has(ReadOnlySpan<KeyValuePair<string, object?>> others)
        {
            if (others.Length != tags.Length) return false;
            for (var i = 0; i < tags.Length; i++)
            {
                var (ours, theirs) = (tags[i], others[i]);
                if (!ReferenceEquals(ours.Key, theirs.Key) && ours.Key != theirs.Key) return false;
                if (!ReferenceEquals(ours.Value, theirs.Value) && !Equals(ours.Value, theirs.Value)) return false;
            }

            return true;
        }

        public void Set(double value) => Volatile.Write(ref _value, value);

        public void Add(double value)
        {
            double seen;
            do seen = Volatile.Read(ref _value);
            while (BitConverter.DoubleToInt64Bits(Interlocked.CompareExchange(ref _value, seen + value, seen))
                   != BitConverter.DoubleToInt64Bits(seen));
        }

        public void Observe(double value, double[] bounds)
        {
            var at = Array.BinarySearch(bounds, value);
            Interlocked.Increment(ref _buckets[at < 0 ? ~at : at]);
            Add(value);
        }

        public void RenderTo(StringBuilder text, string name, string type, double[] bounds)
        {
            if (type != "histogram")
            {
                text.Append(CultureInfo.InvariantCulture, $"{name}{Braced(_labels)} {Number(Volatile.Read(ref _value))}\n");
                return;
            }

            var sum = 0L;
            for (var i = 0; i < _buckets.Length; i++)
            {
                sum += Volatile.Read(ref _buckets[i]);
                var le = $"le=\"{(i < bounds.Length ? Number(bounds[i]) : "+Inf")}\"";
                var labels = _labels.Length == 0 ? le : $"{_labels},{le}";
                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}}} {sum}\n");
            }

            text.Append(CultureInfo.InvariantCulture, $"{name}_sum{Braced(_labels)} {Number(Volatile.Read(ref _value))}\n");
            // The count is the last bucket, so that a scrape amid observations stays consistent.
            text.Append(CultureInfo.InvariantCulture, $"{name}_count{Braced(_labels)} {sum}\n");
        }

        private static string Braced(string labels) => labels.Length == 0 ? "" : $"{{{labels}}}";

        private static string Number(double value) => value switch
        {
            double.PositiveInfinity => "+Inf",
            double.NegativeInfinity => "-Inf",
            _ => value.ToString("R", CultureInfo.InvariantCulture),
        };

        private static string Labels(KeyValuePair<string, object?>[] tags) => string.Join(',', tags.Select(tag =>
        {
            var key = string.Concat(tag.Key.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
            var value = Convert.ToString(tag.Value, CultureInfo.InvariantCulture) ?? "";
            return $"{key}=\"{PrometheusExposition.Escape(value).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
        }));
    }
}
