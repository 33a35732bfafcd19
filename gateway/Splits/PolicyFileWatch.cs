using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Keeps the policies of <c>Gateway:PolicyFile</c> in force: the file is there and valid before the first request, or the
/// gateway does not start; a change of it is taken as a whole, or refused with everything wrong with it while the last good
/// content stays. It is looked at again and again, since file systems of containers tell of no change.
/// </summary>
internal sealed partial class PolicyFileWatch(
    PolicyBook book, TrafficPolicyChanges changes, IOptions<GatewayOptions> options, TimeProvider time, ILogger<PolicyFileWatch> logger)
    : BackgroundService, IHostedLifecycleService
{
    public const long MaxBytes = 16 * 1024 * 1024;

    private readonly string _path = options.Value.PolicyFile;
    private Stamp _seen;
    private Stamp _read;
    private string _noted = "";
    private volatile PolicyFileState _state = PolicyFileState.Absent;

    public PolicyFileState State => _state;

    // After the stored policies are there, and before the server listens.
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (_path.Length == 0) return;
        _read = _seen = Stamp.Of(_path);
        await ReadAsync(cancellationToken);
        if (_state.Refused is { } refused)
        {
            throw new InvalidRequestException(
                "POLICY_FILE_INVALID", [.. refused.Errors.Select(e => new FieldViolation($"{_path}: {e.Field}", e.Rule))]);
        }

        await NoteAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_path.Length == 0) return;
        using var timer = new PeriodicTimer(options.Value.PolicyFileCheckInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await LookAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogLookFailed(e, _path);
            }
        }
    }

    private async Task LookAsync(CancellationToken ct)
    {
        var now = Stamp.Of(_path);
        // What still changes is being written: half a file is no reason to complain.
        var stands = now == _seen;
        _seen = now;
        if (stands && now != _read)
        {
            _read = now;
            await ReadAsync(ct);
        }

        if (_noted != book.File.Digest) await NoteAsync(ct);
    }

    private async Task ReadAsync(CancellationToken ct)
    {
        var violations = new Violations();
        var json = await BytesAsync(violations, ct);
        var file = json is null ? null : PolicyFileReader.Read(json, _read.WrittenAt, violations);
        var digest = json is null ? "" : PolicyFileReader.DigestOf(json);
        if (file is null)
        {
            var errors = violations.Found;
            _state = _state with { Path = _path, Refused = new RefusedFile(digest, time.GetUtcNow(), errors) };
            LogRefused(_path, errors.Count, string.Join("; ", errors.Select(e => $"{e.Field}: {e.Rule}")));
            return;
        }

        await book.TakeFileAsync(file, ct);
        _state = new PolicyFileState(_path, file.Digest, time.GetUtcNow(), file.Policies.Count, null);
        LogTaken(file.Policies.Count, _path, file.Digest);
        if (book.Overridden is { Count: > 0 } overridden) LogOverrides(string.Join(", ", overridden));
    }

    private async Task<byte[]?> BytesAsync(Violations violations, CancellationToken ct)
    {
        try
        {
            await using var stream = File.OpenRead(_path);
            violations.AddIf(stream.Length > MaxBytes, "file", $"must be at most {MaxBytes:N0} bytes");
            if (violations.Any) return null;
            var json = new byte[stream.Length];
            await stream.ReadExactlyAsync(json, ct);
            return json;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            violations.Add("file", $"cannot be read: {e.Message}");
            return null;
        }
    }

    // The log of changes waits for the database; the policies do not.
    private async Task NoteAsync(CancellationToken ct)
    {
        var file = book.File;
        try
        {
            await changes.NoteFileAsync(
                file.Policies, $"policy-file@{Environment.MachineName}", $"{Path.GetFileName(_path)}, sha256 {file.Digest}", ct);
            _noted = file.Digest;
        }
        catch (NpgsqlException e)
        {
            LogNotNoted(e.Message);
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} traffic policies are those of {Path}, sha256 {Digest}")]
    private partial void LogTaken(int count, string path, string digest);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The policy file's policies stand before those that the API stored for {Models}")]
    private partial void LogOverrides(string models);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Path} is refused and the policies in force stay, since it breaks {Count} rules: {Errors}")]
    private partial void LogRefused(string path, int count, string errors);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The policy file's changes are not in the log of changes yet: {Reason}")]
    private partial void LogNotNoted(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Looking at {Path} failed; it is tried again")]
    private partial void LogLookFailed(Exception exception, string path);

    /// <summary>What tells one content of the file from the next without reading it, through links as well.</summary>
    private readonly record struct Stamp(long Length, DateTimeOffset WrittenAt)
    {
        public static Stamp Of(string path)
        {
            try
            {
                using var handle = File.OpenHandle(path);
                return new Stamp(RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return new Stamp(-1, default);
            }
        }
    }
}

/// <summary>
/// What became of the policy file: the SHA-256 of the content in force, empty while there is none, and the content that came
/// after and was not taken.
/// </summary>
internal sealed record PolicyFileState(string Path, string Digest, DateTimeOffset TakenAt, int Policies, RefusedFile? Refused)
{
    public static PolicyFileState Absent { get; } = new("", "", default, 0, null);
}

/// <summary>A content of the policy file that breaks rules, all of which are named.</summary>
internal sealed record RefusedFile(string Digest, DateTimeOffset SeenAt, IReadOnlyList<FieldViolation> Errors);
