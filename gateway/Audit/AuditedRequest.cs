using System.Diagnostics;

namespace MlOps.Gateway.Audit;

/// <summary>A request that changes something, as it goes through the gateway.</summary>
internal sealed class AuditedRequest(string action, string actor, string model)
{
    private static readonly AsyncLocal<AuditedRequest?> Flow = new();

    /// <summary>The one being worked on; null: the platform acts by itself. Only requests that change something set it.</summary>
    public static AuditedRequest? Current
    {
        get => Flow.Value;
        set => Flow.Value = value;
    }

    public string Actor => actor;

    public string Action => action;

    /// <summary>From the path, or from the message once it is read.</summary>
    public string Model { get; set; } = model;

    /// <summary>Sequence of the entry that it began; 0: there is none.</summary>
    public long Begun { get; set; }

    /// <summary>Its change stands in the audit by the transaction that made it.</summary>
    public bool IsWritten { get; set; }

    public AuditDraft Draft(DateTimeOffset at, string outcome, string code) => new(
        Microseconds(at), actor, action, Clean(Model), "", outcome, code, Begun, "", null, null, TraceId);

    public static string TraceId => Activity.Current?.TraceId.ToString() ?? "";

    // PostgreSQL keeps no finer time, and what is hashed is what is kept.
    public static DateTimeOffset Microseconds(DateTimeOffset t) => t.AddTicks(-(t.Ticks % TimeSpan.TicksPerMicrosecond));

    /// <summary>A text that the database can keep: no zero characters, no halves of pairs, and none of endless length.</summary>
    public static string Clean(string text)
    {
        const int longest = 1_000;
        var cut = text.Length > longest ? text[..longest] : text;
        return System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(cut)).Replace('\0', '\uFFFD');
    }
}
