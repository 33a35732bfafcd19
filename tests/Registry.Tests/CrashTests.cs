using Grpc.Core;
using MlOps.Contracts.Events;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using static MlOps.Registry.Tests.RegistryFixture;

namespace MlOps.Registry.Tests;

/// <summary>On a registry of its own, for it is killed and its tables are taken away.</summary>
public sealed class CrashTests(RegistryFixture registry) : IClassFixture<RegistryFixture>
{
    [ServerFact]
    public async Task A_version_and_its_event_stand_or_fall_together()
    {
        await using var listener = await EventListener<ModelVersionRegistered>.StartAsync(registry.BusPrefix);
        var request = await registry.NewVersionAsync(NewName("together"));

        await ExecuteAsync("alter table outbox rename to outbox_away");
        await Refusal.OfAsync(
            () => registry.Client.RegisterModelVersionAsync(request).ResponseAsync, StatusCode.Internal, "INTERNAL");
        await ExecuteAsync("alter table outbox_away rename to outbox");
        await Refusal.OfAsync(
            () => registry.Client.GetModelVersionAsync(new() { Model = request.Model }).ResponseAsync,
            StatusCode.NotFound, "MODEL_UNKNOWN");

        var made = await registry.Client.RegisterModelVersionAsync(request);

        var told = new ModelVersionRegistered(request.Model, 1, request.ArtifactDigest);
        await Eventually.Async(() => listener.Heard.Any(e => e.Event == told), TimeSpan.FromSeconds(30));
        Assert.Equal(1, made.Version);
        Assert.Single(listener.Heard.Select(e => e.Id).Distinct());
    }

    [ServerFact]
    public async Task An_event_that_had_not_left_when_the_process_died_leaves_after_its_restart()
    {
        await using var listener = await EventListener<ModelVersionRegistered>.StartAsync(registry.BusPrefix);
        var request = await registry.NewVersionAsync(NewName("killed"));

        // Keeps the committed event from the dispatcher, as if the process had died right after the commit.
        await ExecuteAsync(
            """
            create function hold() returns trigger language plpgsql as
            $$ begin insert into held select new.*; return null; end $$;
            create table held (like outbox);
            create trigger hold before insert on outbox for each row execute function hold();
            """);
        await registry.Client.RegisterModelVersionAsync(request);
        await registry.Process.KillAsync();
        await ExecuteAsync(
            """
            drop trigger hold on outbox;
            insert into outbox (id, type, body, trace_parent, created_at) select id, type, body, trace_parent, created_at from held;
            drop table held;
            drop function hold();
            """);
        Assert.DoesNotContain(listener.Heard, e => e.Event.Model == request.Model);

        await registry.Process.StartAgainAsync();

        await Eventually.Async(() => listener.Heard.Any(e => e.Event.Model == request.Model), TimeSpan.FromSeconds(30));
        Assert.Equal(1, (await registry.Client.GetModelVersionAsync(new() { Model = request.Model })).Version);
    }

    private async Task ExecuteAsync(string sql) => await registry.Database.ExecuteAsync(sql, [], CancellationToken.None);
}
