using System.Runtime.InteropServices;

namespace MlOps.Training.Trainers.Xgboost;

/// <summary>XGBoost's C API as far as training, prediction and storage need it. Calls answer 0, or −1 with the reason in <see cref="LastError"/>.</summary>
internal static unsafe partial class NativeXgboost
{
    /// <summary>The name Debian and Ubuntu give the library; the plain name exists only with the -dev package.</summary>
    internal const string Library = "libxgboost.so.0";

    internal static string LastError() => Marshal.PtrToStringUTF8(GetLastErrorText()) ?? "unknown";

    [LibraryImport(Library, EntryPoint = "XGBGetLastError")]
    private static partial nint GetLastErrorText();

    [LibraryImport(Library, EntryPoint = "XGBoostVersion")]
    internal static partial void Version(out int major, out int minor, out int patch);

    [LibraryImport(Library, EntryPoint = "XGBSetGlobalConfig", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int SetGlobalConfig(string json);

    [LibraryImport(Library, EntryPoint = "XGDMatrixCreateFromMat_omp")]
    internal static partial int MatrixCreate(
        float* values, ulong rows, ulong columns, float missing, out MatrixHandle matrix, int threads);

    [LibraryImport(Library, EntryPoint = "XGDMatrixSetFloatInfo", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int MatrixSetFloats(MatrixHandle matrix, string field, float* values, ulong length);

    [LibraryImport(Library, EntryPoint = "XGDMatrixFree")]
    internal static partial int MatrixFree(nint matrix);

    [LibraryImport(Library, EntryPoint = "XGBoosterCreate")]
    internal static partial int BoosterCreate(nint* matrices, ulong length, out BoosterHandle booster);

    [LibraryImport(Library, EntryPoint = "XGBoosterFree")]
    internal static partial int BoosterFree(nint booster);

    [LibraryImport(Library, EntryPoint = "XGBoosterSetParam", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int BoosterSetParameter(BoosterHandle booster, string name, string value);

    [LibraryImport(Library, EntryPoint = "XGBoosterUpdateOneIter")]
    internal static partial int BoosterUpdate(BoosterHandle booster, int round, MatrixHandle train);

    [LibraryImport(Library, EntryPoint = "XGBoosterEvalOneIter")]
    internal static partial int BoosterEvaluate(
        BoosterHandle booster, int round, nint* matrices, byte** names, ulong length, out nint text);

    [LibraryImport(Library, EntryPoint = "XGBoosterPredictFromDense", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int BoosterPredict(
        BoosterHandle booster, string values, string config, nint proxy, out ulong* shape, out ulong dimensions, out float* result);

    [LibraryImport(Library, EntryPoint = "XGBoosterSaveModelToBuffer", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int BoosterSave(BoosterHandle booster, string config, out ulong length, out byte* buffer);

    [LibraryImport(Library, EntryPoint = "XGBoosterLoadModelFromBuffer")]
    internal static partial int BoosterLoad(BoosterHandle booster, byte* buffer, ulong length);

    [LibraryImport(Library, EntryPoint = "XGBoosterSlice")]
    internal static partial int BoosterSlice(BoosterHandle booster, int begin, int end, int step, out BoosterHandle slice);

    [LibraryImport(Library, EntryPoint = "XGBoosterBoostedRounds")]
    internal static partial int BoosterRounds(BoosterHandle booster, out int rounds);

    /// <summary>Owns a DMatrix.</summary>
    internal sealed class MatrixHandle() : SafeHandle(0, ownsHandle: true)
    {
        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle() => MatrixFree(handle) == 0;
    }

    /// <summary>Owns a booster.</summary>
    internal sealed class BoosterHandle() : SafeHandle(0, ownsHandle: true)
    {
        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle() => BoosterFree(handle) == 0;
    }
}
