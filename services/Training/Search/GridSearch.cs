namespace MlOps.Training.Search;

/// <summary>Draws configurations from a grid, each at most once; the same seed draws the same in the same order.</summary>
internal static class GridSearch
{
    /// <summary>Number of points of the grid; <see cref="long.MaxValue"/> when it is larger.</summary>
    internal static long SizeOf(IReadOnlyList<GridDimension> dimensions)
    {
        var size = 1L;
        foreach (var dimension in dimensions)
        {
            if (dimension.Values.Count == 0) return 0;
            if (size > long.MaxValue / dimension.Values.Count) return long.MaxValue;
            size *= dimension.Values.Count;
        }
        return size;
    }

    /// <summary><paramref name="count"/> points of the grid, at most its size.</summary>
    internal static IReadOnlyList<IReadOnlyDictionary<string, string>> Draw(
        IReadOnlyList<GridDimension> dimensions, int count, ulong seed)
    {
        var size = SizeOf(dimensions);
        var random = new SplitMix64(seed);
        // Fisher-Yates over the points' numbers; only the places that were touched are kept.
        var moved = new Dictionary<long, long>();
        var points = new List<IReadOnlyDictionary<string, string>>();
        for (var drawn = 0L; drawn < Math.Min(count, size); drawn++)
        {
            var place = drawn + random.Below(size - drawn);
            points.Add(PointAt(moved.GetValueOrDefault(place, place)));
            moved[place] = moved.GetValueOrDefault(drawn, drawn);
        }
        return points;

        Dictionary<string, string> PointAt(long number)
        {
            var point = new Dictionary<string, string>(dimensions.Count);
            foreach (var dimension in dimensions)
            {
                point[dimension.Parameter] = dimension.Values[(int)(number % dimension.Values.Count)];
                number /= dimension.Values.Count;
            }
            return point;
        }
    }
}
