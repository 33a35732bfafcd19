namespace MlOps.Benchmarks.Serving;

/// <summary>What is under measurement: a server, or several with the load arriving at the first.</summary>
/// <param name="Name">For people.</param>
/// <param name="Rest">Address of its HTTP/1.1 port.</param>
/// <param name="Grpc">Address of its HTTP/2 port; empty: it has none.</param>
/// <param name="Processes">Process ids whose processor time counts; children count to them.</param>
internal sealed record Server(string Name, string Rest, string Grpc, params int[] Processes)
{
    /// <summary>Sent as <c>x-api-key</c>; empty: nobody asks for one.</summary>
    public string Key { get; init; } = "";
}
