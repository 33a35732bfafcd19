namespace MlOps.Training.Datasets;

/// <summary>The rows of a snapshot cannot be trained on as the pipeline says: trying again changes nothing.</summary>
internal sealed class DatasetException(string message) : Exception(message);
