using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Numerics.Profiles;
using MlOps.TestServers;
using static MlOps.Monitoring.Tests.MonitoringFixture;

namespace MlOps.Monitoring.Tests;

[Collection(nameof(MonitoringFixture))]
public sealed class DriftTests(MonitoringFixture monitoring)
{
    private static readonly JsonSerializerOptions Snake = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    [ServerFact]
    public async Task Drift_from_profile_to_traffic_equals_SciPys()
    {
        var pairs = JsonSerializer.Deserialize<Pair[]>(File.ReadAllBytes(Path.Combine("References", "two_samples.json")), Snake)!;
        var (delays, shifted) = (pairs.Single(p => p.Name == "delays like flights"), pairs.Single(p => p.Name == "equal sizes, shifted"));
        var model = NewModel();
        await monitoring.RegisterAsync(model, new ReferenceProfile
        {
            Features = [FeatureProfile.Numeric("delay", delays.A.Samples)],
            Predictions = FeatureProfile.Numeric("prediction", delays.A.Samples),
        });
        await monitoring.RegisterAsync(model, new ReferenceProfile { Features = [FeatureProfile.Numeric("x", shifted.A.Samples)] });
        await monitoring.LogAsync(
            model, 5_100,
            [
                .. delays.B.Samples.Chunk(500).Select(c => Records.Of(model, c, "1", inputs: [Records.Doubles("delay", c)])),
                Records.Of(model, shifted.B.Samples, "2", inputs: [Records.Doubles("x", shifted.B.Samples)]),
            ]);

        var first = await DriftAsync(model, 1);
        var second = await DriftAsync(model, 2);

        Assert.Equal((1, 5_000L), (first.Version, first.Rows));
        Assert.Equal(["delay", "prediction"], first.Features.Select(f => f.Name));
        Assert.All(first.Features, f => AssertIs(delays, f));
        AssertIs(shifted, Assert.Single(second.Features));
        Assert.Equal(delays.Psi >= 0.1 ? 1 : 0, first.DriftedShare);
        Assert.Equal(1, second.DriftedShare);
    }

    [ServerFact]
    public async Task Gaps_are_counted_apart_and_categories_are_compared_by_share()
    {
        var model = NewModel();
        await monitoring.RegisterAsync(model, new ReferenceProfile
        {
            Features =
            [
                FeatureProfile.Numeric("distance", [1.0, 2, 3, 4, double.NaN]),
                FeatureProfile.Categorical("origin", ["SEA", "SEA", "LAX", null]),
                FeatureProfile.Categorical("late", ["true", "false"]),
                FeatureProfile.Numeric("gone", [1.0, 2.0]),
                FeatureProfile.Numeric("unlogged", [1.0]),
            ],
        });
        await monitoring.LogAsync(model, 4, Records.Of(
            model, [0, 0, 0, 0],
            inputs:
            [
                Records.Doubles("distance", 1, double.NaN, double.PositiveInfinity, 4),
                new Column { Name = "origin", Texts = new TextValues { Values = { "SEA", "JFK", "", "LAX" } }, Missing = Bits(0b0100) },
                new Column { Name = "late", Booleans = new BooleanValues { Values = { true, true, true, false } } },
                Records.Doubles("gone", double.NaN, double.NaN, double.NaN, double.NaN),
                Records.Doubles("not in the profile", 1, 2, 3, 4),
            ]));

        var features = (await DriftAsync(model, 1)).Features.ToDictionary(f => f.Name);

        Assert.Equal(["distance", "origin", "late", "gone", "unlogged"], features.Keys);
        Assert.Equal((4, 1, 2, 2, 2.5, 2.5), Figures(features["distance"]));
        Assert.Equal((3, 1, 3, 1, double.NaN, double.NaN), Figures(features["origin"]));
        Assert.Equal(("categorical", double.NaN), (features["origin"].Kind, features["origin"].KsPValue));
        Assert.Equal(
            [("JFK", 0, 1.0 / 3), ("LAX", 1.0 / 3, 1.0 / 3), ("SEA", 2.0 / 3, 1.0 / 3)],
            features["origin"].Bins.Select(b => (b.Label, b.ReferenceShare, b.CurrentShare)));
        Assert.Equal([("false", 0.25), ("true", 0.75)], features["late"].Bins.Select(b => (b.Label, b.CurrentShare)));
        Assert.Equal((double.PositiveInfinity, true), (features["gone"].Psi, features["gone"].IsDrifted));
        Assert.Equal((double.NaN, false), (features["unlogged"].Psi, features["unlogged"].IsDrifted));
    }

    [ServerFact]
    public async Task The_champion_is_compared_with_its_own_traffic_unless_all_is_asked_for()
    {
        var model = NewModel();
        foreach (var _ in Enumerable.Range(0, 2))
        {
            await monitoring.RegisterAsync(model, new ReferenceProfile { Features = [FeatureProfile.Numeric("x", [1.0, 2, 3])] });
        }

        await monitoring.Registry.SetAliasAsync(new() { Model = model, Alias = "champion", Version = 1 });
        await monitoring.LogAsync(
            model, 6, Row(1, "1", 0), Row(2, "1", 0), Row(3, "1", 5), Row(50, "2", 0), Row(60, "2", 0), Row(70, "2", 0));

        var own = await monitoring.Client.GetDriftAsync(new() { Model = model });
        var all = await monitoring.Client.GetDriftAsync(new() { Model = model, AllVersions = true });
        var window = await monitoring.Client.GetDriftAsync(new()
        {
            Model = model,
            FromMicros = Micros.From(Records.Noon),
            ToMicros = Micros.From(Records.Noon.AddHours(5)),
        });

        Assert.Equal((1, 3L, 0.0, false), (own.Version, own.Rows, own.Features[0].Psi, own.Features[0].IsDrifted));
        Assert.Equal((1, 6L, true), (all.Version, all.Rows, all.Features[0].IsDrifted));
        Assert.Equal(2, window.Rows);

        PredictionRecord Row(double x, string version, int hours) => Records.Of(
            model, [x], version, time: Records.Noon.AddHours(hours), inputs: [Records.Doubles("x", x)]);
    }

    [ServerFact]
    public async Task Without_traffic_nothing_has_drifted()
    {
        var model = NewModel();
        await monitoring.RegisterAsync(model, new ReferenceProfile { Features = [FeatureProfile.Numeric("x", [1.0, double.NaN])] });

        var drift = await DriftAsync(model, 1);

        Assert.Equal((0L, 0.0), (drift.Rows, drift.DriftedShare));
        Assert.Equal((1, 1, 0, 0, 1, double.NaN), Figures(Assert.Single(drift.Features)));
    }

    [ServerFact]
    public async Task What_cannot_be_compared_is_said_plainly()
    {
        var model = NewModel();
        await Refusal.OfAsync(() => DriftAsync(model, 1), StatusCode.NotFound, "MODEL_UNKNOWN");
        await monitoring.RegisterAsync(model, null);
        await Refusal.OfAsync(() => DriftAsync(model, 0), StatusCode.NotFound, "ALIAS_UNKNOWN");
        await Refusal.OfAsync(() => DriftAsync(model, 2), StatusCode.NotFound, "VERSION_UNKNOWN");
        await Refusal.OfAsync(() => DriftAsync(model, 1), StatusCode.FailedPrecondition, "PROFILE_MISSING");
        var digest = await monitoring.UploadAsync("no profile"u8.ToArray());
        var version = await monitoring.RegisterAsync(model, null);
        await monitoring.Registry.RegisterModelVersionAsync(new()
        {
            Model = model,
            ArtifactDigest = version.ArtifactDigest,
            ProfileDigest = digest,
            Signature = version.Signature,
        });
        await Refusal.OfAsync(() => DriftAsync(model, 3), StatusCode.FailedPrecondition, "PROFILE_INVALID");
    }

    private Task<GetDriftResponse> DriftAsync(string model, int version) =>
        monitoring.Client.GetDriftAsync(new() { Model = model, Version = version }).ResponseAsync;

    private static (long, long, long, long, double, double) Figures(FeatureDrift f) =>
        (f.ReferenceCount, f.ReferenceMissing, f.CurrentCount, f.CurrentMissing, f.ReferenceMean, f.CurrentMean);

    private static void AssertIs(Pair expected, FeatureDrift actual)
    {
        Assert.Equal(expected.Statistic, actual.KsStatistic);
        Assert.Equal(expected.Pvalue, actual.KsPValue, expected.Pvalue * 1e-9);
        Assert.Equal(expected.Psi, actual.Psi, 1e-12);
        Assert.Equal(expected.Psi >= 0.1, actual.IsDrifted);
        Assert.Equal(expected.ReferenceShares, actual.Bins.Select(b => b.ReferenceShare));
        Assert.Equal(expected.CurrentShares, actual.Bins.Select(b => b.CurrentShare));
    }

    private static Google.Protobuf.ByteString Bits(byte bits) => Google.Protobuf.ByteString.CopyFrom(bits);

    private sealed record Pair(
        string Name, Counted A, Counted B, double Statistic, double Pvalue, double Psi, double[] ReferenceShares, double[] CurrentShares);

    private sealed record Counted(double[] Values, long[] Counts)
    {
        public double[] Samples => [.. Values.Zip(Counts, (value, count) => Enumerable.Repeat(value, (int)count)).SelectMany(v => v)];
    }
}
