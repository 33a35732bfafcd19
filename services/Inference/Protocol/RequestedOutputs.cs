using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>The outputs a request asks for by name; none named means all.</summary>
internal static class RequestedOutputs
{
    /// <exception cref="InvalidRequestException">OUTPUT_INVALID: a name is not an output of the model.</exception>
    public static void Check(LoadedModel model, IReadOnlyList<RequestedOutput> names)
    {
        if (names.Count == 0) return;
        var violations = new Violations();
        violations.AddIf(
            names.Count > model.Outputs.Length, "outputs", $"must not be more than the model's {model.Outputs.Length}");
        violations.ThrowIfAny("OUTPUT_INVALID");
        foreach (var (name, _) in names) violations.AddIf(!Has(model, name), Workspace.Shown(name), "is not an output of the model");
        violations.ThrowIfAny("OUTPUT_INVALID");
    }

    public static OutputSlot Find(Prediction prediction, string name)
    {
        foreach (var output in prediction.Outputs)
        {
            if (output.Layout.Name == name) return output;
        }

        throw new ArgumentException("The name was not checked.", nameof(name));
    }

    private static bool Has(LoadedModel model, string name)
    {
        foreach (var output in model.Outputs)
        {
            if (output.Name == name) return true;
        }

        return false;
    }
}
