using System.Globalization;
using System.Text;
using System.Text.Json;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// The attributes of a payload event as HTTP headers: CloudEvents 1.0 in binary mode, types and extensions as KServe's
/// logger has them.
/// </summary>
internal static class PayloadHeaders
{
    public const string RequestType = "org.kubeflow.serving.inference.request";
    public const string AnswerType = "org.kubeflow.serving.inference.response";
    private const string Prefix = "ce-";

    public static void Add(PayloadEvent payload, string space, Action<string, string> add)
    {
        Set("specversion", "1.0");
        Set("type", payload.IsAnswer ? AnswerType : RequestType);
        Set("source", $"/v2/models/{payload.Model}/versions/{payload.Version}");
        Set("id", payload.Id);
        var time = payload.Time.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        Set("time", time);
        Set("recordedtime", time);
        Set("inferenceservicename", payload.Model);
        Set("namespace", space);
        Set("component", "predictor");
        Set("endpoint", payload.Call.Variant.Length > 0 ? payload.Call.Variant : "default");
        Set("metadata", MetadataOf(payload));
        if (payload.Annotations.Count > 0) Set("annotations", JsonSerializer.Serialize(payload.Annotations));

        // The specification has no attribute without characters.
        void Set(string name, string value)
        {
            if (value.Length > 0) add(Prefix + name, Encoded(value));
        }
    }

    // As KServe has it: names of headers, each with its values.
    private static string MetadataOf(PayloadEvent payload)
    {
        var headers = new Dictionary<string, string[]>
        {
            [Call.PredictionIdHeader] = [payload.PredictionId.ToString("N")],
            [Call.VersionHeader] = [payload.Version],
            ["protocol"] = [payload.Call.Protocol],
        };
        if (payload.Call.Variant.Length > 0) headers[Call.VariantHeader] = [payload.Call.Variant];
        return JsonSerializer.Serialize(headers);
    }

    /// <summary>CloudEvents HTTP binding, 3.1.3.2: UTF-8, in percent what is not printable ASCII, and space, quote and percent.</summary>
    public static string Encoded(string value)
    {
        if (value.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0 && value.AsSpan().IndexOfAny('"', '%') < 0) return value;
        var encoded = new StringBuilder();
        foreach (var unit in Encoding.UTF8.GetBytes(value))
        {
            if (unit is > 0x20 and < 0x7F and not (byte)'"' and not (byte)'%') encoded.Append((char)unit);
            else encoded.Append(CultureInfo.InvariantCulture, $"%{unit:X2}");
        }

        return encoded.ToString();
    }
}
