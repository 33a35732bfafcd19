using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Reflection.V1;
using MlOps.TestServers;
using Alpha = Grpc.Reflection.V1Alpha;

namespace MlOps.Gateway.Tests.Routes;

public sealed class ReflectionTests(Platform<ReflectionTests> platform) : IClassFixture<Platform<ReflectionTests>>
{
    [ServerFact]
    public async Task Every_service_can_be_asked_for_with_all_that_describes_it()
    {
        using var call = new ServerReflection.ServerReflectionClient(platform.Gateway.Channel).ServerReflectionInfo(deadline: Samples.Soon);
        var listed = (await AskAsync(call, new ServerReflectionRequest { ListServices = "" })).ListServicesResponse.Service.Select(s => s.Name);
        var served = MlOps.Gateway.Access.AccessExtensions.CalledServices.Select(s => s.FullName).Append("grpc.health.v1.Health");
        Assert.Equal(served.Order(StringComparer.Ordinal), listed.Where(s => !s.StartsWith("grpc.reflection", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

        foreach (var service in served)
        {
            var files = (await AskAsync(call, new ServerReflectionRequest { FileContainingSymbol = service })).FileDescriptorResponse.FileDescriptorProto
                .Select(FileDescriptorProto.Parser.ParseFrom).ToArray();
            Assert.Contains(files.SelectMany(f => f.Service.Select(s => $"{f.Package}.{s.Name}")), s => s == service);
            // A client can build the whole of it.
            Assert.Empty(files.SelectMany(f => f.Dependency).Except(files.Select(f => f.Name)));
        }

        await call.RequestStream.CompleteAsync();
    }

    [ServerFact]
    public async Task Older_clients_ask_by_the_name_they_know()
    {
        using var call = new Alpha.ServerReflection.ServerReflectionClient(platform.Gateway.Channel).ServerReflectionInfo(deadline: Samples.Soon);
        await call.RequestStream.WriteAsync(new Alpha.ServerReflectionRequest { ListServices = "" });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Contains(call.ResponseStream.Current.ListServicesResponse.Service, s => s.Name == "mlops.registry.v1.RegistryService");
        await call.RequestStream.CompleteAsync();
    }

    private static async Task<ServerReflectionResponse> AskAsync(
        AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call, ServerReflectionRequest request)
    {
        await call.RequestStream.WriteAsync(request);
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        return call.ResponseStream.Current;
    }
}
