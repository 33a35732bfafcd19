using MlOps.Inference.Explanations;
using MlOps.Inference.Models;

namespace MlOps.Inference.Predictions;

/// <summary>A computed and logged answer, not yet sent. Its outputs are the workspace's, as long as that is rented.</summary>
internal sealed class Prediction(Workspace workspace, string id)
{
    private readonly LoadedModel _model = workspace.Model;

    /// <summary>What answered: the version asked, or the one in its place.</summary>
    public LoadedModel Model => _model;

    /// <summary>What it was computed from and in.</summary>
    public Workspace Workspace => workspace;

    /// <summary>What was noticed of the request; each once, in order.</summary>
    public IReadOnlyList<string> Flags => workspace.Flags;

    /// <summary>32 hex digits; row r is <c>id.r</c>.</summary>
    public string Id => id;

    public int Rows => workspace.Rows;

    public ReadOnlySpan<OutputSlot> Outputs => workspace.Outputs;

    /// <summary>What the inputs contributed; null: nobody asked.</summary>
    public Explanation? Explanation { get; init; }

    /// <summary>Time to read the inputs.</summary>
    public required TimeSpan Preparation { get; init; }

    /// <summary>Time in line for a run.</summary>
    public required TimeSpan Wait { get; init; }

    /// <summary>Time in the model, all of a shared run.</summary>
    public required TimeSpan Computation { get; init; }

    public required AnswerSource Source { get; init; }

    /// <summary>Timestamp at which the model was done.</summary>
    public required long ComputedAt { get; init; }

    /// <summary>Counts the answer, which is written.</summary>
    public void Answered(Call call, TimeProvider time)
    {
        if (call.OnlyExplains) return;
        var now = time.GetTimestamp();
        _model.Counts.AddAnswer(
            this, time.GetUtcNow(), time.GetElapsedTime(call.StartedAt, now), time.GetElapsedTime(ComputedAt, now));
    }
}
