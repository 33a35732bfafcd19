using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using MlOps.ServiceDefaults.Database;
using MlOps.ServiceDefaults.Messaging;

namespace MlOps.ServiceDefaults;

/// <summary>Adds a service's PostgreSQL database with its migrations, outbox and inbox.</summary>
public static class DatabaseExtensions
{
    /// <summary>
    /// Registers the data source named <paramref name="connectionName"/>. Before the service starts, the database is
    /// created when missing and migrated from the <c>Migrations/NNNN_name.sql</c> embedded in the calling assembly.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static IHostApplicationBuilder AddDatabase(this IHostApplicationBuilder builder, string connectionName)
    {
        builder.AddNpgsqlDataSource(connectionName);
        builder.AddParts(Assembly.GetCallingAssembly());
        builder.Services.AddHostedService(services => services.GetRequiredService<MigrationRunner>());
        return builder;
    }

    /// <summary>
    /// The same for a service that can do without: it starts and answers while PostgreSQL is away, its health is degraded
    /// meanwhile, and the database is migrated as soon as it is there. What needs it awaits <see cref="DatabaseState"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static IHostApplicationBuilder AddOptionalDatabase(this IHostApplicationBuilder builder, string connectionName)
    {
        builder.AddNpgsqlDataSource(connectionName, settings => settings.DisableHealthChecks = true);
        builder.AddParts(Assembly.GetCallingAssembly());
        builder.Services.AddHostedService<LateMigrations>();
        builder.Services.AddHealthChecks().AddCheck<DatabaseHealthCheck>("PostgreSql", HealthStatus.Degraded);
        return builder;
    }

    private static void AddParts(this IHostApplicationBuilder builder, Assembly service)
    {
        builder.Services.AddSingleton(new MigrationScripts(service));
        builder.Services.AddSingleton<DatabaseState>();
        builder.Services.AddSingleton<MigrationRunner>();
        builder.Services.AddSingleton<Outbox>();
        builder.Services.AddSingleton<Inbox>();
        builder.Services.AddHostedService<OutboxDispatcher>();
    }
}
