using Grpc.Core;

namespace MlOps.Inference.Protocol;

/// <summary>What of the model repository extension is served: there is one repository, the registry, and its files are final.</summary>
internal static class ModelRepository
{
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

    private static RpcException NotServed(string message) =>
        new(new Status(StatusCode.Unimplemented, message), new Metadata { { "mlops-code", "UNIMPLEMENTED" } });
}
