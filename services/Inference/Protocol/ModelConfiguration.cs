using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Contracts.OpenInference;
using MlOps.Inference.Models;
using Datatype = MlOps.Inference.Models.Datatype;

namespace MlOps.Inference.Protocol;

/// <summary>A model's configuration in Triton's words: whole shapes, nothing batched by the server.</summary>
internal static class ModelConfiguration
{
    public static ModelConfig Of(LoadedModel model)
    {
        var config = new ModelConfig { Name = model.Model, Platform = model.Choice.Platform, Backend = model.Choice.Backend };
        foreach (var (name, value) in model.Choice.Parameters) config.Parameters[name] = new ModelParameter { StringValue = value };
        foreach (var layout in model.Inputs)
        {
            config.Input.Add(new ModelInput { Name = layout.Name, DataType = TypeOf(layout.Datatype), Dims = { layout.Shape } });
        }

        foreach (var layout in model.Outputs)
        {
            config.Output.Add(new ModelOutput { Name = layout.Name, DataType = TypeOf(layout.Datatype), Dims = { layout.Shape } });
        }

        return config;
    }

    public static ConfigAnswer AnswerOf(LoadedModel model) => new(
        model.Model, model.Choice.Platform, model.Choice.Backend, 0, model.Inputs.Select(ConfigTensor.Of), model.Outputs.Select(ConfigTensor.Of),
        model.Choice.Parameters.ToDictionary(p => p.Key, p => new ConfigParameter(p.Value)));

    private static DataType TypeOf(Datatype datatype) => datatype.Element switch
    {
        TensorElementType.Bool => DataType.TypeBool,
        TensorElementType.UInt8 => DataType.TypeUint8,
        TensorElementType.UInt16 => DataType.TypeUint16,
        TensorElementType.UInt32 => DataType.TypeUint32,
        TensorElementType.UInt64 => DataType.TypeUint64,
        TensorElementType.Int8 => DataType.TypeInt8,
        TensorElementType.Int16 => DataType.TypeInt16,
        TensorElementType.Int32 => DataType.TypeInt32,
        TensorElementType.Int64 => DataType.TypeInt64,
        TensorElementType.Float16 => DataType.TypeFp16,
        TensorElementType.Float => DataType.TypeFp32,
        TensorElementType.Double => DataType.TypeFp64,
        TensorElementType.BFloat16 => DataType.TypeBf16,
        _ => DataType.TypeString,
    };

    internal sealed record ConfigAnswer(
        string Name, string Platform, string Backend, int MaxBatchSize, IEnumerable<ConfigTensor> Input, IEnumerable<ConfigTensor> Output,
        IReadOnlyDictionary<string, ConfigParameter> Parameters);

    internal sealed record ConfigParameter(string StringValue);

    internal sealed record ConfigTensor(string Name, string DataType, long[] Dims)
    {
        public static ConfigTensor Of(TensorLayout layout) =>
            new(layout.Name, layout.Datatype.IsText ? "TYPE_STRING" : $"TYPE_{layout.Datatype.Name}", layout.Shape);
    }
}
