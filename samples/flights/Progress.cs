using System.Diagnostics;

namespace MlOps.Flights;

/// <summary>The demo's words on the screen: numbered steps, lines under them, and how long each took.</summary>
internal sealed class Progress(int steps)
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private long _step;
    private int _number;

    public Dictionary<string, double> SecondsByStep { get; } = [];

    public double TotalSeconds => Stopwatch.GetElapsedTime(_started).TotalSeconds;

    public async Task<T> StepAsync<T>(string title, Func<Task<T>> work)
    {
        Console.WriteLine($"\n[{++_number}/{steps}] {title}");
        _step = Stopwatch.GetTimestamp();
        var result = await work();
        SecondsByStep[title] = Stopwatch.GetElapsedTime(_step).TotalSeconds;
        return result;
    }

    public void Line(string text) =>
        Console.WriteLine($"  {Stopwatch.GetElapsedTime(_step).TotalSeconds,6:0.0} s  {text}");
}
