using System.Globalization;
using MlOps.Training.Datasets;
using static MlOps.Training.Trainers.Xgboost.NativeXgboost;

namespace MlOps.Training.Trainers.Xgboost;

/// <summary>A gradient-boosted ensemble in native memory; rounds are grown one at a time by the caller.</summary>
internal sealed unsafe class Booster : IDisposable
{
    // {"version":3} array interface and dense prediction: NaN is missing, all rounds, plain predictions.
    private const string PredictConfig =
        """{"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true,"missing":NaN,"cache_id":0}""";

    private readonly BoosterHandle _handle;

    private Booster(BoosterHandle handle) => _handle = handle;

    internal int Rounds
    {
        get
        {
            Check(BoosterRounds(_handle, out var rounds));
            return rounds;
        }
    }

    /// <summary>A booster that knows <paramref name="matrices"/>, so that their predictions are kept between rounds.</summary>
    internal static Booster Create(IReadOnlyCollection<KeyValuePair<string, string>> parameters, params ReadOnlySpan<Matrix> matrices)
    {
        Silence();
        Span<nint> handles = stackalloc nint[matrices.Length];
        for (var i = 0; i < handles.Length; i++) handles[i] = matrices[i].Handle.DangerousGetHandle();
        BoosterHandle handle;
        fixed (nint* pointer = handles) Check(BoosterCreate(pointer, (ulong)handles.Length, out handle));
        foreach (var (name, value) in parameters) Check(BoosterSetParameter(handle, name, value));
        return new Booster(handle);
    }

    internal static Booster Load(ReadOnlySpan<byte> model)
    {
        var booster = Create([new("nthread", "1")]);
        fixed (byte* pointer = model) Check(BoosterLoad(booster._handle, pointer, (ulong)model.Length));
        return booster;
    }

    internal void Update(int round, Matrix train) => Check(BoosterUpdate(_handle, round, train.Handle));

    /// <summary>The metric of both parts after <paramref name="round"/>, with the digits the library prints.</summary>
    internal (double Train, double Validation) Evaluate(int round, Matrix train, Matrix validation)
    {
        nint text;
        var handles = stackalloc nint[] { train.Handle.DangerousGetHandle(), validation.Handle.DangerousGetHandle() };
        fixed (byte* trainName = "train"u8, validationName = "validation"u8)
        {
            var names = stackalloc byte*[] { trainName, validationName };
            Check(BoosterEvaluate(_handle, round, handles, names, 2, out text));
        }
        // [99]	train-rmse:31.20142	validation-rmse:33.87012
        var parts = (System.Runtime.InteropServices.Marshal.PtrToStringUTF8(text) ?? "").Split('\t');
        return parts.Length == 3
            ? (Number(parts[1]), Number(parts[2]))
            : throw new TrainerException($"XGBoost answered an evaluation of another form: {string.Join(' ', parts)}");

        static double Number(string part) =>
            double.Parse(part.AsSpan(part.LastIndexOf(':') + 1), NumberStyles.Float, CultureInfo.InvariantCulture);
    }

    /// <summary>One float per row of <paramref name="features"/>.</summary>
    internal float[] Predict(DesignMatrix features)
    {
        if (features.Rows == 0) return [];
        Silence();
        fixed (float* values = features.Values)
        {
            var array = string.Create(CultureInfo.InvariantCulture,
                $$"""{"data":[{{(nint)values}},true],"shape":[{{features.Rows}},{{features.Columns}}],"typestr":"<f4","version":3}""");
            Check(BoosterPredict(_handle, array, PredictConfig, 0, out _, out _, out var result));
            return new ReadOnlySpan<float>(result, features.Rows).ToArray();
        }
    }

    /// <summary>A copy that ends after the first <paramref name="rounds"/> rounds.</summary>
    internal Booster Slice(int rounds)
    {
        Check(BoosterSlice(_handle, 0, rounds, 1, out var slice));
        return new Booster(slice);
    }

    internal byte[] Save()
    {
        Check(BoosterSave(_handle, """{"format":"json"}""", out var length, out var buffer));
        return new ReadOnlySpan<byte>(buffer, checked((int)length)).ToArray();
    }

    public void Dispose() => _handle.Dispose();

    /// <summary>Verbosity is a setting of the thread, so every entry point sets it.</summary>
    internal static void Silence() => Check(SetGlobalConfig("""{"verbosity":0}"""));

    internal static void Check(int result)
    {
        if (result == 0) return;
        var message = LastError();
        var end = message.IndexOf("Stack trace:", StringComparison.Ordinal);
        throw new TrainerException("XGBoost: " + (end < 0 ? message : message[..end]).Trim());
    }

    /// <summary>A design matrix with labels, in the library's own memory.</summary>
    internal sealed class Matrix : IDisposable
    {
        internal Matrix(DesignMatrix data)
        {
            Silence();
            MatrixHandle handle;
            fixed (float* values = data.Values)
                Check(MatrixCreate(values, (ulong)data.Rows, (ulong)data.Columns, float.NaN, out handle, threads: 1));
            Handle = handle;
            fixed (float* labels = data.Labels) Check(MatrixSetFloats(handle, "label", labels, (ulong)data.Labels.Length));
        }

        internal MatrixHandle Handle { get; }

        public void Dispose() => Handle.Dispose();
    }
}
