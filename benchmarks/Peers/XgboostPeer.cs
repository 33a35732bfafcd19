using System.Runtime.InteropServices;

namespace MlOps.Benchmarks.Peers;

/// <summary>XGBoost's native library on one thread: trains a model, and takes its predictions apart.</summary>
internal sealed unsafe partial class XgboostPeer : IDisposable
{
    private const string Library = "libxgboost.so.0";
    private readonly nint _booster;

    /// <param name="design">n × width, row-major, NaN for a missing value.</param>
    /// <param name="labels">n.</param>
    /// <param name="rounds">Trees.</param>
    /// <param name="depth">Levels of splits at most.</param>
    public XgboostPeer(float[] design, float[] labels, int rounds, int depth)
    {
        // Read when the library's OpenMP loads; spinning threads would take the time of who is measured beside it.
        _ = SetEnvironment("OMP_WAIT_POLICY", "PASSIVE", 0);
        Check(SetGlobalConfig("""{"verbosity":0}"""));
        var train = Matrix(design, labels.Length);
        fixed (float* values = labels) Check(MatrixSetFloats(train, "label", values, (ulong)labels.Length));
        Check(BoosterCreate(&train, 1, out _booster));
        foreach (var (name, value) in new[]
        {
            ("objective", "reg:squarederror"), ("tree_method", "hist"), ("max_depth", $"{depth}"), ("eta", "0.1"), ("nthread", "1"),
            ("seed", "1"),
        })
            Check(BoosterSetParameter(_booster, name, value));
        for (var round = 0; round < rounds; round++) Check(BoosterUpdate(_booster, round, train));
        _ = MatrixFree(train);
    }

    public byte[] SaveJson()
    {
        Check(BoosterSave(_booster, """{"format":"json"}""", out var length, out var buffer));
        return new ReadOnlySpan<byte>(buffer, (int)length).ToArray();
    }

    /// <summary>Contributions of every row with the bias behind them: n × (width + 1). The matrix is made anew, as a caller has to.</summary>
    public void Contributions(float[] design, int rows, Span<float> contributions)
    {
        var matrix = Matrix(design, rows);
        Check(BoosterPredict(_booster, matrix, 4, 0, 0, out var length, out var result));
        new ReadOnlySpan<float>(result, (int)length).CopyTo(contributions);
        _ = MatrixFree(matrix);
    }

    private static nint Matrix(float[] design, int rows)
    {
        fixed (float* values = design)
        {
            Check(MatrixCreate(values, (ulong)rows, (ulong)(design.Length / rows), float.NaN, out var matrix, 1));
            return matrix;
        }
    }

    private static void Check(int result)
    {
        if (result != 0) throw new BenchException($"XGBoost: {Marshal.PtrToStringUTF8(LastError())}");
    }

    public void Dispose() => _ = BoosterFree(_booster);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport(Library, EntryPoint = "XGBGetLastError")]
    private static partial nint LastError();

    [LibraryImport(Library, EntryPoint = "XGBSetGlobalConfig", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetGlobalConfig(string json);

    [LibraryImport(Library, EntryPoint = "XGDMatrixCreateFromMat_omp")]
    private static partial int MatrixCreate(float* values, ulong rows, ulong columns, float missing, out nint matrix, int threads);

    [LibraryImport(Library, EntryPoint = "XGDMatrixSetFloatInfo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MatrixSetFloats(nint matrix, string field, float* values, ulong length);

    [LibraryImport(Library, EntryPoint = "XGDMatrixFree")]
    private static partial int MatrixFree(nint matrix);

    [LibraryImport(Library, EntryPoint = "XGBoosterCreate")]
    private static partial int BoosterCreate(nint* matrices, ulong length, out nint booster);

    [LibraryImport(Library, EntryPoint = "XGBoosterFree")]
    private static partial int BoosterFree(nint booster);

    [LibraryImport(Library, EntryPoint = "XGBoosterSetParam", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int BoosterSetParameter(nint booster, string name, string value);

    [LibraryImport(Library, EntryPoint = "XGBoosterUpdateOneIter")]
    private static partial int BoosterUpdate(nint booster, int round, nint train);

    [LibraryImport(Library, EntryPoint = "XGBoosterSaveModelToBuffer", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int BoosterSave(nint booster, string config, out ulong length, out byte* buffer);

    // Option mask 4: contributions.
    [LibraryImport(Library, EntryPoint = "XGBoosterPredict")]
    private static partial int BoosterPredict(
        nint booster, nint matrix, int optionMask, uint trees, int training, out ulong length, out float* result);
}
