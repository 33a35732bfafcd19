namespace MlOps.Benchmarks.Serving;

/// <summary>Where this checkout is.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MlOps.Aspire.sln"))) return folder.FullName;
        }

        throw new BenchException($"There is no MlOps.Aspire.sln above {AppContext.BaseDirectory}");
    }
}
