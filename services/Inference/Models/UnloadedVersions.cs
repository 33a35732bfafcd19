using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace MlOps.Inference.Models;

/// <summary>What was unloaded on purpose and is not to be served until it is loaded again: whole models, single versions.</summary>
internal sealed class UnloadedVersions
{
    private readonly ConcurrentDictionary<string, Entry> _models = new(StringComparer.Ordinal);

    public bool Has(string model, int version) =>
        _models.TryGetValue(model, out var entry) && entry.IsWhole != entry.Others.Contains(version);

    /// <param name="model">Name.</param>
    /// <param name="version">Null: all of them, those to come too.</param>
    public void Add(string model, int? version)
    {
        if (version is { } one) Change(model, one, isUnloaded: true);
        else _models[model] = new Entry(true, []);
    }

    /// <inheritdoc cref="Add"/>
    public void Remove(string model, int? version)
    {
        if (version is { } one) Change(model, one, isUnloaded: false);
        else _models.TryRemove(model, out _);
    }

    private void Change(string model, int version, bool isUnloaded) => _models.AddOrUpdate(
        model,
        static (_, change) => new Entry(false, change.IsUnloaded ? [change.Version] : []),
        static (_, entry, change) => entry with
        {
            Others = entry.IsWhole != change.IsUnloaded ? entry.Others.Add(change.Version) : entry.Others.Remove(change.Version),
        },
        (Version: version, IsUnloaded: isUnloaded));

    /// <param name="IsWhole">Whether versions are unloaded unless they are among the others.</param>
    /// <param name="Others">Versions for which the opposite holds.</param>
    private sealed record Entry(bool IsWhole, ImmutableHashSet<int> Others);
}
