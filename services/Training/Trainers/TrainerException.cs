namespace MlOps.Training.Trainers;

/// <summary>The trainer refused its parameters or its input: trying again changes nothing, the trial has failed.</summary>
internal sealed class TrainerException(string message) : Exception(message);
