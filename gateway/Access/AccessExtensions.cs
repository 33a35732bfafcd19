using Grpc.AspNetCore.Server;
using MlOps.Contracts.Gateway.V1;
using MlOps.Gateway.Access.Keys;
using MlOps.Gateway.Access.Limits;
using MlOps.Gateway.Access.Tokens;
using MlOps.Gateway.Audit;
using MlOps.Gateway.Routes;
using MlOps.ServiceDefaults;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace MlOps.Gateway.Access;

/// <summary>Puts access control into the gateway.</summary>
internal static class AccessExtensions
{
    public static void AddAccess(this WebApplicationBuilder builder)
    {
        Exposure.Check(builder.Configuration);
        builder.Services.AddValidatedOptions<AccessOptions>("Access");
        builder.Services
            .AddSingleton(new AccessRules(AccessTable.Rules, CalledServices)).AddSingleton<Authenticator>()
            .AddSingleton<RateLimits>().AddSingleton<IssuerKeys>().AddSingleton<TokenAuthenticator>()
            .AddSingleton<LastUsed>().AddSingleton<KeyBook>().AddSingleton<ApiKeyChanges>()
            .AddSingleton<CreateApiKey>().AddSingleton<RotateApiKey>().AddSingleton<RevokeApiKey>().AddSingleton<ListApiKeys>()
            .AddHostedService<KeyRefresh>().AddHostedService<LastUsedWriter>();
        builder.Services
            .AddSingleton<AuditTrail>().AddHostedService(services => services.GetRequiredService<AuditTrail>())
            .AddSingleton<AuditRequests>().AddSingleton<ListAuditEntries>().AddSingleton<VerifyAudit>();
        builder.Services.AddHttpClient(IssuerKeys.Client, http =>
        {
            http.Timeout = TimeSpan.FromSeconds(5);
            http.MaxResponseContentBufferSize = 1024 * 1024;
        });
        builder.Services.Configure<GrpcServiceOptions>(grpc => grpc.Interceptors.Add<GuardedCalls>());
    }

    /// <summary>Comes before everything that is mapped, and after what turns failures into answers.</summary>
    public static void UseAccess(this WebApplication app) =>
        app.UseMiddleware<SecurityHeaders>().UseMiddleware<AccessMiddleware>();

    public static void MapAccess(this WebApplication app)
    {
        Exposure.WarnOfPlainText(app.Configuration, app.Logger);
        AccessEndpoints.Map(app);
        AuditEndpoints.Map(app);
        app.MapGrpcService<AccessGrpcService>();
    }

    /// <summary>Every service whose calls the gateway takes, its own and those behind it.</summary>
    internal static IEnumerable<ServiceDescriptor> CalledServices => PlatformService.All.SelectMany(s => s.GrpcServices)
        .Append(GatewayService.Descriptor).Append(RolloutService.Descriptor).Append(ShadowService.Descriptor).Append(ExperimentService.Descriptor)
        .Append(AccessService.Descriptor);
}
