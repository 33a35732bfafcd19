namespace MlOps.Gateway.Splits;

/// <summary>Reads the model out of a REST path of the Open Inference Protocol, e.g. <c>/v2/models/flight-delay/infer</c>.</summary>
internal static class ModelPath
{
    /// <summary>
    /// False where no model is named. <paramref name="namesVersion"/>: the caller chose version or alias itself, as in
    /// <c>/v2/models/flight-delay/versions/3/infer</c>. Allocates nothing.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<char> path, out ReadOnlySpan<char> model, out bool namesVersion)
    {
        model = default;
        namesVersion = false;
        if (!Starts(path, "/v2/models/") && !Starts(path, "/v1/models/")) return false;

        var rest = path["/v2/models/".Length..];
        var end = rest.IndexOf('/');
        model = end < 0 ? rest : rest[..end];
        var next = end < 0 ? default : rest[(end + 1)..];
        if (next.IndexOf('/') is var after and >= 0) next = next[..after];
        // A replay runs on the version it says, not on an arm's.
        namesVersion = Is(next, "versions") || Is(next, "aliases") || Is(next, "labels") || Is(next, "replay");
        // Version 1 of the protocol puts the verb behind a colon: /v1/models/flight-delay:predict.
        var verb = model.LastIndexOf(':');
        if (verb >= 0) model = model[..verb];
        return model.Length > 0;
    }

    /// <summary>Whether a path that names a model asks for an explanation alone: <c>/v1/models/m:explain</c>, <c>/v1/models/m/explain</c>.</summary>
    public static bool IsExplanation(ReadOnlySpan<char> path) =>
        path.EndsWith(":explain", StringComparison.OrdinalIgnoreCase) || path.EndsWith("/explain", StringComparison.OrdinalIgnoreCase);

    private static bool Starts(ReadOnlySpan<char> path, string prefix) =>
        path.StartsWith(prefix, StringComparison.OrdinalIgnoreCase);

    private static bool Is(ReadOnlySpan<char> segment, string word) =>
        segment.Equals(word, StringComparison.OrdinalIgnoreCase);
}
