namespace MlOps.TestServers;

/// <summary>Where this checkout is and which of its builds the tests belong to.</summary>
public static class Repository
{
    public static string Root { get; } = FindRoot(AppContext.BaseDirectory);

    /// <summary><c>Debug</c> or <c>Release</c>: the folder above the target framework's, where the tests run from.</summary>
    public static string Configuration { get; } =
        new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar)).Parent!.Name; // …/bin/<this>/net10.0

    /// <summary>The built assembly of project <paramref name="project"/> (<c>Registry</c>, <c>Gateway</c>, <c>AppHost</c>).</summary>
    public static string AssemblyOf(string project)
    {
        string[] folders = [$"services/{project}", project, project.ToLowerInvariant(), $"samples/{project.ToLowerInvariant()}"];
        var built = folders
            .Select(folder => Path.Combine(Root, folder, "bin", Configuration, "net10.0", $"MlOps.{project}.dll"))
            .FirstOrDefault(File.Exists);
        return built ?? throw new FileNotFoundException(
            $"MlOps.{project}.dll ({Configuration}) is not built. Run: dotnet build -c {Configuration}");
    }

    private static string FindRoot(string from)
    {
        for (var folder = new DirectoryInfo(from); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MlOps.Aspire.sln")))
                return folder.FullName;
        }
        throw new DirectoryNotFoundException($"There is no MlOps.Aspire.sln above {from}.");
    }
}
