using System.Globalization;
using MlOps.Inference.Models;

namespace MlOps.Inference.Protocol;

/// <summary>What a version's metadata says beyond its tensors: how it is computed here, by names that begin with what they are about.</summary>
internal static class ModelProperties
{
    public static IDictionary<string, string> Of(LoadedModel model)
    {
        var batching = model.Batching;
        return new Dictionary<string, string>(model.Choice.Parameters)
        {
            ["backend"] = model.Choice.Backend,
            ["batching"] = batching.MaxRows > 0 ? "on" : "off",
            ["batching.max_rows"] = batching.MaxRows.ToString(CultureInfo.InvariantCulture),
            ["batching.equal"] = batching.MaxRows > 0 ? batching.IsEqual ? "proven" : "not proven" : "",
            ["batching.reason"] = batching.Reason,
            ["cache"] = model.Cache is null ? "off" : "on",
        };
    }
}
