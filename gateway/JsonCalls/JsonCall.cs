using System.Collections.Frozen;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using MlOps.Gateway.Access;

namespace MlOps.Gateway.JsonCalls;

/// <summary>A gRPC call as REST has it: <c>POST /v1/mlops.registry.v1.RegistryService/GetRun</c>.</summary>
internal sealed class JsonCall(MethodDescriptor method)
{
    /// <summary>What <see cref="RestPath"/> puts before the path of gRPC.</summary>
    public const string Prefix = "/v1";

    private static readonly JsonParser Parser = new(JsonParser.Settings.Default);

    // Names as in the proto, and every field, so that a reader sees what there is.
    private static readonly JsonFormatter Formatter =
        new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true).WithFormatDefaultValues(true));

    /// <summary>Every call of every service of the platform.</summary>
    public static IReadOnlyList<JsonCall> All { get; } =
        [.. AccessExtensions.CalledServices.SelectMany(s => s.Methods).Select(m => new JsonCall(m))];

    /// <summary>The same by their paths on the REST side.</summary>
    public static FrozenDictionary<string, JsonCall> ByPath { get; } = All.ToFrozenDictionary(c => c.RestPath, StringComparer.Ordinal);

    public MethodDescriptor Method => method;

    public string GrpcPath { get; } = $"/{method.Service.FullName}/{method.Name}";

    public string RestPath => Prefix + GrpcPath;

    /// <exception cref="InvalidProtocolBufferException">It is no JSON, or not of this message; the message says where and why.</exception>
    /// <exception cref="InvalidJsonException">The same.</exception>
    public IMessage Parse(string json) => Parser.Parse(json, method.InputType);

    /// <summary>The protobuf JSON of an answer: 64-bit integers are texts, bytes are base64.</summary>
    /// <exception cref="InvalidProtocolBufferException">The bytes are no such message.</exception>
    public string Format(ReadOnlyMemory<byte> answer) => Formatter.Format(method.OutputType.Parser.ParseFrom(answer.Span));
}
