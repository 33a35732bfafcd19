using System.Buffers;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using MlOps.ServiceDefaults;
using StackExchange.Redis;

namespace MlOps.FeatureStore.Online;

/// <summary>Reads the newest features of entities in one round trip to Redis, whatever the number of rows and views.</summary>
internal sealed class ReadOnlineFeatures(
    DefinitionCatalog catalog, OnlineStore store, OnlineKey onlineKey, TimeProvider clock, IOptions<OnlineOptions> options)
{
    /// <exception cref="NotFoundException">FEATURE_SERVICE_UNKNOWN, FEATURE_VIEW_UNKNOWN or FEATURE_UNKNOWN.</exception>
    /// <exception cref="InvalidRequestException">SELECTION_INVALID, TABLE_MALFORMED, COLUMN_MISSING, COLUMN_TYPE or ENTITIES_INVALID.</exception>
    public async Task<GetOnlineFeaturesResponse> ExecuteAsync(GetOnlineFeaturesRequest request, CancellationToken ct)
    {
        var started = FeatureStoreTelemetry.Start();
        var plan = await catalog.PlanAsync(request.FeatureService, request.Selections, ct);
        var entities = request.Entities ?? throw new InvalidRequestException("ENTITIES_INVALID", "entities must be given.");
        var rows = entities.CountRows();
        if (rows == 0 || (long)rows * plan.Selections.Count > options.Value.MostValues)
            throw new InvalidRequestException(
                "ENTITIES_INVALID", $"entities must have 1 to {options.Value.MostValues / plan.Selections.Count} rows.");

        // positions[selection × rows + row]: index of its key among the keys asked for, −1 for a row without a key.
        var positions = ArrayPool<int>.Shared.Rent(rows * plan.Selections.Count);
        try
        {
            var keys = KeysOf(plan, entities, rows, positions);
            var values = keys.Length == 0 ? [] : await store.ReadAsync(keys, ct);
            return Answer(plan, rows, positions, values, started);
        }
        finally
        {
            ArrayPool<int>.Shared.Return(positions);
        }
    }

    private RedisKey[] KeysOf(SelectionPlan plan, Table entities, int rows, int[] positions)
    {
        var keys = new RedisKey[rows * plan.Selections.Count];
        var count = 0;
        for (var index = 0; index < plan.Selections.Count; index++)
        {
            var selection = plan.Selections[index];
            var columns = new Column[selection.KeyColumns.Length];
            for (var key = 0; key < columns.Length; key++)
                columns[key] = entities.Require(selection.KeyColumns[key], ColumnType.Text);
            var prefix = onlineKey.Prefix(selection.View);
            var parts = new string[columns.Length];
            for (var row = 0; row < rows; row++)
            {
                var isMissing = false;
                for (var key = 0; key < parts.Length; key++)
                {
                    parts[key] = columns[key].Texts.Values[row];
                    isMissing |= parts[key].Length == 0 || columns[key].IsMissing(row);
                }

                positions[index * rows + row] = isMissing ? -1 : count;
                if (!isMissing)
                    keys[count++] = OnlineKey.Of(prefix, parts);
            }
        }

        return count == keys.Length ? keys : keys[..count];
    }

    private GetOnlineFeaturesResponse Answer(SelectionPlan plan, int rows, int[] positions, RedisValue[] values, long started)
    {
        var response = new GetOnlineFeaturesResponse { Features = new() };
        var now = Micros.Now(clock);
        var misses = 0;
        for (var index = 0; index < plan.Selections.Count; index++)
        {
            var selection = plan.Selections[index];
            var columns = new OnlineColumn[selection.Features.Length];
            for (var column = 0; column < columns.Length; column++)
                columns[column] = new(
                    selection.OutputNames[column], selection.View.Features[selection.Features[column]].Type, rows);
            for (var row = 0; row < rows; row++)
            {
                var position = positions[index * rows + row];
                misses += AddRow(selection, columns, position < 0 ? null : (byte[]?)values[position], now);
            }

            foreach (var column in columns)
                column.AddTo(response);
        }

        FeatureStoreTelemetry.ReadOnline(rows, misses, started);
        return response;
    }

    /// <summary>Adds one entity's features to the columns; how many of them were not found or too old.</summary>
    private static int AddRow(SelectedView selection, OnlineColumn[] columns, byte[]? value, long now)
    {
        var view = selection.View;
        if (!OnlineValue.TryOpen(value, view.Features.Count, out var reader))
            return AddAll(columns, FeatureStatus.NotFound, 0);
        var eventTime = reader.EventTime;
        if (view.TtlMicros > 0 && now - eventTime > view.TtlMicros)
            return AddAll(columns, FeatureStatus.OutsideMaxAge, eventTime);

        for (var feature = 0; feature < view.Features.Count; feature++)
        {
            var hasValue = reader.HasValue(feature);
            var bytes = hasValue ? reader.Next(view.Features[feature].Type) : default;
            var column = Array.IndexOf(selection.Features, feature);
            if (column < 0)
                continue;
            if (hasValue)
                columns[column].AddPresent(bytes, eventTime);
            else
                columns[column].AddMissing(FeatureStatus.NullValue, eventTime);
        }

        return 0;
    }

    private static int AddAll(OnlineColumn[] columns, FeatureStatus status, long eventTime)
    {
        foreach (var column in columns)
            column.AddMissing(status, eventTime);
        return columns.Length;
    }
}
