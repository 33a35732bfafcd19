using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Where a project of the application is.</summary>
public interface IProjectMetadata
{
    string ProjectPath { get; }
}

/// <summary>Where a project of the application and its built assembly are; the classes in <c>Projects</c> implement it.</summary>
public interface IBuiltProjectMetadata : IProjectMetadata
{
    string AssemblyPath { get; }
}

/// <summary>Adds projects.</summary>
public static class ProjectResourceBuilderExtensions
{
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(
        this IDistributedApplicationBuilder builder,
        string name,
        string? launchProfileName)
        where TProject : IProjectMetadata, new()
    {
        if (launchProfileName is not null)
            throw new DistributedApplicationException("The local runner knows no launch profiles.");
        return builder.AddResource(new ProjectResource(name) { Metadata = new TProject() as IBuiltProjectMetadata });
    }
}
