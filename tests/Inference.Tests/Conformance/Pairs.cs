namespace MlOps.Inference.Tests.Conformance;

/// <summary>Rows of a theory of two columns.</summary>
internal static class Pairs
{
    public static TheoryData<T1, T2> Of<T1, T2>(IEnumerable<(T1, T2)> rows)
    {
        var theory = new TheoryData<T1, T2>();
        foreach (var (first, second) in rows) theory.Add(first, second);
        return theory;
    }
}
