using Microsoft.Extensions.Options;

namespace MlOps.Gateway.Shadows;

/// <summary>The bytes that copies hold at a time; never more than the options allow.</summary>
internal sealed class ShadowBudget
{
    private readonly long _most;
    private long _taken;

    public ShadowBudget(IOptions<ShadowOptions> options, GatewayMetrics metrics)
    {
        _most = options.Value.MaxBytes;
        metrics.ObserveShadowBytes(() => Taken);
    }

    public long Taken => Volatile.Read(ref _taken);

    public bool TryTake(int bytes)
    {
        for (var taken = Taken; taken + bytes <= _most;)
        {
            var before = Interlocked.CompareExchange(ref _taken, taken + bytes, taken);
            if (before == taken) return true;
            taken = before;
        }

        return false;
    }

    public void Give(int bytes) => Interlocked.Add(ref _taken, -bytes);
}
