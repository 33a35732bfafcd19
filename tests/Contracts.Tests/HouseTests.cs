using System.Xml.Linq;

namespace MlOps.Contracts.Tests;

/// <summary>Who may know whom: services meet through contracts only.</summary>
public sealed class HouseTests
{
    private static readonly string[] Shared = ["ServiceDefaults", "Contracts", "Numerics"];

    public static TheoryData<string> Services =>
        ["services/FeatureStore", "services/Training", "services/Registry", "services/Inference", "services/Monitoring", "gateway"];

    [Theory]
    [MemberData(nameof(Services))]
    public void A_service_references_what_is_shared_and_no_other_service(string folder) =>
        Assert.All(ReferencesOf(folder), reference => Assert.Contains(reference, Shared));

    [Fact]
    public void Numerics_stands_alone()
    {
        Assert.Empty(ReferencesOf("services/Numerics"));
        Assert.Empty(ProjectIn("services/Numerics").Descendants("PackageReference"));
    }

    [Fact]
    public void Contracts_know_no_service() => Assert.Empty(ReferencesOf("services/Contracts"));

    [Fact]
    public void Every_version_is_named_once_and_centrally()
    {
        var projects = new DirectoryInfo(Repository.Folder).EnumerateFiles("*.csproj", SearchOption.AllDirectories)
            .Where(f => !f.FullName.Contains("/.local", StringComparison.Ordinal) && !f.FullName.Contains("/.mlops/", StringComparison.Ordinal));
        Assert.All(projects, project => Assert.DoesNotContain(
            XDocument.Load(project.FullName).Descendants("PackageReference"), p => p.Attribute("Version") is not null));
    }

    private static IEnumerable<string> ReferencesOf(string folder) => ProjectIn(folder)
        .Descendants("ProjectReference")
        .Select(r => Path.GetFileNameWithoutExtension((string?)r.Attribute("Include") ?? ""));

    private static XDocument ProjectIn(string folder) =>
        XDocument.Load(Directory.GetFiles(Path.Combine(Repository.Folder, folder), "*.csproj").Single());
}
