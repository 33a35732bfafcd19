namespace MlOps.Numerics.Trees;

/// <summary>Lists that only serve while something is built.</summary>
internal static class Building
{
    /// <summary>Empties the list and lets go of its memory.</summary>
    public static void Release<T>(this List<T> list)
    {
        list.Clear();
        list.TrimExcess();
    }
}
