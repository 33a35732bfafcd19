using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Tables;

namespace MlOps.FeatureStore.Definitions;

/// <summary>A feature view with its entity, resolved to what storing, joining and serving need.</summary>
internal sealed class ViewDefinition
{
    private readonly Dictionary<string, int> _featureIndexes = new(StringComparer.Ordinal);

    public ViewDefinition(FeatureView definition, Entity entity)
    {
        Definition = definition;
        JoinKeys = [.. entity.JoinKeys];
        Columns = [.. definition.Schema];
        Features = IsAggregated
            ? [.. definition.Aggregation.Aggregates.Select(aggregate => new Field
            {
                Name = aggregate.Name,
                Type = aggregate.Function == Aggregate.Types.Function.Count ? ColumnType.Integer : ColumnType.Double,
            })]
            : Columns;
        for (var feature = 0; feature < Features.Count; feature++)
            _featureIndexes.TryAdd(Features[feature].Name, feature);
        Fingerprint = FingerprintOf(this);
    }

    public FeatureView Definition { get; }

    public string Name => Definition.Name;

    public IReadOnlyList<string> JoinKeys { get; }

    /// <summary>Columns of ingested rows besides join keys and times.</summary>
    public IReadOnlyList<Field> Columns { get; }

    /// <summary>What can be selected: the columns themselves, or the aggregates.</summary>
    public IReadOnlyList<Field> Features { get; }

    public bool IsAggregated => Definition.Aggregation is not null;

    public long WindowMicros => (Definition.Aggregation?.WindowSeconds ?? 0) * Micros.PerSecond;

    /// <summary>0: values never grow too old.</summary>
    public long TtlMicros => Definition.TtlSeconds * Micros.PerSecond;

    /// <summary>Eight hex digits that differ between views whose packed values have different layouts or meanings.</summary>
    public string Fingerprint { get; }

    /// <summary>Index in <see cref="Features"/>, −1 for an unknown name.</summary>
    public int FeatureIndex(string name) => _featureIndexes.GetValueOrDefault(name, -1);

    private static string FingerprintOf(ViewDefinition view)
    {
        var text = new StringBuilder();
        text.AppendJoin(',', view.JoinKeys).Append('|').Append(view.WindowMicros);
        foreach (var field in view.Features)
            text.Append('|').Append(field.Name).Append(':').Append((int)field.Type);
        foreach (var aggregate in view.Definition.Aggregation?.Aggregates ?? [])
            text.Append('|').Append((int)aggregate.Function).Append(':').Append(aggregate.Column);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
        return BinaryPrimitives.ReadUInt32BigEndian(hash).ToString("x8", null);
    }
}
