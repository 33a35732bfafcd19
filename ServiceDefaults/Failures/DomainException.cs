namespace MlOps.ServiceDefaults;

/// <summary>A refusal with a stable code that clients may act on; the three kinds below are all there are.</summary>
public abstract class DomainException(string code, string message) : Exception(message)
{
    /// <summary>Stable name of the failure, in CAPS_WITH_UNDERSCORES.</summary>
    public string Code { get; } = code;
}

/// <summary>The request itself is wrong and stays wrong when repeated: InvalidArgument / 400.</summary>
public sealed class InvalidRequestException : DomainException
{
    public InvalidRequestException(string code, string message) : base(code, message) => Violations = [];

    public InvalidRequestException(string code, IReadOnlyList<FieldViolation> violations)
        : base(code, string.Join("; ", violations.Select(v => $"{v.Field}: {v.Rule}"))) => Violations = violations;

    /// <summary>Every field that broke a rule; empty when the request as a whole is wrong.</summary>
    public IReadOnlyList<FieldViolation> Violations { get; }
}

/// <summary>What the request names does not exist: NotFound / 404.</summary>
public sealed class NotFoundException(string code, string message) : DomainException(code, message);

/// <summary>The request does not fit the present state: FailedPrecondition / 409.</summary>
public sealed class ConflictException(string code, string message) : DomainException(code, message);

/// <summary>One broken rule: which field, and what it must be.</summary>
public sealed record FieldViolation(string Field, string Rule);

/// <summary>Collects every broken rule of a request, so that all are reported at once.</summary>
public sealed class Violations
{
    private readonly List<FieldViolation> _found = [];

    public bool Any => _found.Count > 0;

    public IReadOnlyList<FieldViolation> Found => _found;

    public void Add(string field, string rule) => _found.Add(new FieldViolation(field, rule));

    public void AddIf(bool isBroken, string field, string rule)
    {
        if (isBroken) Add(field, rule);
    }

    /// <exception cref="InvalidRequestException">With <paramref name="code"/>, when a rule was broken.</exception>
    public void ThrowIfAny(string code)
    {
        if (Any) throw new InvalidRequestException(code, [.. _found]);
    }
}
