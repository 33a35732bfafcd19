using MlOps.Gateway.Access.Limits;

namespace MlOps.Gateway.Access;

/// <summary>Who is asking, and what that one may do. Immutable; shared by all requests of the same key or token.</summary>
internal sealed class Caller
{
    private readonly Grant[] _grants;
    private readonly double? _rate;
    private readonly int? _burst;
    private readonly Right _anywhere;
    private readonly Right _everywhere;

    /// <param name="name">As audit and traces have it: <c>key:…</c>, <c>user:…</c> or <c>anonymous</c>; never a secret.</param>
    /// <param name="grants">What it may do.</param>
    /// <param name="display">What people call it: the name of the key, the name in the token.</param>
    /// <param name="rate">Requests per second; null: the platform's usual.</param>
    /// <param name="burst">Requests at once; null: the platform's usual.</param>
    public Caller(string name, IEnumerable<Grant> grants, string display = "", double? rate = null, int? burst = null)
    {
        (_rate, _burst) = (rate, burst);
        Name = name;
        Display = display;
        _grants = [.. grants];
        foreach (var grant in _grants)
        {
            _anywhere |= grant.Role.Rights;
            if (grant.Models == Grant.Everything) _everywhere |= grant.Role.Rights;
        }
    }

    /// <summary>Somebody on this machine, where the gateway is open.</summary>
    public static Caller Anonymous { get; } = new("anonymous", [new Grant(Role.Admin, Grant.Everything)]);

    public string Name { get; }

    public string Display { get; }

    public IReadOnlyList<Grant> Grants => _grants;

    /// <summary>What this caller may ask of a model, made of its own limits and the usual ones; null: as much as it likes.</summary>
    public RateLimit? Limit(RateLimit? usual)
    {
        if (_rate is null && _burst is null) return usual;
        var rate = _rate ?? usual?.RequestsPerSecond;
        // A second's worth where nothing is said of bursts.
        return rate is { } each ? new RateLimit(each, _burst ?? Math.Max(1, (int)Math.Min(each, int.MaxValue))) : null;
    }

    /// <summary>Has one of the rights for some model at least.</summary>
    public bool MaySomewhere(Right oneOf) => oneOf == Right.None || (_anywhere & oneOf) != 0;

    /// <summary>Has one of the rights for the whole platform.</summary>
    public bool MayEverywhere(Right oneOf) => oneOf == Right.None || (_everywhere & oneOf) != 0;

    /// <summary>Has one of the rights for this model; an empty name stands for all of them. Allocates nothing.</summary>
    public bool May(Right oneOf, ReadOnlySpan<char> model)
    {
        if (MayEverywhere(oneOf)) return true;
        if (model.IsEmpty || !MaySomewhere(oneOf)) return false;
        foreach (var grant in _grants)
        {
            if ((grant.Role.Rights & oneOf) != 0 && grant.Covers(model)) return true;
        }

        return false;
    }
}

internal static class CallerExtensions
{
    /// <summary>Who sent this request, once it has passed the door.</summary>
    public static Caller Caller(this HttpContext http) => http.Features.Get<Caller>() ?? Access.Caller.Anonymous;
}
