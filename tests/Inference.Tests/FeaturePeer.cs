using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Inference.Tests;

/// <summary>
/// The other end of the feature store's contract on a port of its own: one feature, <c>hour</c>, by the entity's name.
/// </summary>
internal sealed class FeaturePeer : FeatureStoreService.FeatureStoreServiceBase
{
    public const string Service = "delay_features";
    public const long EventTime = 978_307_200_000_000;

    private static readonly Dictionary<string, (double Value, FeatureStatus Status)> Hours = new()
    {
        ["ATL"] = (8, FeatureStatus.Present),
        ["ORD"] = (17.5, FeatureStatus.Present),
        ["NIL"] = (0, FeatureStatus.NullValue),
        ["OLD"] = (0, FeatureStatus.OutsideMaxAge),
    };

    private int _calls;

    public int Calls => _calls;

    public static async Task<(WebApplication App, FeaturePeer Peer)> StartAsync(int port)
    {
        var peer = new FeaturePeer();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(k => k.ListenLocalhost(port, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(peer);
        var app = builder.Build();
        app.MapGrpcService<FeaturePeer>();
        await app.StartAsync();
        return (app, peer);
    }

    public override Task<GetOnlineFeaturesResponse> GetOnlineFeatures(GetOnlineFeaturesRequest request, ServerCallContext context)
    {
        Interlocked.Increment(ref _calls);
        if (request.FeatureService != Service) throw new RpcException(new Status(StatusCode.NotFound, "no such feature service"));
        var hours = new DoubleValues();
        var statuses = new FeatureColumnStatus();
        foreach (var origin in request.Entities.Columns.Single(c => c.Name == "origin").Texts.Values)
        {
            var (value, status) = Hours.GetValueOrDefault(origin, (0, FeatureStatus.NotFound));
            hours.Values.Add(value);
            statuses.Statuses.Add(status);
            statuses.EventTimeMicros.Add(status == FeatureStatus.NotFound ? 0 : EventTime);
        }

        return Task.FromResult(new GetOnlineFeaturesResponse
        {
            Features = new Table { Columns = { new Column { Name = "hour", Doubles = hours } } },
            Statuses = { statuses },
        });
    }
}
