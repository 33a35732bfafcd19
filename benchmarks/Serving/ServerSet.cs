using System.Diagnostics;
using System.Security.Cryptography;
using MlOps.Benchmarks.Peers;

namespace MlOps.Benchmarks.Serving;

/// <summary>The servers under measurement, each in processes of its own, and what they need; all gone at the end.</summary>
internal sealed class ServerSet : IAsyncDisposable
{
    // A service that is not asked for anything here.
    private const string Nobody = "http://127.0.0.1:9";
    private readonly string _folder = Directory.CreateTempSubdirectory("mlops-bench-").FullName;
    private readonly List<IDisposable> _processes = [];
    private WebApplication? _registry;
    private int _registryPort;
    private Broker? _broker;
    private Postgres? _postgres;

    public ServedModel Model { get; } = new();

    public async Task<Server> StartInferenceAsync(string name, CancellationToken ct, params (string Key, string Value)[] settings)
    {
        if (_registry is null)
        {
            _registryPort = PeerProcess.FreePort();
            _registry = await RegistryPeer.StartAsync(_registryPort);
        }

        var server = await StartServiceAsync(
            name, "services/Inference", "MlOps.Inference.dll",
            [
                ("services__registry__grpc__0", $"http://127.0.0.1:{_registryPort}"), ("services__featurestore__grpc__0", Nobody),
                // Nobody is refused: h2load would count a refusal as an answer.
                ("Inference__Admission__MinConcurrency", "1000"), .. settings,
            ],
            ct);
        await AwaitAsync(new Uri($"{server.Rest}/v2/models/{ServedModel.Name}/ready"), ct);
        return server;
    }

    /// <summary>The gateway before one server, closed: callers need the key it comes with, and have a rate limit.</summary>
    public async Task<Server> StartGatewayAsync(
        string name, Server behind, string? policies, CancellationToken ct, params (string Key, string Value)[] settings)
    {
        var key = $"mlops_{new string('b', 16)}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))[..43]}";
        List<(string, string)> environment =
        [
            ("ConnectionStrings__gatewaydb", (await PostgresAsync(ct)).NewDatabase()), ("Access__Mode", "Closed"), ("Access__AdminKey", key),
            ("Access__RequestsPerSecond", "1000000"), ("Access__Burst", "1000000"),
        ];
        foreach (var service in new[] { "featurestore", "training", "registry", "monitoring" })
        {
            environment.AddRange([($"services__{service}__http__0", Nobody), ($"services__{service}__grpc__0", Nobody)]);
        }

        environment.AddRange([("services__inference__http__0", behind.Rest), ("services__inference__grpc__0", behind.Grpc)]);
        if (policies is not null)
        {
            var path = Path.Combine(_folder, $"policies-{Guid.NewGuid():N}.json");
            await File.WriteAllTextAsync(path, policies, ct);
            environment.Add(("Gateway__PolicyFile", path));
        }

        environment.AddRange(settings);
        var server = await StartServiceAsync(name, "gateway", "MlOps.Gateway.dll", environment, ct);
        await AwaitAsync(new Uri($"{server.Rest}/readyz"), ct);
        return server with { Key = key, Processes = [.. server.Processes, .. behind.Processes] };
    }

    /// <summary>YARP and nothing else, before one server.</summary>
    public async Task<Server> StartProxyAsync(string name, Server behind, CancellationToken ct)
    {
        var (rest, grpc) = (PeerProcess.FreePort(), PeerProcess.FreePort());
        var peer = await PeerProcess.StartSelfAsync(grpc, ct, "proxy", $"{rest}", $"{grpc}", behind.Rest, behind.Grpc);
        _processes.Add(peer);
        return new Server(name, $"http://127.0.0.1:{rest}", $"http://127.0.0.1:{grpc}", [peer.Id, .. behind.Processes]);
    }

    public async Task<Postgres> PostgresAsync(CancellationToken ct) => _postgres ??= await Postgres.StartAsync(_folder, ct);

    public async Task<Server> StartOnnxAsync(CancellationToken ct)
    {
        var (rest, grpc) = (PeerProcess.FreePort(), PeerProcess.FreePort());
        var model = Path.Combine(_folder, "model.onnx");
        await File.WriteAllBytesAsync(model, Model.Onnx, ct);
        var peer = await PeerProcess.StartSelfAsync(grpc, ct, "onnx", $"{rest}", $"{grpc}", model);
        _processes.Add(peer);
        return new Server("bare Kestrel + ONNX Runtime", $"http://127.0.0.1:{rest}", $"http://127.0.0.1:{grpc}", peer.Id);
    }

    /// <summary>Two workers, one per core, of eight threads each: they keep connections, which plain workers do not.</summary>
    public Task<Server> StartFlaskAsync(CancellationToken ct) => StartPythonAsync(
        "Flask + gunicorn", "gunicorn",
        port => ["-w", "2", "-k", "gthread", "--threads", "8", "-b", $"127.0.0.1:{port}", "--chdir", Peers, "flask_peer:app"], ct);

    /// <summary>Two workers, one per core, on uvloop and httptools, without a log of accesses.</summary>
    public Task<Server> StartFastApiAsync(CancellationToken ct) => StartPythonAsync(
        "FastAPI + uvicorn", "uvicorn",
        port =>
        [
            "--workers", "2", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
            "--host", "127.0.0.1", "--port", $"{port}", "--app-dir", Peers, "fastapi_peer:app",
        ], ct);

    /// <summary>Rows a second of XGBoost's inplace_predict on one thread in a process of its own.</summary>
    public async Task<double> BoosterRowsAsync(int rows, CancellationToken ct)
    {
        var start = new ProcessStartInfo(
            "/usr/bin/python3", [Path.Combine(Peers, "booster_rows.py"), await BoosterAsync(ct), $"{rows}", $"{HttpLoad.Duration.TotalSeconds}"])
        {
            RedirectStandardOutput = true,
        };
        start.Environment["OMP_NUM_THREADS"] = "1";
        using var process = Process.Start(start) ?? throw new BenchException("python3 did not start.");
        var output = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        return double.TryParse(output, null, out var perSecond) ? perSecond : throw new BenchException("inplace_predict did not run.");
    }

    private static async Task AwaitAsync(Uri ready, CancellationToken ct)
    {
        using var http = new HttpClient();
        for (var tries = 0; tries < 600; tries++)
        {
            try
            {
                using var answer = await http.GetAsync(ready, ct);
                if (answer.IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(100, ct);
        }

        throw new BenchException($"{ready} never said yes.");
    }

    private async Task<Server> StartServiceAsync(
        string name, string project, string assembly, IEnumerable<(string Key, string Value)> settings, CancellationToken ct)
    {
        if (_broker is null) _processes.Add(_broker = await Broker.StartAsync(_folder, ct));
        var (rest, grpc) = (PeerProcess.FreePort(), PeerProcess.FreePort());
        var folder = Path.Combine(Repository.Root, project, "bin/Release/net10.0");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(folder, assembly)])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
        };
        var environment = start.Environment;
        environment["MLOPS_HTTP_PORT"] = $"{rest}";
        environment["MLOPS_GRPC_PORT"] = $"{grpc}";
        environment["ConnectionStrings__rabbitmq"] = _broker.Address;
        environment["Bus__Prefix"] = _broker.Prefix;
        environment["Storage__Folder"] = Path.Combine(_folder, $"storage-{grpc}");
        foreach (var (key, value) in settings) environment[key] = value;
        var process = await StartAsync(start, grpc, ct);
        return new Server(name, $"http://127.0.0.1:{rest}", $"http://127.0.0.1:{grpc}", process);
    }

    private static string Peers => Path.Combine(Repository.Root, "benchmarks/Peers");

    private async Task<Server> StartPythonAsync(string name, string program, Func<int, string[]> arguments, CancellationToken ct)
    {
        var port = PeerProcess.FreePort();
        var start = new ProcessStartInfo(program, arguments(port)) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MODEL"] = await BoosterAsync(ct);
        start.Environment["OMP_NUM_THREADS"] = "1";
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        return new Server(name, $"http://127.0.0.1:{port}", "", await StartAsync(start, port, ct));
    }

    private async Task<string> BoosterAsync(CancellationToken ct)
    {
        var path = Path.Combine(_folder, "model.json");
        if (!File.Exists(path)) await File.WriteAllBytesAsync(path, Model.Xgboost, ct);
        return path;
    }

    private async Task<int> StartAsync(ProcessStartInfo start, int port, CancellationToken ct)
    {
        var peer = await PeerProcess.StartAsync(start, port, ct);
        _processes.Add(peer);
        return peer.Id;
    }

    public async ValueTask DisposeAsync()
    {
        _processes.Reverse();
        foreach (var process in _processes) process.Dispose();
        if (_postgres is not null) await _postgres.DisposeAsync();
        if (_registry is not null) await _registry.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
