using System.Globalization;
using System.Text;

namespace MlOps.Inference.Tests.BatchJobs;

/// <summary>Rows for <see cref="Graphs.Delay"/> and what it answers, computed by its formula in the graph's own float32.</summary>
internal static class DelayRows
{
    private static readonly string[] Origins = ["ATL", "ORD", "LAX"];

    public static string Csv(int rows, int seed = 1)
    {
        var random = new Random(seed);
        var text = new StringBuilder("id,origin,distance,hour\n");
        for (var row = 0; row < rows; row++)
        {
            var distance = random.Next(10) == 0 ? "" : random.Next(100, 3_000).ToString(CultureInfo.InvariantCulture);
            text.Append(CultureInfo.InvariantCulture, $"f{row},{Origins[random.Next(3)]},{distance},{random.Next(96) / 4.0}\n");
        }

        return text.ToString();
    }

    /// <summary>The same rows as JSON lines.</summary>
    public static string JsonLines(string csv)
    {
        var text = new StringBuilder();
        foreach (var line in csv.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1))
        {
            var fields = line.Split(',');
            var distance = fields[2].Length == 0 ? "null" : fields[2];
            text.Append(CultureInfo.InvariantCulture, $$"""{"id":"{{fields[0]}}","origin":"{{fields[1]}}","distance":{{distance}},"hour":{{fields[3]}}}""").Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Answer to a line of <see cref="Csv"/>, within float32's rounding.</summary>
    public static double Expected(string line)
    {
        var fields = line.Split(',');
        var distance = fields[2].Length == 0 ? 500 : double.Parse(fields[2], CultureInfo.InvariantCulture);
        var origin = fields[1] switch { "ATL" => 1.25, "ORD" => -0.5, _ => 0 };
        return (0.01 * distance) + (2 * double.Parse(fields[3], CultureInfo.InvariantCulture)) + origin + 3;
    }
}
