using System.Diagnostics;
using MlOps.Benchmarks.Peers;

namespace MlOps.Benchmarks.Serving;

/// <summary>The servers under measurement, each in processes of its own, and what they need; all gone at the end.</summary>
internal sealed class ServerSet : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlops-bench-").FullName;
    private readonly List<IDisposable> _processes = [];
    private WebApplication? _registry;
    private int _registryPort;
    private Broker? _broker;

    public ServedModel Model { get; } = new();

    public async Task<Server> StartInferenceAsync(string name, CancellationToken ct, params (string Key, string Value)[] settings)
    {
        if (_registry is null)
        {
            _registryPort = PeerProcess.FreePort();
            _registry = await RegistryPeer.StartAsync(_registryPort);
            _broker = await Broker.StartAsync(_folder, ct);
            _processes.Add(_broker);
        }

        var (rest, grpc) = (PeerProcess.FreePort(), PeerProcess.FreePort());
        var folder = Path.Combine(Repository.Root, "services/Inference/bin/Release/net10.0");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(folder, "MlOps.Inference.dll")])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
        };
        var environment = start.Environment;
        environment["MLOPS_HTTP_PORT"] = $"{rest}";
        environment["MLOPS_GRPC_PORT"] = $"{grpc}";
        environment["ConnectionStrings__rabbitmq"] = _broker?.Address;
        environment["Bus__Prefix"] = _broker?.Prefix;
        environment["Storage__Folder"] = Path.Combine(_folder, $"inference-{grpc}");
        environment["services__registry__grpc__0"] = $"http://127.0.0.1:{_registryPort}";
        environment["services__featurestore__grpc__0"] = "http://127.0.0.1:9";
        // Nobody is refused: h2load would count a refusal as an answer.
        environment["Inference__Admission__MinConcurrency"] = "1000";
        foreach (var (key, value) in settings) environment[key] = value;
        var process = await StartAsync(start, grpc, ct);
        await AwaitModelAsync(new Uri($"http://127.0.0.1:{rest}/v2/models/{ServedModel.Name}/ready"), ct);
        return new Server(name, $"http://127.0.0.1:{rest}", $"http://127.0.0.1:{grpc}", process);
    }

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

    private static async Task AwaitModelAsync(Uri ready, CancellationToken ct)
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

        throw new BenchException($"{ready} never said that the model is loaded.");
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
        if (_registry is not null) await _registry.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
