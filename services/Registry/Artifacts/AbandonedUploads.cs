namespace MlOps.Registry.Artifacts;

/// <summary>
/// At start, removes what uploads left behind when their process died; a day's grace spares those of other replicas.
/// </summary>
internal sealed partial class AbandonedUploads(
    ArtifactFolder folder, TimeProvider time, ILogger<AbandonedUploads> logger) : IHostedService
{
    private static readonly TimeSpan Grace = TimeSpan.FromDays(1);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var incoming = new DirectoryInfo(folder.Incoming);
        incoming.Create();
        foreach (var file in incoming.EnumerateFiles().Where(f => time.GetUtcNow() - f.LastWriteTimeUtc > Grace))
        {
            file.Delete();
            LogRemoved(file.Name, file.Length);
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed the abandoned upload {File} of {Bytes} bytes")]
    private partial void LogRemoved(string file, long bytes);
}
