using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MlOps.ServiceDefaults.Database;
using MlOps.ServiceDefaults.Messaging;

namespace MlOps.ServiceDefaults;

/// <summary>Adds a service's PostgreSQL database with its migrations, outbox and inbox.</summary>
public static class DatabaseExtensions
{
    /// <summary>
    /// Registers the data source named <paramref name="connectionName"/>. Before the service starts, the database is
    /// created when missing and migrated from the <c>Migrations/NNNN_name.sql</c> embedded in the service.
    /// </summary>
    public static TBuilder AddDatabase<TBuilder>(this TBuilder builder, string connectionName)
        where TBuilder : IHostApplicationBuilder
    {
        builder.AddNpgsqlDataSource(connectionName);
        builder.Services.AddSingleton<MigrationRunner>();
        builder.Services.AddHostedService(services => services.GetRequiredService<MigrationRunner>());
        builder.Services.AddSingleton<Outbox>();
        builder.Services.AddSingleton<Inbox>();
        builder.Services.AddHostedService<OutboxDispatcher>();
        return builder;
    }
}
