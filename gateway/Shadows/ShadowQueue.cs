using System.Threading.Channels;
using Microsoft.Extensions.Options;

namespace MlOps.Gateway.Shadows;

/// <summary>Copies that wait to be sent, bounded in number here and in bytes by the budget; what finds no place is dropped at once.</summary>
internal sealed class ShadowQueue(IOptions<ShadowOptions> options)
{
    private readonly Channel<(ShadowCopy Copy, SplitShadow Shadow)> _waiting =
        Channel.CreateBounded<(ShadowCopy, SplitShadow)>(options.Value.MaxWaiting);

    public ChannelReader<(ShadowCopy Copy, SplitShadow Shadow)> Waiting => _waiting.Reader;

    public void Add(ShadowCopy copy, SplitShadow shadow)
    {
        if (_waiting.Writer.TryWrite((copy, shadow))) return;
        shadow.Count(ShadowOutcome.Dropped);
        copy.LetGo();
    }
}
