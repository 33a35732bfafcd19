using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Explanations;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Explanations;

/// <summary>The rows an explained one is compared with: given ones, or drawn from the reference profile.</summary>
internal sealed class Background : IDisposable
{
    private readonly int[] _order;

    private Background(Workspace rows, int[] order) => (Rows, _order) = (rows, order);

    public Workspace Rows { get; }

    /// <summary>Row a pair of orders starts from; every one comes as often as any other, but for one.</summary>
    public int RowOf(int pair) => _order[pair % _order.Length];

    /// <summary>
    /// Rows whose values are each spread as in training, and independent of each other: that is all a profile knows.
    /// </summary>
    /// <exception cref="NotSupportedException">The profile does not fit an input.</exception>
    public static Background Of(
        LoadedModel model, RawValues raw, IReadOnlyDictionary<string, FeatureProfile> profiles, int rows, int seed)
    {
        var values = raw.All.Select(value => ProfiledValues.Of(profiles[value.Name], model.Inputs[value.Input])).ToArray();
        var levels = LatinHypercube.Draw(rows, values.Length, seed);
        var workspace = model.RentWorkspace(0);
        var violations = new Violations();
        for (int input = 0, place = 0; input < workspace.Inputs.Length; input++)
        {
            var slot = workspace.Inputs[input];
            var width = BeginRows(slot, rows, violations);
            for (var row = 0; row < rows; row++)
            {
                for (var i = 0; i < width; i++) values[place + i].AppendTo(slot, values[place + i].At(levels[(row * values.Length) + place + i]));
            }

            place += width;
        }

        return Checked(workspace, violations, seed: null);
    }

    /// <exception cref="InvalidRequestException">ROWS_INVALID, BACKGROUND_INVALID: every column that breaks a rule, and the rule.</exception>
    public static Background Of(LoadedModel model, Table table, int seed)
    {
        var rows = PredictRows.CountRows(table);
        var workspace = model.RentWorkspace(0);
        var violations = new Violations();
        foreach (var slot in workspace.Inputs)
        {
            var name = slot.Layout.Name;
            var columns = ColumnInputs.Find(table, name);
            if (columns.Count == 0) violations.Add(name, "must be a column of the background");
            else if (ColumnInputs.TryFill(slot, columns, rows, violations) is { } broken) violations.Add(name, $"{broken} of the background");
        }

        return Checked(workspace, violations, seed);
    }

    /// <summary>Begins an input with that many rows; its values a row.</summary>
    public static int BeginRows(InputSlot slot, int rows, Violations violations)
    {
        slot.TryBegin(violations);
        slot.TryShape(
            slot.Layout.Datatype.Name, [.. slot.Layout.Shape.Select((size, i) => i == 0 ? rows : Math.Max(1, size))], violations);
        return slot.Expected / rows;
    }

    private static Background Checked(Workspace workspace, Violations violations, int? seed)
    {
        try
        {
            violations.ThrowIfAny("BACKGROUND_INVALID");
            workspace.Check(violations);
        }
        catch
        {
            workspace.Dispose();
            throw;
        }

        int[] order = [.. Enumerable.Range(0, workspace.Rows)];
        if (seed is { } shuffled) new Random(shuffled).Shuffle(order);
        return new Background(workspace, order);
    }

    public void Dispose() => Rows.Dispose();
}
