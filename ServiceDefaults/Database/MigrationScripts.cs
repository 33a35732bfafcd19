using System.Reflection;

namespace MlOps.ServiceDefaults.Database;

/// <summary>The messaging tables first, then the service's own <c>Migrations/NNNN_name.sql</c> in order of their numbers.</summary>
internal sealed class MigrationScripts(Assembly service)
{
    private const string Folder = ".Migrations.";

    public IEnumerable<(string Name, string Sql)> All() =>
        Embedded(typeof(MigrationScripts).Assembly).Concat(service == typeof(MigrationScripts).Assembly ? [] : Embedded(service));

    private static IEnumerable<(string Name, string Sql)> Embedded(Assembly assembly) => assembly.GetManifestResourceNames()
        .Where(n => n.EndsWith(".sql", StringComparison.Ordinal) && n.Contains(Folder, StringComparison.Ordinal))
        .Select(n => (Resource: n, Name: n[(n.IndexOf(Folder, StringComparison.Ordinal) + Folder.Length)..]))
        .OrderBy(s => s.Name, StringComparer.Ordinal)
        .Select(s =>
        {
            // The resource was just listed, so it is there.
            using var reader = new StreamReader(assembly.GetManifestResourceStream(s.Resource)!);
            return (s.Name, reader.ReadToEnd());
        });
}
