namespace MlOps.Flights.Steps;

/// <summary>Step 6: 90/10 between two versions by a sticky subject, changed live to 50/50, and rolled back.</summary>
internal static class SplitTraffic
{
    public sealed record Outcome(IReadOnlyList<Phase> Phases, int Moved, int Predictions);

    public sealed record Phase(string Name, int Champion, int Challenger);

    public static async Task<Outcome> RunAsync(
        Platform platform, Progress progress, IReadOnlyList<Flight> flights, int champion, int challenger, CancellationToken ct)
    {
        var phases = new List<Phase>();

        var tenth = await SendAsync(0.1, "canary");
        var again = await Traffic.ByGrpcAsync(platform, flights[0], ct);
        var byRest = await Traffic.ByRestAsync(platform, flights[0], ct);
        DemoException.Unless(
            again.Variant == tenth[0].Variant && byRest.Variant == tenth[0].Variant,
            $"{flights[0].Subject} met {tenth[0].Variant}, then {again.Variant} by gRPC and {byRest.Variant} by REST");

        var half = await SendAsync(0.5, "widened");
        var moved = tenth.Zip(half).Count(pair => pair.First.Variant == "challenger" && pair.Second.Variant != "challenger");
        DemoException.Unless(moved == 0, $"{moved} subjects left the challenger when its share grew");

        await SendAsync(0, "rolled back");
        progress.Line("nobody left the challenger while it grew; the same subject met the same version by REST and gRPC");
        return new Outcome(phases, moved, flights.Count * 3 + 2);

        async Task<Traffic.Answer[]> SendAsync(double share, string reason)
        {
            await Traffic.SplitAsync(platform, champion, challenger, share, reason, ct);
            var answers = await Traffic.SendAsync(platform, flights, ct);
            var met = answers.Count(a => a.Variant == "challenger");
            var strays = answers.Count(a => a.Version != $"{(a.Variant == "challenger" ? challenger : champion)}");
            DemoException.Unless(strays == 0, $"{strays} answers came from another version than their arm's");
            var phase = new Phase($"{(1 - share) * 100:0}/{share * 100:0}", answers.Length - met, met);
            phases.Add(phase);
            progress.Line($"{phase.Name,-6} {phase.Champion,5:N0} champion (v{champion})  {phase.Challenger,5:N0} challenger (v{challenger})  {reason}");
            return answers;
        }
    }
}
