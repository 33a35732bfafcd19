using Grpc.Core;
using MlOps.Contracts.Events;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using static MlOps.Registry.Tests.RegistryFixture;

namespace MlOps.Registry.Tests;

[Collection(nameof(RegistryFixture))]
public sealed class AliasTests(RegistryFixture registry)
{
    private RegistryService.RegistryServiceClient Client => registry.Client;

    [ServerFact]
    public async Task Every_move_is_told_once_and_kept_with_who_and_why()
    {
        var model = await NewModelAsync(versions: 2);
        await using var listener = await EventListener<ModelAliasMoved>.StartAsync(registry.BusPrefix);

        var first = await SetAsync(model, "champion", 1, "ada", "first");
        await SetAsync(model, "champion", 1, "bob", "no move at all");
        var second = await SetAsync(model, "champion", 2, "ada", "better");
        await Client.DeleteAliasAsync(new() { Model = model, Alias = "champion", Actor = "eve", Reason = "retired" });

        Assert.Equal(["champion"], first.Aliases);
        Assert.Equal((2, "champion"), (second.Version, Assert.Single(second.Aliases)));
        Assert.Empty((await Client.GetModelVersionAsync(new() { Model = model, Version = 2 })).Aliases);
        ModelAliasMoved[] moves =
        [
            new(model, "champion", null, 1, "ada", "first"),
            new(model, "champion", 1, 2, "ada", "better"),
            new(model, "champion", 2, null, "eve", "retired"),
        ];
        await Eventually.Async(() => listener.Heard.Count(e => e.Event.ToVersion is null) == 1, TimeSpan.FromSeconds(20));
        // Consumers run side by side, so they may be heard in any order.
        Assert.Equal(moves.ToHashSet(), listener.Heard.Select(e => e.Event).ToHashSet());
        Assert.Equal(moves, await registry.Database.QueryAsync(
            """
            select model, alias, from_version, to_version, actor, reason from model_alias_move
            where model = $1 order by sequence
            """,
            [model],
            r => new ModelAliasMoved(
                r.GetString(0), r.GetString(1), r.GetFieldValue<int?>(2), r.GetFieldValue<int?>(3), r.GetString(4), r.GetString(5)),
            CancellationToken.None));
    }

    [ServerFact]
    public async Task Moves_at_once_make_one_unbroken_history()
    {
        var model = await NewModelAsync(versions: 3);

        await Task.WhenAll(Enumerable.Range(0, 12).Select(i => SetAsync(model, "champion", i % 3 + 1, "x", "y")));

        var history = await registry.Database.QueryAsync(
            "select from_version, to_version from model_alias_move where model = $1 order by sequence", [model],
            r => (From: r.GetFieldValue<int?>(0), To: r.GetFieldValue<int?>(1)), CancellationToken.None);
        Assert.Equal(history.Select(m => m.To).SkipLast(1).Prepend(null), history.Select(m => m.From));
        Assert.Equal(history[^1].To, (await Client.GetModelVersionAsync(new() { Model = model })).Version);
    }

    [ServerTheory]
    [InlineData("latest")]
    [InlineData("Latest")]
    [InlineData("v12")]
    [InlineData("V1")]
    [InlineData("")]
    [InlineData("two words")]
    public async Task A_reserved_or_malformed_alias_is_refused(string alias)
    {
        var model = await NewModelAsync(versions: 1);
        await Refusal.OfAsync(() => SetAsync(model, alias, 1, "x", "y"), StatusCode.InvalidArgument, "ALIAS_INVALID");
    }

    [ServerFact]
    public async Task An_alias_never_points_to_what_is_not_there()
    {
        var model = await NewModelAsync(versions: 1);
        await Refusal.OfAsync(() => SetAsync(model, "champion", 2, "x", "y"), StatusCode.NotFound, "VERSION_UNKNOWN");
        await Refusal.OfAsync(() => SetAsync(NewName("none"), "champion", 1, "x", "y"), StatusCode.NotFound, "MODEL_UNKNOWN");
        await Refusal.OfAsync(
            () => Client.DeleteAliasAsync(new() { Model = model, Alias = "champion" }).ResponseAsync,
            StatusCode.NotFound, "ALIAS_UNKNOWN");
        Assert.Empty((await Client.GetModelVersionAsync(new() { Model = model, Version = 1 })).Aliases);
    }

    private async Task<string> NewModelAsync(int versions)
    {
        var model = NewName("alias");
        for (var i = 0; i < versions; i++) await Client.RegisterModelVersionAsync(await registry.NewVersionAsync(model));
        return model;
    }

    private Task<ModelVersion> SetAsync(string model, string alias, int version, string actor, string reason) =>
        Client.SetAliasAsync(new() { Model = model, Alias = alias, Version = version, Actor = actor, Reason = reason }).ResponseAsync;
}
