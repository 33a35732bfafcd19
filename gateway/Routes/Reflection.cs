using Grpc.Reflection;
using MlOps.Gateway.Access;

namespace MlOps.Gateway.Routes;

/// <summary>gRPC server reflection, v1 and v1alpha, over every service of the platform: they are described by the contracts, wherever they run.</summary>
internal static class Reflection
{
    public static void AddReflection(this WebApplicationBuilder builder)
    {
        var services = AccessExtensions.CalledServices.Append(ServiceDefaults.Health.Health.Descriptor).ToArray();
        builder.Services.AddSingleton(new ReflectionServiceImpl(services)).AddSingleton(new ReflectionV1ServiceImpl(services));
    }

    public static void MapReflection(this WebApplication app)
    {
        app.MapGrpcService<ReflectionServiceImpl>();
        app.MapGrpcService<ReflectionV1ServiceImpl>();
    }
}
