using System.Text;

namespace MlOps.Gateway.Splits.Subjects;

/// <summary>Where a policy's subject stands in the body of a request that carries it in no header.</summary>
internal sealed class SubjectField
{
    private readonly byte[] _input;
    private readonly byte[] _parameter;

    private SubjectField(string input, string[] pointer)
    {
        _input = Encoding.UTF8.GetBytes(input);
        Pointer = pointer;
        _parameter = pointer is ["parameters", var name] ? Encoding.UTF8.GetBytes(name) : [];
    }

    /// <summary>UTF-8 of the model input whose first value is the subject; empty: a pointer leads to it.</summary>
    public ReadOnlySpan<byte> Input => _input;

    /// <summary>The pointer's parts, unescaped (RFC 6901).</summary>
    public string[] Pointer { get; }

    /// <summary>The pointer leads to the request's id, which gRPC has as well.</summary>
    public bool IsRequestId => Pointer is ["id"];

    /// <summary>UTF-8 of the request parameter the pointer leads to, which gRPC has as well; empty: to something else.</summary>
    public ReadOnlySpan<byte> Parameter => _parameter;

    /// <summary>Null where only the header counts.</summary>
    public static SubjectField? Of(TrafficPolicy policy) => policy switch
    {
        { SubjectInput.Length: > 0 } => new SubjectField(policy.SubjectInput, []),
        { SubjectJson.Length: > 0 } => new SubjectField("", [.. policy.SubjectJson[1..].Split('/').Select(Unescape)]),
        _ => null,
    };

    private static string Unescape(string part) =>
        part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
}
