using System.Reflection;
using System.Runtime.CompilerServices;
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
    /// created when missing and migrated from the <c>Migrations/NNNN_name.sql</c> embedded in the calling assembly.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static IHostApplicationBuilder AddDatabase(this IHostApplicationBuilder builder, string connectionName)
    {
        var migrations = new MigrationScripts(Assembly.GetCallingAssembly());
        builder.AddNpgsqlDataSource(connectionName);
        builder.Services.AddSingleton(migrations);
        builder.Services.AddSingleton<MigrationRunner>();
        builder.Services.AddHostedService(services => services.GetRequiredService<MigrationRunner>());
        builder.Services.AddSingleton<Outbox>();
        builder.Services.AddSingleton<Inbox>();
        builder.Services.AddHostedService<OutboxDispatcher>();
        return builder;
    }
}
