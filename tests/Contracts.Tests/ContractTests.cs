using System.Reflection;
using Google.Protobuf.Reflection;
using MlOps.Contracts.Events;

namespace MlOps.Contracts.Tests;

/// <summary>
/// Everything other processes rely on, pinned in <c>contracts.txt</c>: a renumbered, retyped, renamed or removed field
/// fails here. After an additive change run the tests with <c>MLOPS_UPDATE_CONTRACTS=1</c> and review the difference.
/// </summary>
public sealed class ContractTests
{
    private static readonly string Pinned = Path.Combine(Repository.Folder, "tests", "Contracts.Tests", "contracts.txt");

    [Fact]
    public async Task Protos_and_events_are_as_pinned()
    {
        var now = Protos().Concat(Events()).Order(StringComparer.Ordinal).ToArray();
        if (Environment.GetEnvironmentVariable("MLOPS_UPDATE_CONTRACTS") == "1") await File.WriteAllLinesAsync(Pinned, now);

        var pinned = await File.ReadAllLinesAsync(Pinned);
        Assert.True(
            pinned.SequenceEqual(now),
            $"""
            The contract differs from {Path.GetFileName(Pinned)}.
            Gone or changed (other versions of the platform break):
              {string.Join("\n  ", pinned.Except(now).DefaultIfEmpty("nothing"))}
            New (fine: pin it with MLOPS_UPDATE_CONTRACTS=1):
              {string.Join("\n  ", now.Except(pinned).DefaultIfEmpty("nothing"))}
            """);
    }

    [Fact]
    public void Own_enums_start_at_unspecified()
    {
        var wrong = Files()
            .Where(f => f.Package.StartsWith("mlops.", StringComparison.Ordinal))
            .SelectMany(f => f.EnumTypes.Concat(f.MessageTypes.SelectMany(m => m.EnumTypes)))
            .Where(e => e.Values[0].Number != 0 || !e.Values[0].Name.EndsWith("_UNSPECIFIED", StringComparison.Ordinal))
            .Select(e => e.FullName);
        Assert.Empty(wrong);
    }

    [Fact]
    public void A_model_request_has_the_name_first_so_that_the_gateway_can_peek_at_it()
    {
        Assert.Equal(1, Inference.V1.PredictRequest.Descriptor.FindFieldByName("model").FieldNumber);
        Assert.Equal(1, OpenInference.ModelInferRequest.Descriptor.FindFieldByName("model_name").FieldNumber);
    }

    private static IEnumerable<FileDescriptor> Files() => typeof(TrialRequested).Assembly.GetTypes()
        .Where(t => t.Name.EndsWith("Reflection", StringComparison.Ordinal))
        .Select(t => t.GetProperty("Descriptor", BindingFlags.Public | BindingFlags.Static)?.GetValue(null))
        .OfType<FileDescriptor>();

    private static IEnumerable<string> Protos()
    {
        foreach (var file in Files())
        {
            foreach (var method in file.Services.SelectMany(s => s.Methods))
            {
                yield return $"rpc {method.FullName}({(method.IsClientStreaming ? "stream " : "")}{method.InputType.FullName}) → "
                    + $"{(method.IsServerStreaming ? "stream " : "")}{method.OutputType.FullName}";
            }

            foreach (var line in file.MessageTypes.SelectMany(Fields)) yield return line;
            foreach (var line in file.EnumTypes.SelectMany(Values)) yield return line;
        }
    }

    private static IEnumerable<string> Fields(MessageDescriptor message)
    {
        foreach (var field in message.Fields.InFieldNumberOrder())
        {
            var type = field.FieldType switch
            {
                FieldType.Message => field.MessageType.FullName,
                FieldType.Enum => field.EnumType.FullName,
                var scalar => scalar.ToString(),
            };
            yield return $"field {message.FullName}.{field.Name} = {field.FieldNumber} {(field.IsRepeated ? "repeated " : "")}{type}";
        }

        foreach (var line in message.NestedTypes.SelectMany(Fields)) yield return line;
        foreach (var line in message.EnumTypes.SelectMany(Values)) yield return line;
    }

    private static IEnumerable<string> Values(EnumDescriptor type) =>
        type.Values.Select(v => $"value {type.FullName}.{v.Name} = {v.Number}");

    private static IEnumerable<string> Events() =>
        from type in typeof(TrialRequested).Assembly.GetTypes()
        where type.Namespace == typeof(TrialRequested).Namespace && type.IsPublic
        from property in type.GetProperties()
        select $"event {type.Name}.{property.Name}: {property.PropertyType}";
}
