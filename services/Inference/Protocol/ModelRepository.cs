using System.Globalization;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>What of the model repository extension is served: there is one repository, the registry, and its files are final.</summary>
internal static class ModelRepository
{
    /// <summary>Parameter of load and unload: the one version meant, by number or alias. Triton has no word for it.</summary>
    public const string VersionParameter = "version";

    /// <exception cref="RpcException">Unimplemented.</exception>
    public static void CheckName(string repository)
    {
        if (repository.Length > 0) throw NotServed("There is one repository, the registry; 'repository_name' must be empty.");
    }

    /// <exception cref="RpcException">Unimplemented.</exception>
    public static void CheckLoad(IEnumerable<string> parameters)
    {
        if (parameters.Any(p => p == "config" || p.StartsWith("file:", StringComparison.Ordinal)))
        {
            throw NotServed("Models and their configuration come from the registry; 'config' and 'file:' are not served.");
        }
    }

    /// <summary>The one version a call names; empty: none.</summary>
    /// <exception cref="InvalidRequestException">PARAMETER_INVALID.</exception>
    public static string VersionOf(IDictionary<string, ModelRepositoryParameter> parameters) =>
        !parameters.TryGetValue(VersionParameter, out var given) ? ""
        : given.ParameterChoiceCase switch
        {
            ModelRepositoryParameter.ParameterChoiceOneofCase.StringParam => given.StringParam,
            ModelRepositoryParameter.ParameterChoiceOneofCase.Int64Param => given.Int64Param.ToString(CultureInfo.InvariantCulture),
            _ => throw VersionInvalid(),
        };

    public static InvalidRequestException VersionInvalid() =>
        new("PARAMETER_INVALID", $"'{VersionParameter}' must be a version's number or an alias");

    private static RpcException NotServed(string message) =>
        new(new Status(StatusCode.Unimplemented, message), new Metadata { { "mlops-code", "UNIMPLEMENTED" } });
}
