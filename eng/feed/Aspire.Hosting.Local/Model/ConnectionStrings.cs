using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>A resource others reach by a connection string, given to them as <c>ConnectionStrings__name</c>.</summary>
    public interface IResourceWithConnectionString : IResource, IValueProvider, IManifestExpressionProvider
    {
        ReferenceExpression ConnectionStringExpression { get; }

        string? ConnectionStringEnvironmentVariable => null;

        string IManifestExpressionProvider.ValueExpression => $"{{{Name}.connectionString}}";

        ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) =>
            ConnectionStringExpression.GetValueAsync(cancellationToken);

        ValueTask<string?> IValueProvider.GetValueAsync(CancellationToken cancellationToken) =>
            GetConnectionStringAsync(cancellationToken);
    }
}

namespace Aspire.Hosting
{
    /// <summary>A connection string of its own name; ready when the resources named in it are.</summary>
    public sealed class ConnectionStringResource(string name, ReferenceExpression connectionStringExpression)
        : Resource(name), IResourceWithConnectionString, IResourceWithWaitSupport
    {
        public ReferenceExpression ConnectionStringExpression { get; } = connectionStringExpression;

        internal override IEnumerable<Resource> Dependencies =>
            base.Dependencies.Concat(ConnectionStringExpression.ValueProviders.OfType<Resource>()).Distinct();
    }

    /// <summary>Adds connection strings.</summary>
    public static class ConnectionStringBuilderExtensions
    {
        public static IResourceBuilder<ConnectionStringResource> AddConnectionString(
            this IDistributedApplicationBuilder builder,
            string name,
            ReferenceExpression connectionStringExpression) =>
            builder.AddResource(new ConnectionStringResource(name, connectionStringExpression));
    }
}
