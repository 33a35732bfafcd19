using System.Diagnostics.CodeAnalysis;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Gateway.Access.Limits;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Access;

/// <summary>
/// A call whose messages decide, each by the model it names before it takes effect: its caller has the right for some models
/// only, or may ask only so much of each.
/// </summary>
internal sealed class GuardedCall(AccessRule rule, ModelField model, Caller caller, RateLimits limits)
{
    private const int MaxName = 256;
    private readonly RateLimit? _limit = limits.Of(caller);

    public int[] FieldNumbers => model.Numbers;

    /// <summary>The model named first, of a call that changes something; null: none so far.</summary>
    public string? Model { get; private set; }

    /// <summary>Why a message was refused; null: none was so far.</summary>
    public Refusal? Refusal { get; private set; }

    /// <summary>Judges a whole message by the model it names.</summary>
    /// <exception cref="RefusedException">The message must not go on.</exception>
    public void Judge(IMessage message)
    {
        var name = model.In(message);
        Judge(name);
        Count(name);
    }

    /// <summary>Judges a model that a message names, which may name more of them.</summary>
    /// <exception cref="RefusedException">The message must not go on.</exception>
    public void Judge(ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[MaxName];
        if (Encoding.UTF8.TryGetChars(name, text, out var length)) Judge(text[..length]);
        else Refuse(AccessMiddleware.Denied(caller, rule));
    }

    /// <summary>Counts a whole message against what may be asked of the model it named last.</summary>
    /// <exception cref="RefusedException">The message must not go on.</exception>
    public void Count(ReadOnlySpan<byte> name)
    {
        if (_limit is null) return;
        Span<char> text = stackalloc char[MaxName];
        Count(Encoding.UTF8.TryGetChars(name, text, out var length) ? text[..length] : default);
    }

    /// <summary>The message cannot be told to be about a model.</summary>
    /// <exception cref="RefusedException">Always.</exception>
    [DoesNotReturn]
    public void RefuseMalformed() => Refuse(new Refusal(
        StatusCode.InvalidArgument, StatusCodes.Status400BadRequest, "REQUEST_MALFORMED",
        "The message cannot be read, so it cannot be told which model it is about."));

    private void Count(ReadOnlySpan<char> name)
    {
        if (_limit is not null && limits.Take(caller, _limit, name) is { } refusal) Refuse(refusal);
    }

    private void Judge(ReadOnlySpan<char> name)
    {
        if (rule.Changes && Model is null) Model = name.ToString();
        if (!caller.May(rule.Needs, name)) Refuse(AccessMiddleware.Denied(caller, rule));
    }

    [DoesNotReturn]
    private void Refuse(Refusal refusal)
    {
        Refusal = refusal;
        throw new RefusedException(refusal);
    }
}

/// <summary>Ends the reading of a request whose message was refused.</summary>
internal sealed class RefusedException(Refusal refusal) : RpcException(
    new Status(refusal.Grpc, refusal.Message), new Metadata { { GrpcAnswer.CodeField, refusal.Code } }, refusal.Message)
{
    public Refusal Refusal => refusal;
}
