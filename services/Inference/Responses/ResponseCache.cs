using MlOps.Inference.Predictions;

namespace MlOps.Inference.Responses;

/// <summary>
/// Answers of one version by its complete inputs, looked-up features included: compared to the bit, not by hash alone. Bounded
/// in bytes, the longest unused go first, and none is given that is older than its time to live.
/// </summary>
internal sealed class ResponseCache(CacheSettings settings, TimeProvider time)
{
    // One request must not push out all others.
    private const int LeastAnswers = 16;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, LinkedListNode<CachedAnswer>> _byHash = [];
    private readonly LinkedList<CachedAnswer> _byUse = [];
    private long _bytes;

    /// <summary>Null where no answers are kept.</summary>
    public static ResponseCache? Of(CacheSettings settings, TimeProvider time) =>
        settings.MaxBytes > 0 ? new ResponseCache(settings, time) : null;

    /// <summary>Bytes kept, about.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock) return _bytes;
        }
    }

    /// <summary>Fills the outputs of checked inputs with the answer that is kept; false: there is none.</summary>
    public bool TryAnswer(Workspace workspace)
    {
        var hash = HashOf(workspace);
        CachedAnswer found;
        lock (_lock)
        {
            if (!_byHash.TryGetValue(hash, out var node)) return false;
            if (time.GetElapsedTime(node.Value.KeptAt) > settings.TimeToLive)
            {
                Remove(node);
                return false;
            }

            if (!IsFor(node.Value, workspace)) return false;
            _byUse.Remove(node);
            _byUse.AddFirst(node);
            found = node.Value;
        }

        for (var i = 0; i < found.Outputs.Length; i++) found.Outputs[i].CopyTo(workspace.Outputs[i]);
        return true;
    }

    /// <summary>Keeps a computed answer; one with another's hash takes its place.</summary>
    public void Keep(Workspace workspace)
    {
        var answer = new CachedAnswer(
            HashOf(workspace), [.. workspace.Inputs.Select(CachedTensor.Of)], [.. workspace.Outputs.Select(CachedTensor.Of)],
            time.GetTimestamp());
        if (answer.Size > settings.MaxBytes / LeastAnswers) return;
        lock (_lock)
        {
            if (_byHash.TryGetValue(answer.Hash, out var old)) Remove(old);
            _byHash[answer.Hash] = _byUse.AddFirst(answer);
            _bytes += answer.Size;
            while (_bytes > settings.MaxBytes && _byUse.Last is { } last) Remove(last);
        }
    }

    private void Remove(LinkedListNode<CachedAnswer> node)
    {
        _byUse.Remove(node);
        _byHash.Remove(node.Value.Hash);
        _bytes -= node.Value.Size;
    }

    private static bool IsFor(CachedAnswer answer, Workspace workspace)
    {
        for (var i = 0; i < answer.Inputs.Length; i++)
        {
            if (!answer.Inputs[i].Is(workspace.Inputs[i])) return false;
        }

        return true;
    }

    private static int HashOf(Workspace workspace)
    {
        var hash = new HashCode();
        foreach (var slot in workspace.Inputs) CachedTensor.AddTo(ref hash, slot);
        return hash.ToHashCode();
    }
}
