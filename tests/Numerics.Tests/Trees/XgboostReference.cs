using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Trees;

/// <summary>A model of the native library with rows (NaN among them) and what the library predicts for them.</summary>
internal static class XgboostReference
{
    public static (TreeEnsemble Ensemble, float[] Rows, float[] Predictions) Load()
    {
        var content = Reference.Load<Content>("xgboost_rows.json");
        return (
            TreeEnsemble.FromXgboostJson(Reference.Bytes("xgboost_model.json")),
            [.. content.Rows.SelectMany(row => row.Select(cell => cell ?? float.NaN))],
            content.Predictions);
    }

    private sealed record Content(float?[][] Rows, float[] Predictions);
}
