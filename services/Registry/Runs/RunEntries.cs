using Google.Protobuf.Collections;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Runs;

/// <summary>Parameters, written once, and tags, replaced freely, of a run whose row the transaction has locked.</summary>
internal static class RunEntries
{
    private const int MaxParameters = 100;
    private const int MaxTags = 100;
    private const int MaxParameterValue = 6_000;
    private const int MaxTagValue = 8_000;

    public static void Check(Violations violations, MapField<string, string> parameters, MapField<string, string> tags)
    {
        violations.AddIf(parameters.Count > MaxParameters, "parameters", $"at most {MaxParameters} a call");
        violations.AddIf(tags.Count > MaxTags, "tags", $"at most {MaxTags} a call");
        foreach (var (key, value) in parameters)
        {
            violations.CheckKey("parameters", key);
            violations.CheckText($"parameters.{key}", value, MaxParameterValue);
        }

        foreach (var (key, value) in tags)
        {
            violations.CheckKey("tags", key);
            violations.CheckText($"tags.{key}", value, MaxTagValue);
        }
    }

    /// <exception cref="InvalidRequestException">
    /// PARAMETER_CHANGED, with every parameter that has another value already.
    /// </exception>
    public static async Task WriteParametersAsync(
        NpgsqlTransaction transaction, string runId, MapField<string, string> parameters, CancellationToken ct)
    {
        if (parameters.Count == 0) return;
        object?[] values = [runId, parameters.Keys.ToArray(), parameters.Values.ToArray()];
        await transaction.ExecuteAsync(
            """
            insert into run_parameter (run_id, key, value)
            select $1, key, value from unnest($2::text[], $3::text[]) as sent (key, value)
            on conflict do nothing
            """,
            values, ct);
        var changed = await transaction.QueryAsync(
            """
            select sent.key, kept.value, sent.value from unnest($2::text[], $3::text[]) as sent (key, value)
            join run_parameter kept on kept.run_id = $1 and kept.key = sent.key
            where kept.value <> sent.value
            order by sent.key
            """,
            values,
            r => new FieldViolation(
                $"parameters.{r.GetString(0)}", $"is '{r.GetString(1)}' already and cannot become '{r.GetString(2)}'"),
            ct);
        if (changed.Count > 0) throw new InvalidRequestException("PARAMETER_CHANGED", changed);
    }

    public static async Task WriteTagsAsync(
        NpgsqlTransaction transaction, string runId, MapField<string, string> tags, CancellationToken ct)
    {
        if (tags.Count == 0) return;
        await transaction.ExecuteAsync(
            """
            insert into run_tag (run_id, key, value)
            select $1, key, value from unnest($2::text[], $3::text[]) as sent (key, value)
            on conflict (run_id, key) do update set value = excluded.value
            """,
            [runId, tags.Keys.ToArray(), tags.Values.ToArray()], ct);
    }
}
