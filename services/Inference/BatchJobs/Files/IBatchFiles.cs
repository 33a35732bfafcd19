namespace MlOps.Inference.BatchJobs.Files;

/// <summary>
/// Inputs, parts and results of batch jobs, seen alike by all replicas with the same <see cref="Id"/>. A file under its
/// name is whole, and is never changed but by one that takes its place as a whole.
/// </summary>
internal interface IBatchFiles
{
    /// <summary>Who shares the files; 1 to 40 of a-z, 0-9 and -.</summary>
    string Id { get; }

    /// <summary>Writes a file, in the place of one that had the name before; nobody sees it until it is whole.</summary>
    Task WriteAsync(string name, Func<Stream, Task> write, CancellationToken ct);

    /// <summary>Bytes from an offset on, exactly as many as there is room for.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="EndOfStreamException">It is shorter.</exception>
    Task ReadAsync(string name, long offset, Memory<byte> bytes, CancellationToken ct);

    /// <summary>The whole file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    Task<Stream> OpenAsync(string name, CancellationToken ct);

    /// <summary>Deletes the file, or all files of the folder of that name; not being there is no failure.</summary>
    Task DeleteAsync(string name, CancellationToken ct);
}
