using System.Globalization;

namespace MlOps.Training.Trainers;

/// <summary>Checked parameters under their own names, defaults filled in, and the seed.</summary>
internal sealed record TrainerSettings(IReadOnlyDictionary<string, string> Values, ulong Seed)
{
    /// <summary><paramref name="given"/> with other names resolved and defaults added; assumes it was checked against the catalogue.</summary>
    internal static TrainerSettings Of(ITrainer trainer, IEnumerable<KeyValuePair<string, string>> given, ulong seed)
    {
        var values = trainer.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Default);
        foreach (var (name, value) in given) values[trainer.Find(name)?.Name ?? name] = value;
        return new TrainerSettings(values, seed);
    }

    internal int Integer(string name) => int.Parse(Values[name], CultureInfo.InvariantCulture);

    internal double Number(string name) => double.Parse(Values[name], CultureInfo.InvariantCulture);
}
