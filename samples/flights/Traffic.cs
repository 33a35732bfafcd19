using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Flights.Steps;

namespace MlOps.Flights;

/// <summary>Sends flights through the gateway, one request each, half by gRPC and half by REST.</summary>
internal static class Traffic
{
    private const int Concurrency = 16;

    /// <summary>What came back for one flight; row 0 of <see cref="PredictionId"/> is its prediction.</summary>
    public sealed record Answer(Flight Flight, string PredictionId, string Version, string Variant, double Prediction);

    /// <summary>Answers in the order of <paramref name="flights"/>.</summary>
    public static async Task<Answer[]> SendAsync(Platform platform, IReadOnlyList<Flight> flights, CancellationToken ct)
    {
        var answers = new Answer[flights.Count];
        await Parallel.ForAsync(
            0, flights.Count, new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = ct },
            async (i, token) => answers[i] = flights[i].Id % 2 == 0
                ? await ByGrpcAsync(platform, flights[i], token)
                : await ByRestAsync(platform, flights[i], token));
        return answers;
    }

    public static async Task<Answer> ByGrpcAsync(Platform platform, Flight flight, CancellationToken ct)
    {
        var answer = await platform.Inference.PredictAsync(
            new PredictRequest { Model = TrainModel.Model, Rows = BuildTrainingSet.Rows([flight], withLabel: false) },
            Platform.Within(10, ct, flight.Subject));
        return new Answer(
            flight, answer.PredictionId, answer.Version, answer.Variant, answer.Outputs.Columns[0].Doubles.Values[0]);
    }

    public static async Task<Answer> ByRestAsync(Platform platform, Flight flight, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/models/{TrainModel.Model}/predict")
        {
            Content = JsonContent.Create(new { rows = new[] { PredictFourWays.RowOf(flight) } }),
            Headers = { { "x-mlops-subject", flight.Subject } },
        };
        using var response = await platform.Rest.SendAsync(request, ct);
        var text = await response.Content.ReadAsStringAsync(ct);
        DemoException.Unless(response.IsSuccessStatusCode, $"the gateway answered {(int)response.StatusCode}: {text}");
        var json = JsonNode.Parse(text) ?? throw new DemoException("the gateway answered null");
        return new Answer(
            flight, TextOf(json, "prediction_id"), TextOf(json, "version"), json["variant"]?.GetValue<string>() ?? "",
            json["predictions"]?[0]?.GetValue<double>() ?? throw new DemoException($"no prediction in {text}"));
    }

    /// <summary>Sends the share <paramref name="challenger"/> of all subjects to version 2's arm, from now on.</summary>
    public static Task<TrafficPolicy> SplitAsync(
        Platform platform, int championVersion, int challengerVersion, double challenger, string reason, CancellationToken ct) =>
        platform.Gateway.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest
            {
                Policy = new TrafficPolicy
                {
                    Model = TrainModel.Model,
                    Arms =
                    {
                        new Arm { Name = "champion", Version = $"{championVersion}", Weight = 1 - challenger },
                        new Arm { Name = "challenger", Version = $"{challengerVersion}", Weight = challenger },
                    },
                    Salt = "flights",
                },
                Actor = "flights demo",
                Reason = reason,
            },
            Platform.Within(10, ct)).ResponseAsync;

    /// <summary>Takes back the policy of a demo before this one, if there was any.</summary>
    public static async Task EverythingToTheChampionAsync(Platform platform, CancellationToken ct)
    {
        try
        {
            await platform.Gateway.DeleteTrafficPolicyAsync(
                new DeleteTrafficPolicyRequest { Model = TrainModel.Model, Actor = "flights demo", Reason = "a new demo" },
                Platform.Within(10, ct));
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            // There was none.
        }
    }

    private static string TextOf(JsonNode json, string name) =>
        json[name]?.GetValue<string>() ?? throw new DemoException($"no {name} in {json.ToJsonString()}");
}
