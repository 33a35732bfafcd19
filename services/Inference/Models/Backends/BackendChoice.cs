using System.Globalization;

namespace MlOps.Inference.Models.Backends;

/// <summary>Which backend computes a version, why, and what was measured before it was chosen.</summary>
/// <param name="Backend">Its name.</param>
/// <param name="Reason">Why this one.</param>
internal sealed record BackendChoice(string Backend, string Reason)
{
    /// <summary>What the trees are computed with; empty: no trees on the evaluator.</summary>
    public string Instructions { get; init; } = "";

    /// <summary>Parts of the graph left to ONNX Runtime beside the trees: any of "front" and "rest".</summary>
    public string OnnxRuntimeParts { get; init; } = "";

    /// <summary>Rows both backends answered; 0: they were not compared.</summary>
    public int ComparedRows { get; init; }

    /// <summary>Largest |ours − ONNX Runtime's| / |ONNX Runtime's| among them.</summary>
    public double LargestDifference { get; init; }

    /// <summary>Time ONNX Runtime took for one row / time the evaluator took; 0: not measured.</summary>
    public double SingleRowSpeedup { get; init; }

    /// <summary>The same for a batch.</summary>
    public double BatchSpeedup { get; init; }

    /// <summary>As the model's metadata shows it, by the protocol's rule <c>project_format</c>.</summary>
    public string Platform => $"{Backend}_onnx";

    /// <summary>As the model's configuration and metadata show it.</summary>
    public IReadOnlyDictionary<string, string> Parameters
    {
        get
        {
            var parameters = new Dictionary<string, string> { ["backend.reason"] = Reason };
            if (Instructions.Length > 0) parameters["backend.instructions"] = Instructions;
            if (OnnxRuntimeParts.Length > 0) parameters["backend.onnxruntime_parts"] = OnnxRuntimeParts;
            if (ComparedRows == 0) return parameters;
            parameters["backend.compared_rows"] = ComparedRows.ToString(CultureInfo.InvariantCulture);
            parameters["backend.largest_relative_difference"] = LargestDifference.ToString("R", CultureInfo.InvariantCulture);
            if (SingleRowSpeedup == 0) return parameters;
            parameters["backend.single_row_speedup"] = SingleRowSpeedup.ToString("0.00", CultureInfo.InvariantCulture);
            parameters["backend.batch_speedup"] = BatchSpeedup.ToString("0.00", CultureInfo.InvariantCulture);
            return parameters;
        }
    }
}
