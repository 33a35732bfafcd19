using System.Diagnostics.CodeAnalysis;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Access;

/// <summary>
/// A call that is not decided yet: its caller has the right for some models only, so every message is judged by the model it
/// names before it takes effect.
/// </summary>
internal sealed class GuardedCall(AccessRule rule, ModelField model, Caller caller)
{
    public int[] FieldNumbers => model.Numbers;

    /// <summary>Why a message was refused; null: none was so far.</summary>
    public Refusal? Refusal { get; private set; }

    /// <summary>Judges a message by the model it names.</summary>
    /// <exception cref="RefusedException">The message must not go on.</exception>
    public void Judge(IMessage message) => Judge(model.In(message));

    /// <inheritdoc cref="Judge(IMessage)"/>
    public void Judge(ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[256];
        if (Encoding.UTF8.TryGetChars(name, text, out var length)) Judge(text[..length]);
        else Refuse(AccessMiddleware.Denied(caller, rule));
    }

    /// <summary>The message cannot be told to be about a model.</summary>
    /// <exception cref="RefusedException">Always.</exception>
    [DoesNotReturn]
    public void RefuseMalformed() => Refuse(new Refusal(
        StatusCode.InvalidArgument, StatusCodes.Status400BadRequest, "REQUEST_MALFORMED",
        "The message cannot be read, so it cannot be told which model it is about."));

    private void Judge(ReadOnlySpan<char> name)
    {
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
internal sealed class RefusedException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal => refusal;
}
