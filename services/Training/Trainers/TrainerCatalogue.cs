using System.Diagnostics.CodeAnalysis;
using MlOps.ServiceDefaults;

namespace MlOps.Training.Trainers;

/// <summary>The trainers of this build, by name.</summary>
internal sealed class TrainerCatalogue(IEnumerable<ITrainer> trainers)
{
    /// <summary>Trainers one may look for here and why they are not part of this build.</summary>
    internal static readonly IReadOnlyDictionary<string, string> Absent = new Dictionary<string, string>
    {
        ["mlnet"] = "ML.NET is not part of this build: its packages are not referenced. Use xgboost for boosted trees.",
    };

    private readonly Dictionary<string, ITrainer> _byName = trainers.ToDictionary(trainer => trainer.Name);

    internal IReadOnlyCollection<ITrainer> All => _byName.Values;

    internal bool TryGet(string name, [MaybeNullWhen(false)] out ITrainer trainer) => _byName.TryGetValue(name, out trainer);

    /// <exception cref="ConflictException">TRAINER_UNAVAILABLE: the machine lacks what the trainer needs.</exception>
    internal ITrainer Get(string name) => _byName[name] is { IsAvailable: true } trainer
        ? trainer
        : throw new ConflictException("TRAINER_UNAVAILABLE", $"Trainer {name}: {_byName[name].Note}");
}
