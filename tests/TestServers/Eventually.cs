using System.Runtime.CompilerServices;

namespace MlOps.TestServers;

/// <summary>Waits for a condition with a deadline: what tests do instead of sleeping.</summary>
public static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Returns when <paramref name="condition"/> holds; throws <see cref="TimeoutException"/> when it does not in time.</summary>
    public static async Task Async(
        Func<Task<bool>> condition,
        TimeSpan deadline,
        [CallerArgumentExpression(nameof(condition))] string? what = null)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > deadline)
                throw new TimeoutException($"Not true within {deadline.TotalSeconds:0.#} s: {what}");
            await Task.Delay(Pause);
        }
    }

    /// <inheritdoc cref="Async(Func{Task{bool}}, TimeSpan, string?)"/>
    public static Task Async(
        Func<bool> condition,
        TimeSpan deadline,
        [CallerArgumentExpression(nameof(condition))] string? what = null) =>
        Async(() => Task.FromResult(condition()), deadline, what);

    /// <summary>Returns the first value of <paramref name="read"/> that is not null, within the deadline.</summary>
    public static async Task<T> GetAsync<T>(
        Func<Task<T?>> read,
        TimeSpan deadline,
        [CallerArgumentExpression(nameof(read))] string? what = null)
        where T : class
    {
        T? value = null;
        await Async(async () => (value = await read()) is not null, deadline, what);
        return value!; // the condition above held
    }
}
