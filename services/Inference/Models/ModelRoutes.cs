using System.Collections.Frozen;
using System.Globalization;

namespace MlOps.Inference.Models;

/// <summary>Which version of one model each alias means, and which is the newest.</summary>
internal sealed record ModelRoutes(int Latest, FrozenDictionary<string, int> Aliases)
{
    public const string DefaultAlias = "champion";
    public const string LatestAlias = "latest";

    public int Default { get; } = Aliases.GetValueOrDefault(DefaultAlias, Latest);

    /// <summary>What aliases point to, and the newest.</summary>
    public IEnumerable<int> Versions => Aliases.Values.Append(Latest).Distinct();

    /// <summary>The version a selector means: a number, an alias, "latest", or nothing; null: no such version.</summary>
    public int? Find(string selector)
    {
        if (selector.Length == 0) return Default;
        if (int.TryParse(selector, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0) return number;
        if (Aliases.TryGetValue(selector, out var version)) return version;
        return selector == LatestAlias ? Latest : null;
    }

    /// <summary>These wishes, except where a version is not loaded and the one served before still is.</summary>
    public ModelRoutes KeepServing(ModelRoutes? before, Func<int, bool> isLoaded)
    {
        if (before is null) return this;
        return new ModelRoutes(
            Choose(Latest, before.Latest),
            Aliases.ToFrozenDictionary(a => a.Key, a => Choose(a.Value, before.Aliases.GetValueOrDefault(a.Key, a.Value))));

        int Choose(int wanted, int served) => !isLoaded(wanted) && isLoaded(served) ? served : wanted;
    }
}
