using MlOps.ServiceDefaults;

namespace MlOps.Monitoring;

/// <summary>Half-open in time: from is in, to is out; null is unbounded.</summary>
internal sealed record Window(DateTimeOffset? From, DateTimeOffset? To)
{
    /// <exception cref="InvalidRequestException">WINDOW_INVALID</exception>
    public static Window Of(long fromMicros, long toMicros)
    {
        var violations = new Violations();
        violations.AddIf(!Micros.IsTime(fromMicros), "from_micros", "must be a time in the years 1 to 9999");
        violations.AddIf(!Micros.IsTime(toMicros), "to_micros", "must be a time in the years 1 to 9999");
        violations.AddIf(
            fromMicros != 0 && toMicros != 0 && fromMicros >= toMicros, "to_micros", "must be after from_micros");
        violations.ThrowIfAny("WINDOW_INVALID");
        return new Window(
            fromMicros == 0 ? null : Micros.ToTime(fromMicros), toMicros == 0 ? null : Micros.ToTime(toMicros));
    }
}
