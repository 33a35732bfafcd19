using Google.Protobuf.Reflection;
using MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.OpenApi;

/// <summary>What the protos say in their comments, by full name, e.g. <c>mlops.registry.v1.Run.run_id</c>.</summary>
internal static class ProtoComments
{
    private static readonly Lazy<Dictionary<string, string>> All = new(Read);

    /// <summary>Empty where there is no comment.</summary>
    public static string Of(IDescriptor described) => All.Value.GetValueOrDefault(described.FullName, "");

    private static Dictionary<string, string> Read()
    {
        using var stream = typeof(GatewayService).Assembly.GetManifestResourceStream("contracts.binpb")
            ?? throw new InvalidOperationException("The contracts were built without their comments.");
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in FileDescriptorSet.Parser.ParseFrom(stream).File)
        {
            foreach (var location in file.SourceCodeInfo.Location)
            {
                var text = TextOf(location);
                if (text.Length > 0 && NameOf(file, [.. location.Path]) is { } name) found[name] = text;
            }
        }

        return found;
    }

    private static string TextOf(SourceCodeInfo.Types.Location location) => string.Join(
        ' ', $"{location.LeadingComments}\n{location.TrailingComments}".Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));

    // The numbers are those of the fields of descriptor.proto: 4 message_type, 5 enum_type, 6 service; in a message 2 field,
    // 3 nested_type, 4 enum_type; in a service 2 method; in an enum 2 value.
    private static string? NameOf(FileDescriptorProto file, ReadOnlySpan<int> path) => path switch
    {
        [6, var s] => $"{file.Package}.{file.Service[s].Name}",
        [6, var s, 2, var m] => $"{file.Package}.{file.Service[s].Name}.{file.Service[s].Method[m].Name}",
        [5, var e, .. var rest] => InEnum(file.Package, file.EnumType[e], rest),
        [4, var m, .. var rest] => InMessage(file.Package, file.MessageType[m], rest),
        _ => null,
    };

    private static string? InMessage(string scope, DescriptorProto message, ReadOnlySpan<int> path) => path switch
    {
        [] => $"{scope}.{message.Name}",
        [2, var f] => $"{scope}.{message.Name}.{message.Field[f].Name}",
        [3, var n, .. var rest] => InMessage($"{scope}.{message.Name}", message.NestedType[n], rest),
        [4, var e, .. var rest] => InEnum($"{scope}.{message.Name}", message.EnumType[e], rest),
        _ => null,
    };

    // Values of an enum stand beside it, not in it.
    private static string? InEnum(string scope, EnumDescriptorProto type, ReadOnlySpan<int> path) => path switch
    {
        [] => $"{scope}.{type.Name}",
        [2, var v] => $"{scope}.{type.Value[v].Name}",
        _ => null,
    };
}
