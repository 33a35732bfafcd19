namespace MlOps.Benchmarks.Serving;

/// <summary>A server under measurement.</summary>
/// <param name="Name">For people.</param>
/// <param name="Rest">Address of its HTTP/1.1 port.</param>
/// <param name="Grpc">Address of its HTTP/2 port; empty: it has none.</param>
/// <param name="Process">Process id; its children count to it.</param>
internal sealed record Server(string Name, string Rest, string Grpc, int Process);
