using Google.Protobuf;
using MlOps.Contracts.OpenInference;
using MlOps.Inference.Explanations;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>Infer requests and answers as gRPC messages: raw when the request was raw.</summary>
internal static class InferMessages
{
    private const int MaxRank = 16;
    private const int MaxSurplusInputs = 16;

    /// <exception cref="InvalidRequestException">INPUT_INVALID: every input that breaks a rule, and the rule.</exception>
    /// <exception cref="Grpc.Core.RpcException">Unimplemented: a parameter asks for what is not served.</exception>
    public static void Read(ModelInferRequest request, Workspace workspace)
    {
        CheckParameters(request);
        var isRaw = request.RawInputContents.Count > 0;
        var violations = new Violations();
        violations.AddIf(
            isRaw && request.RawInputContents.Count != request.Inputs.Count, "raw_input_contents",
            $"must have one buffer for each of the {request.Inputs.Count} inputs, not {request.RawInputContents.Count}");
        // A refusal travels in the trailers, which cannot name any number of inputs.
        violations.AddIf(
            request.Inputs.Count > workspace.Inputs.Length + MaxSurplusInputs, "inputs",
            $"must be the model's {workspace.Inputs.Length}, not {request.Inputs.Count}");
        violations.ThrowIfAny("INPUT_INVALID");
        Span<long> shape = stackalloc long[MaxRank];
        for (var i = 0; i < request.Inputs.Count; i++)
        {
            var input = request.Inputs[i];
            if (workspace.Find(input.Name) is not { } slot)
            {
                violations.Add(Workspace.Shown(input.Name), "is not an input of the model");
                continue;
            }

            if (!slot.TryBegin(violations)) continue;
            if (input.Shape.Count > MaxRank)
            {
                violations.Add(input.Name, $"must have shape {slot.Layout.ShapeText}");
                continue;
            }

            for (var d = 0; d < input.Shape.Count; d++) shape[d] = input.Shape[d];
            if (!slot.TryShape(input.Datatype, shape[..input.Shape.Count], violations)) continue;
            if (!isRaw) TypedTensors.Read(input.Contents, slot, violations);
            else if (TypedTensors.HasAny(input.Contents)) violations.Add(input.Name, "must not have contents beside raw_input_contents");
            else RawTensors.Read(request.RawInputContents[i].Span, slot, violations);
        }

        workspace.Check(violations);
    }

    public static ModelInferResponse Write(ModelInferRequest request, Prediction prediction)
    {
        var answer = new ModelInferResponse
        {
            ModelName = prediction.Model.Model,
            ModelVersion = prediction.Model.VersionText,
            Id = request.Id,
        };
        answer.Parameters.Add("prediction_id", new InferParameter { StringParam = prediction.Id });
        if (prediction.Flags.Count > 0) answer.Parameters.Add("flags", new InferParameter { StringParam = FlagsHeader.Of(prediction.Flags) });
        var isRaw = request.RawInputContents.Count > 0 || IsRawOnly(request, prediction);
        if (request.Outputs.Count == 0)
        {
            foreach (var output in prediction.Outputs) Add(answer, output, isRaw);
        }

        foreach (var requested in request.Outputs) Add(answer, RequestedOutputs.Find(prediction, requested.Name), isRaw);
        if (prediction.Explanation is { } explanation) Add(answer, explanation, isRaw);
        return answer;
    }

    private static void CheckParameters(ModelInferRequest request)
    {
        InferParameters.Check(request.Parameters);
        foreach (var input in request.Inputs) InferParameters.Check(input.Parameters);
        foreach (var output in request.Outputs) InferParameters.Check(output.Parameters);
    }

    // One tensor without a typed form, and all go raw: the two are not mixed.
    private static bool IsRawOnly(ModelInferRequest request, Prediction prediction)
    {
        foreach (var output in prediction.Outputs)
        {
            if (!output.Layout.Datatype.IsRawOnly) continue;
            if (request.Outputs.Count == 0 || request.Outputs.Any(o => o.Name == output.Layout.Name)) return true;
        }

        return false;
    }

    // What explains them stands behind the outputs.
    private static void Add(ModelInferResponse answer, Explanation explanation, bool isRaw)
    {
        foreach (var slot in ExplanationSlots.Of(explanation)) Add(answer, slot, isRaw);
        (string, string)[] how = [("method", explanation.Method), ("space", explanation.Space), ("link", explanation.Link), ("output", explanation.Output)];
        foreach (var (name, value) in how) answer.Parameters.Add($"explanation_{name}", new InferParameter { StringParam = value });
        if (explanation.Samples == 0) return;
        answer.Parameters.Add("explanation_samples", new InferParameter { Int64Param = explanation.Samples });
        answer.Parameters.Add("explanation_seed", new InferParameter { Int64Param = explanation.Seed });
    }

    private static void Add(ModelInferResponse answer, OutputSlot output, bool isRaw)
    {
        var tensor = new ModelInferResponse.Types.InferOutputTensor
        {
            Name = output.Layout.Name,
            Datatype = output.Layout.Datatype.Name,
        };
        tensor.Shape.AddRange(output.Shape.AsSpan());
        if (isRaw) answer.RawOutputContents.Add(UnsafeByteOperations.UnsafeWrap(RawTensors.Write(output)));
        else tensor.Contents = TypedTensors.Write(output);
        answer.Outputs.Add(tensor);
    }
}
