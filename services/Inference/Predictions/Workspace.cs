using System.Buffers;
using System.Text.Json;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>
/// What one request of a model version works with, kept for the next one: input values, the log record's bytes and the
/// answer's. Dispose gives it back.
/// </summary>
internal sealed class Workspace : IDisposable
{
    private const int MaxKeptBytes = 256 << 10;
    private const int MaxShownLength = 100;
    private readonly LoadedModel _model;

    public Workspace(LoadedModel model)
    {
        _model = model;
        Inputs = [.. model.Inputs.Select(layout => new InputSlot(layout))];
        Outputs = [.. model.Outputs.Select(layout => new OutputSlot(layout))];
    }

    public InputSlot[] Inputs { get; }

    /// <summary>Filled once the prediction is computed.</summary>
    public OutputSlot[] Outputs { get; }

    public LoadedModel Model => _model;

    /// <summary>What was noticed of the request, e.g. <c>range:distance</c>; each once, in order. Such answers are always logged.</summary>
    public List<string> Flags { get; } = [];

    /// <summary>The version that answers in this one's place; null: this one does.</summary>
    public StandIn? StandIn { get; set; }

    public ProtoBuffer Record { get; } = new();

    /// <summary>Whether the prediction log has decided on the request, so that it has one record at most.</summary>
    public bool IsLogged { get; set; }

    public ArrayBufferWriter<byte> Answer { get; private set; } = new(1024);

    /// <summary>Rows of the request; known after <see cref="Check"/>.</summary>
    public int Rows { get; private set; }

    /// <summary>Timestamp from which the work on this request counts.</summary>
    public long RentedAt { get; set; }

    /// <summary>Values the log keeps of a checked request; its record has about ten bytes for each at most.</summary>
    public long LoggedValues
    {
        get
        {
            var values = (long)Rows;
            foreach (var slot in Inputs) values += slot.LoggedValues;
            return values;
        }
    }

    public InputSlot? Find(string name)
    {
        foreach (var slot in Inputs)
        {
            if (slot.Layout.Name == name) return slot;
        }

        return null;
    }

    /// <summary>The input a JSON string names, without making the string; clients mostly keep the model's order.</summary>
    public InputSlot? Find(ref Utf8JsonReader reader, int hint)
    {
        for (var i = 0; i < Inputs.Length; i++)
        {
            var slot = Inputs[(hint + i) % Inputs.Length];
            if (reader.ValueTextEquals(slot.Layout.NameUtf8)) return slot;
        }

        return null;
    }

    /// <summary>A name a caller made up, short enough to be said back.</summary>
    public static string Shown(string name) => name.Length <= MaxShownLength ? name : name[..MaxShownLength] + "…";

    /// <exception cref="InvalidRequestException">INPUT_INVALID: names every input that breaks a rule, and the rule.</exception>
    public void Check(Violations violations)
    {
        InputSlot? first = null;
        foreach (var slot in Inputs)
        {
            if (!slot.IsGiven)
            {
                violations.Add(slot.Layout.Name, "is missing");
                continue;
            }

            if (slot.Expected == 0) continue;
            slot.Check(violations);
            if (!slot.Layout.IsBatched) continue;
            first ??= slot;
            violations.AddIf(
                slot.Rows != first.Rows, slot.Layout.Name, $"has {slot.Rows} rows where {first.Layout.Name} has {first.Rows}");
        }

        violations.ThrowIfAny("INPUT_INVALID");
        Rows = first?.Rows ?? 1;
    }

    /// <summary>One row of zeros and empty texts.</summary>
    public void FillForWarmUp()
    {
        var violations = new Violations();
        foreach (var slot in Inputs)
        {
            slot.TryBegin(violations);
            slot.TryShape(slot.Layout.Datatype.Name, [.. slot.Layout.Shape.Select(size => Math.Max(1, size))], violations);
            if (!slot.Layout.Datatype.IsText) slot.Reserve(slot.Expected).Clear();
            while (slot.Count < slot.Expected) slot.TryAppendText([]);
        }

        Check(violations);
    }

    public void Dispose()
    {
        StandIn?.Dispose();
        StandIn = null;
        foreach (var slot in Inputs) slot.Clear();
        foreach (var slot in Outputs) slot.Clear();
        Flags.Clear();
        Record.Clear();
        IsLogged = false;
        if (Answer.Capacity > MaxKeptBytes) Answer = new ArrayBufferWriter<byte>(1024);
        else Answer.ResetWrittenCount();
        Rows = 0;
        _model.Return(this);
    }
}
