namespace MlOps.Training.Trainers;

/// <summary>Checks given parameters against a trainer's catalogue: a native trainer takes unknown names and bad values without a word.</summary>
internal static class TrainerParameters
{
    internal static TrainerParameter? Find(this ITrainer trainer, string name) => trainer.Parameters.FirstOrDefault(
        parameter => parameter.Name == name || parameter.Aliases.Contains(name, StringComparer.Ordinal));

    /// <summary>What is wrong with one parameter; null when nothing is.</summary>
    internal static string? Check(this ITrainer trainer, string name, string value) => trainer.Find(name) is { } parameter
        ? parameter.Check(value)
        : $"is no parameter of {trainer.Name}; it takes {string.Join(", ", trainer.Parameters.Select(p => p.Name))}";
}
