using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using MlOps.ServiceDefaults;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Shadows;

/// <summary>Puts shadows into the gateway.</summary>
internal static class ShadowExtensions
{
    public static void AddShadows(this WebApplicationBuilder builder)
    {
        builder.Services.AddValidatedOptions<ShadowOptions>("Shadows");
        builder.Services
            .AddSingleton<ShadowBudget>().AddSingleton<ShadowQueue>().AddSingleton<ShadowTaps>().AddSingleton<ShadowBook>()
            .AddSingleton<FlushShadows>().AddSingleton<ReportShadow>().AddHostedService<SendShadows>();
    }

    public static void MapShadows(this WebApplication app)
    {
        app.MapGet("/v1/shadows/{model}/{version}", ReportAsync).WithTags("Shadows")
            .WithSummary("What a shadow did beside the live versions, pair by pair");
        app.MapGrpcService<ShadowGrpcService>();
    }

    private static async Task<Ok<JsonObject>> ReportAsync(
        string model, string version, DateTimeOffset? from, DateTimeOffset? to, double? threshold, string? segment, ReportShadow report,
        CancellationToken ct)
    {
        var request = new Wire.GetShadowReportRequest { Model = model, Version = version, Segment = segment ?? "" };
        if (from is { } start) request.FromMicros = ReportShadow.Micros(start);
        if (to is { } end) request.ToMicros = ReportShadow.Micros(end);
        if (threshold is { } positive) request.Threshold = positive;
        return TypedResults.Ok(ShadowJson.Of(await report.RunAsync(request, ct)));
    }
}
