namespace MlOps.Benchmarks.Serving;

/// <summary>Full load for minutes, with an eye on memory.</summary>
internal static class Soak
{
    private const int InFlight = 64;
    private const int Connections = 4;
    private const double MostGrowth = 1.1;

    /// <exception cref="BenchException">A process has more resident than a tenth above what it had after the first minute.</exception>
    public static async Task RunAsync(Server server, ServedModel model, int minutes, CancellationToken ct)
    {
        await AnswerCheck.RunAsync(server, model, model.Row, ct);
        var framed = ServedRequest.Framed(model.Row);
        var (first, most) = (new long[server.Processes.Length], new long[server.Processes.Length]);
        Console.WriteLine($"\n{server.Name}: one row, gRPC, {InFlight} in flight over {Connections} connections, {minutes} minutes");
        for (var minute = 1; minute <= minutes; minute++)
        {
            var rate = (await HttpLoad.GrpcAsync(server, framed, Connections, InFlight / Connections, ct, TimeSpan.FromMinutes(1))).PerSecond;
            long[] resident = [.. server.Processes.Select(ProcessCost.ResidentBytesOf)];
            if (minute == 1) first = resident;
            for (var i = 0; i < most.Length; i++) most[i] = Math.Max(most[i], resident[i]);
            Console.WriteLine(
                $"  minute {minute,3}: {rate,9:N0} requests/s, resident " +
                string.Join(", ", resident.Select((bytes, i) => $"{bytes / 1048576.0,7:N1} MiB ({(double)bytes / first[i]:0.00} of the first minute's)")));
        }

        var growth = most.Select((bytes, i) => (double)bytes / first[i]).Max();
        if (growth > MostGrowth) throw new BenchException($"Resident memory grew to {growth:0.00} of what it was after the first minute.");
    }
}
