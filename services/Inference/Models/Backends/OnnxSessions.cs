using Microsoft.ML.OnnxRuntime;
using SessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace MlOps.Inference.Models.Backends;

/// <summary>Opens graphs in ONNX Runtime.</summary>
internal static class OnnxSessions
{
    public static InferenceSession Open(byte[] content, OnnxSettings settings)
    {
        using var options = new SessionOptions
        {
            // Requests are the parallelism; spinning threads cost ten times the work on a small machine.
            IntraOpNumThreads = settings.IntraOpThreads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            EnableCpuMemArena = settings.Arena,
            GraphOptimizationLevel = settings.Optimization switch
            {
                OnnxOptimization.None => GraphOptimizationLevel.ORT_DISABLE_ALL,
                OnnxOptimization.Basic => GraphOptimizationLevel.ORT_ENABLE_BASIC,
                OnnxOptimization.Extended => GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
                _ => GraphOptimizationLevel.ORT_ENABLE_ALL,
            },
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0");
        return new InferenceSession(content, options);
    }
}
