using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;
using static MlOps.Registry.Tests.RegistryFixture;

namespace MlOps.Registry.Tests;

[Collection(nameof(RegistryFixture))]
public sealed class VersionTests(RegistryFixture registry)
{
    private RegistryService.RegistryServiceClient Client => registry.Client;

    [ServerFact]
    public async Task A_version_keeps_all_it_was_registered_with()
    {
        var request = await registry.NewVersionAsync(NewName("whole"));
        request.ProfileDigest = (await registry.UploadAsync([1, 2, 3])).Digest;
        request.DatasetDigest = "sha256:d";
        request.FeatureService = "flights";
        request.Environment.Add("dotnet", "10.0");
        request.Metrics.Add(new Dictionary<string, double> { ["rmse"] = 0.1 + 0.2, ["lost"] = double.NaN });
        request.Description = "boosted trees";

        var made = await Client.RegisterModelVersionAsync(request);
        var kept = await Client.GetModelVersionAsync(new GetModelVersionRequest { Model = request.Model, Version = 1 });

        Assert.Equal(made, kept);
        Assert.True(kept.CreatedAtMicros > 0);
        Assert.Equal(
            new ModelVersion
            {
                Model = request.Model,
                Version = 1,
                RunId = request.RunId,
                ArtifactDigest = request.ArtifactDigest,
                ArtifactSizeBytes = 16,
                Signature = request.Signature,
                ProfileDigest = request.ProfileDigest,
                DatasetDigest = "sha256:d",
                FeatureService = "flights",
                Environment = { request.Environment },
                Metrics = { request.Metrics },
                Description = "boosted trees",
                CreatedAtMicros = kept.CreatedAtMicros,
            },
            kept);
    }

    [ServerFact]
    public async Task Registrations_at_once_get_numbers_without_gap_or_repeat()
    {
        var model = NewName("crowd");
        var requests = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => registry.NewVersionAsync(model)));

        var versions = await Task.WhenAll(requests.Select(r => Client.RegisterModelVersionAsync(r).ResponseAsync));

        Assert.Equal(Enumerable.Range(1, 8), versions.Select(v => v.Version).Order());
        var listed = await Client.ListModelVersionsAsync(new ListModelVersionsRequest { Model = model });
        Assert.Equal(Enumerable.Range(1, 8).Reverse(), listed.Versions.Select(v => v.Version));
    }

    [ServerFact]
    public async Task The_same_run_registers_one_version_however_often_it_asks()
    {
        var request = await registry.NewVersionAsync(NewName("again"));

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 6).Select(_ => Client.RegisterModelVersionAsync(request).ResponseAsync));

        Assert.Single(answers.Distinct());
        Assert.Single((await Client.ListModelVersionsAsync(new() { Model = request.Model })).Versions);
    }

    [ServerFact]
    public async Task A_refused_registration_leaves_neither_model_nor_number_behind()
    {
        var request = await registry.NewVersionAsync(NewName("refused"));
        var (digest, unknown) = (request.ArtifactDigest, "sha256:" + new string('0', 64));
        request.ProfileDigest = unknown;

        var words = await Refusal.OfAsync(
            () => Client.RegisterModelVersionAsync(request).ResponseAsync, StatusCode.NotFound, "ARTIFACT_UNKNOWN");

        Assert.Contains(unknown, words, StringComparison.Ordinal);
        Assert.DoesNotContain(digest, words, StringComparison.Ordinal);
        await Refusal.OfAsync(
            () => Client.ListModelVersionsAsync(new() { Model = request.Model }).ResponseAsync, StatusCode.NotFound, "MODEL_UNKNOWN");
        request.ProfileDigest = "";
        Assert.Equal(1, (await Client.RegisterModelVersionAsync(request)).Version);
    }

    [ServerFact]
    public async Task Every_broken_rule_is_named_at_once()
    {
        var words = await Refusal.OfAsync(
            () => Client.RegisterModelVersionAsync(new RegisterModelVersionRequest
            {
                Model = "-no",
                RunId = "7",
                Signature = new Signature { Inputs = { new TensorSpec { Name = "x", Datatype = "FLOAT" }, new TensorSpec { Name = "x" } } },
            }).ResponseAsync,
            StatusCode.InvalidArgument, "VERSION_INVALID");

        Assert.All(
            ["model:", "run_id:", "'FLOAT'", "'x' is named more than once", "signature.outputs:"],
            part => Assert.Contains(part, words, StringComparison.Ordinal));
    }

    [ServerFact]
    public async Task Without_a_selector_the_champion_answers_and_the_newest_while_there_is_none()
    {
        var model = NewName("default");
        foreach (var _ in Enumerable.Range(0, 3)) await Client.RegisterModelVersionAsync(await registry.NewVersionAsync(model));

        Assert.Equal(3, (await Client.GetModelVersionAsync(new() { Model = model })).Version);
        await Client.SetAliasAsync(new() { Model = model, Alias = "champion", Version = 2 });
        Assert.Equal(2, (await Client.GetModelVersionAsync(new() { Model = model })).Version);
        Assert.Equal(2, (await Client.GetModelVersionAsync(new() { Model = model, Alias = "champion" })).Version);
        Assert.Equal(1, (await Client.GetModelVersionAsync(new() { Model = model, Version = 1 })).Version);
    }

    [ServerFact]
    public async Task What_is_unknown_is_not_found_and_the_few_known_are_named()
    {
        var model = NewName("known");
        await Client.RegisterModelVersionAsync(await registry.NewVersionAsync(model));
        await Client.SetAliasAsync(new() { Model = model, Alias = "stable", Version = 1 });

        await Refusal.OfAsync(
            () => Client.GetModelVersionAsync(new() { Model = NewName("none") }).ResponseAsync, StatusCode.NotFound, "MODEL_UNKNOWN");
        Assert.EndsWith("has no version 9; known: 1.", await Refusal.OfAsync(
            () => Client.GetModelVersionAsync(new() { Model = model, Version = 9 }).ResponseAsync,
            StatusCode.NotFound, "VERSION_UNKNOWN"), StringComparison.Ordinal);
        Assert.EndsWith("has no alias 'champ'; known: stable.", await Refusal.OfAsync(
            () => Client.GetModelVersionAsync(new() { Model = model, Alias = "champ" }).ResponseAsync,
            StatusCode.NotFound, "ALIAS_UNKNOWN"), StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task The_list_of_models_tells_their_newest_version_and_aliases()
    {
        var model = NewName("listed");
        await Client.RegisterModelVersionAsync(await registry.NewVersionAsync(model));
        await Client.RegisterModelVersionAsync(await registry.NewVersionAsync(model));
        await Client.SetAliasAsync(new() { Model = model, Alias = "champion", Version = 1 });
        await Client.SetAliasAsync(new() { Model = model, Alias = "challenger", Version = 2 });

        var listed = Assert.Single((await Client.ListModelsAsync(new())).Models, m => m.Name == model);

        Assert.Equal(2, listed.LatestVersion);
        Assert.Equal(new Dictionary<string, int> { ["champion"] = 1, ["challenger"] = 2 }, listed.Aliases);
    }
}
