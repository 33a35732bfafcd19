using System.Globalization;
using System.Text.Json;

namespace MlOps.Numerics.Trees;

/// <summary>
/// Reads
/// <c>{"learner":{"gradient_booster":{"model":{"trees":[{"left_children":[1,-1,-1],"split_conditions":[3.5E0,…</c>.
/// Numbers are read as singles: XGBoost writes enough digits for that to be exact.
/// </summary>
internal static class XgboostModel
{
    // Objectives whose prediction is the sum itself, so that base_score needs no link function either.
    private static readonly string[] PlainSums =
        ["reg:squarederror", "reg:linear", "reg:pseudohubererror", "reg:absoluteerror", "reg:squaredlogerror"];

    public static TreeEnsemble Read(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        using var document = JsonDocument.ParseValue(ref reader);
        try
        {
            return Read(document.RootElement.GetProperty("learner"));
        }
        catch (Exception broken) when (broken is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new JsonException("Not the JSON of an XGBoost model.", broken);
        }
    }

    private static TreeEnsemble Read(JsonElement learner)
    {
        var booster = learner.GetProperty("gradient_booster");
        var name = booster.GetProperty("name").GetString();
        if (name != "gbtree")
            throw new NotSupportedException($"Booster '{name}' is not supported, only 'gbtree'.");
        var objective = learner.GetProperty("objective").GetProperty("name").GetString();
        if (!PlainSums.Contains(objective))
            throw new NotSupportedException($"Objective '{objective}' is not supported, only a plain sum of trees.");

        if (booster.GetProperty("model").GetProperty("tree_info").EnumerateArray().Any(group => group.GetInt32() != 0))
            throw new NotSupportedException("Models of several outputs are not supported.");

        var parameters = learner.GetProperty("learner_model_param");
        var features = Number<int>(parameters.GetProperty("num_feature"));
        var trees = booster.GetProperty("model").GetProperty("trees").EnumerateArray()
            .Select(tree => ReadTree(tree, features)).ToArray();
        return new TreeEnsemble(trees, Number<float>(parameters.GetProperty("base_score")), features);
    }

    private static Tree ReadTree(JsonElement tree, int features)
    {
        if (tree.TryGetProperty("categories", out var categories) && categories.GetArrayLength() > 0)
            throw new NotSupportedException("Categorical splits are not supported; encode one-hot before training.");

        var left = Array(tree, "left_children", item => item.GetInt32());
        var right = Array(tree, "right_children", item => item.GetInt32());
        var feature = Array(tree, "split_indices", item => item.GetInt32());
        var condition = Array(tree, "split_conditions", item => item.GetSingle());
        var defaultLeft = Array(tree, "default_left", Flag);
        var cover = Array(tree, "sum_hessian", item => item.GetSingle());
        var gain = Array(tree, "loss_changes", item => item.GetSingle());

        // Pruned nodes stay in the file; taking only what the root reaches leaves them out and refuses cycles.
        var kept = Reachable(left, right);
        var place = kept.Select((node, index) => (node, index)).ToDictionary(pair => pair.node, pair => pair.index);
        bool IsLeaf(int node) => left[node] == -1;
        if (kept.Any(node => !IsLeaf(node) && (uint)feature[node] >= (uint)features))
            throw new JsonException("A split asks for a feature the model does not have.");
        return new Tree(
            [.. kept.Select(node => IsLeaf(node) ? 0 : feature[node])],
            [.. kept.Select(node => IsLeaf(node) ? 0 : condition[node])],
            [.. kept.Select(node => IsLeaf(node) ? -1 : place[left[node]])],
            [.. kept.Select(node => IsLeaf(node) ? -1 : place[right[node]])],
            [.. kept.Select(node => !IsLeaf(node) && defaultLeft[node])],
            [.. kept.Select(node => IsLeaf(node) ? condition[node] : 0)],
            [.. kept.Select(node => cover[node])],
            [.. kept.Select(node => IsLeaf(node) ? 0 : gain[node])]);
    }

    private static List<int> Reachable(int[] left, int[] right)
    {
        var nodes = new List<int> { 0 };
        for (var i = 0; i < nodes.Count; i++)
        {
            var node = nodes[i];
            if ((uint)node >= (uint)left.Length || nodes.Count > left.Length)
                throw new JsonException("The children of a tree's nodes do not form a tree.");
            if (left[node] != -1)
                nodes.AddRange([left[node], right[node]]);
        }

        return nodes.Distinct().Count() == nodes.Count
            ? nodes
            : throw new JsonException("The children of a tree's nodes do not form a tree.");
    }

    private static T[] Array<T>(JsonElement tree, string name, Func<JsonElement, T> read)
    {
        var items = tree.GetProperty(name).EnumerateArray().Select(read).ToArray();
        return items.Length == tree.GetProperty("left_children").GetArrayLength()
            ? items
            : throw new JsonException($"A tree's '{name}' has not one place per node.");
    }

    private static bool Flag(JsonElement item) => item.ValueKind switch
    {
        JsonValueKind.Number => item.GetInt32() != 0,
        _ => item.GetBoolean(),
    };

    /// <summary>XGBoost writes its own parameters as text: <c>"base_score":"5E-1"</c>.</summary>
    private static T Number<T>(JsonElement text)
        where T : System.Numerics.INumberBase<T> =>
        T.Parse(text.GetString() ?? "", NumberStyles.Float, CultureInfo.InvariantCulture);
}
