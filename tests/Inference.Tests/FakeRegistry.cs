using System.Collections.Concurrent;
using System.Security.Cryptography;
using Grpc.Core;
using MlOps.Contracts.Registry.V1;

namespace MlOps.Inference.Tests;

/// <summary>A registry in memory whose answers a test can hold back or refuse; its files lie in the cache's folder.</summary>
internal sealed class FakeRegistry(string storage) : RegistryService.RegistryServiceClient
{
    private readonly ConcurrentDictionary<string, ModelVersion[]> _models = [];
    private readonly ConcurrentDictionary<(string Model, string Alias), int> _aliases = [];
    private readonly ConcurrentDictionary<string, byte[]> _artifacts = [];

    /// <summary>Runs before each answer.</summary>
    public Func<CancellationToken, Task> Before { get; set; } = _ => Task.CompletedTask;

    public int Lists { get; private set; }

    public int Gets { get; private set; }

    public int Downloads { get; private set; }

    /// <summary>What becomes of an artifact on its way.</summary>
    public Func<byte[], byte[]> OnTheWay { get; set; } = content => content;

    /// <summary>Where the cache keeps an artifact.</summary>
    public string PathOf(string model, int version) =>
        Path.Combine(storage, "models", _models[model][version - 1].ArtifactDigest["sha256:".Length..]);

    /// <summary>Versions 1 … n of a model that answers its version times x.</summary>
    public void Add(string model, int versions)
    {
        var folder = Directory.CreateDirectory(Path.Combine(storage, "models")).FullName;
        _models[model] = [.. Enumerable.Range(1, versions).Select(version =>
        {
            var content = Graphs.Times(version);
            var digest = Convert.ToHexStringLower(SHA256.HashData(content));
            File.WriteAllBytes(Path.Combine(folder, digest), content);
            _artifacts[$"sha256:{digest}"] = content;
            return new ModelVersion { Model = model, Version = version, ArtifactDigest = $"sha256:{digest}", Signature = Graphs.TimesSignature };
        })];
    }

    public void SetAlias(string model, string alias, int version) => _aliases[(model, alias)] = version;

    public override AsyncUnaryCall<ListModelsResponse> ListModelsAsync(
        ListModelsRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default)
    {
        Lists++;
        return Answer(() => new ListModelsResponse
        {
            Models =
            {
                _models.Select(m => new ListModelsResponse.Types.Model
                {
                    Name = m.Key,
                    LatestVersion = m.Value.Length,
                    Aliases = { _aliases.Where(a => a.Key.Model == m.Key).ToDictionary(a => a.Key.Alias, a => a.Value) },
                }),
            },
        }, cancellationToken);
    }

    public override AsyncUnaryCall<ModelVersion> GetModelVersionAsync(
        GetModelVersionRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default)
    {
        Gets++;
        return Answer(
            () => _models[request.Model].SingleOrDefault(v => v.Version == request.Version)
                ?? throw new RpcException(new Status(StatusCode.NotFound, "no such version")),
            cancellationToken);
    }

    public override AsyncServerStreamingCall<DownloadArtifactResponse> DownloadArtifact(
        DownloadArtifactRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default)
    {
        Downloads++;
        return new AsyncServerStreamingCall<DownloadArtifactResponse>(
            new OneChunk(OnTheWay(_artifacts[request.Digest])), Task.FromResult<Metadata>([]), () => Status.DefaultSuccess, () => [], () => { });
    }

    private sealed class OneChunk(byte[] content) : IAsyncStreamReader<DownloadArtifactResponse>
    {
        private bool _isRead;

        public DownloadArtifactResponse Current => new() { Chunk = Google.Protobuf.ByteString.CopyFrom(content) };

        public Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            var isFirst = !_isRead;
            _isRead = true;
            return Task.FromResult(isFirst);
        }
    }

    private AsyncUnaryCall<T> Answer<T>(Func<T> answer, CancellationToken ct)
    {
        return new AsyncUnaryCall<T>(
            AnswerAsync(), Task.FromResult<Metadata>([]), () => Status.DefaultSuccess, () => [], () => { });

        async Task<T> AnswerAsync()
        {
            try
            {
                await Before(ct);
            }
            catch (OperationCanceledException)
            {
                // What a real client says.
                throw new RpcException(new Status(StatusCode.Cancelled, "Call canceled by the client."));
            }

            return answer();
        }
    }
}
