using MlOps.Contracts.Registry.V1;
using MlOps.Inference.Batching;
using MlOps.Inference.Models;
using MlOps.Numerics.Onnx;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

public sealed class BatchProofTests
{
    private const int MaxRows = 32;
    private static readonly ModelSettings WhateverItCosts = new() { Batching = new BatchSettings { MinGain = TimeSpan.Zero } };

    public static TheoryData<string> All => SampleModels.Names(_ => true);

    [Theory]
    [MemberData(nameof(All))]
    public void Rows_of_every_sample_model_are_the_same_to_the_bit_in_a_batch_and_alone(string name)
    {
        // On a clock that stands still the proof has all the time there is.
        using var model = Open(SampleModels.Named(name), WhateverItCosts, new ManualTimeProvider());

        Assert.Equal((MaxRows, true), (model.Batching.MaxRows, model.Batching.IsEqual));
        using var whole = model.RentWorkspace(0);
        for (var rows = 1; rows <= MaxRows; rows++)
        {
            using var again = model.RentWorkspace(0);
            SampleModel.Fill(again, 5, 0, rows);
            model.Backend.Run(again.Inputs, again.Outputs);
            for (var row = 0; row < rows; row++)
            {
                using var alone = model.RentWorkspace(0);
                SampleModel.Fill(alone, 5, row, row + 1);
                model.Backend.Run(alone.Inputs, alone.Outputs);
                for (var output = 0; output < model.Outputs.Length; output++)
                {
                    whole.Outputs[output].TakeRows(again.Outputs[output], row, 1);
                    Assert.True(whole.Outputs[output].HasBitsOf(alone.Outputs[output]), $"row {row} of {rows}");
                }
            }
        }
    }

    [Fact]
    public void A_model_whose_rows_depend_on_each_other_is_found_out_and_runs_alone_unless_told_otherwise()
    {
        // Each row less the mean of all.
        var graph = new GraphBuilder("centred").Input("x", OnnxType.Float, 2).Output("y", OnnxType.Float, 2)
            .Node("ReduceMean", ["x"], "m", attributes: new OnnxAttributes().Integers("axes", [0]).Integer("keepdims", 1))
            .Node("Sub", ["x", "m"], "y").Build();
        var sample = new SampleModel("centred", graph, Graphs.EchoSignature("FP32"));

        using var auto = Open(sample, WhateverItCosts, new ManualTimeProvider());
        using var on = Open(sample, new ModelSettings { Batching = new BatchSettings { Mode = BatchMode.On } }, new ManualTimeProvider());

        Assert.Null(auto.Batcher);
        Assert.Equal((0, false), (auto.Batching.MaxRows, auto.Batching.IsEqual));
        Assert.Contains("'y' of a row among 2", auto.Batching.Reason, StringComparison.Ordinal);
        Assert.NotNull(on.Batcher);
        Assert.Equal((MaxRows, false), (on.Batching.MaxRows, on.Batching.IsEqual));
    }

    [Fact]
    public void Where_a_batch_saves_nothing_requests_run_alone()
    {
        // Nothing takes any time on a clock that stands still.
        using var model = Open(SampleModels.Named("trees export"), new ModelSettings(), new ManualTimeProvider());

        Assert.Null(model.Batcher);
        Assert.StartsWith("not worth it", model.Batching.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Switched_off_is_off()
    {
        using var model = Open(
            SampleModels.Named("plain rows"), new ModelSettings { Batching = new BatchSettings { Mode = BatchMode.Off } }, new ManualTimeProvider());

        Assert.Null(model.Batcher);
        Assert.Equal("switched off", model.Batching.Reason);
    }

    [Fact]
    public void A_model_that_takes_no_rows_or_rows_of_any_width_runs_alone()
    {
        var echo = Graphs.Echo((int)OnnxType.Float);
        var signature = new Signature
        {
            Inputs = { new TensorSpec { Name = "x", Datatype = "FP32", Shape = { 3, 2 } } },
            Outputs = { new TensorSpec { Name = "y", Datatype = "FP32", Shape = { 3, 2 } } },
        };
        using var model = Open(new SampleModel("whole", echo, signature), WhateverItCosts, new ManualTimeProvider());

        Assert.Null(model.Batcher);
        Assert.Equal("input 'x' has no rows", model.Batching.Reason);
        var narrow = new GraphBuilder("narrow").Input("x", OnnxType.Float, 1).Output("y", OnnxType.Float, 1).Node("Neg", ["x"], "y").Build();
        foreach (var spec in (TensorSpec[])[signature.Inputs[0], signature.Outputs[0]]) (spec.Shape[0], spec.Shape[1]) = (-1, -1);
        using var wide = Open(new SampleModel("wide", narrow, signature), WhateverItCosts, new ManualTimeProvider());
        Assert.Equal("input 'x' varies in more than its rows", wide.Batching.Reason);
    }

    private static LoadedModel Open(SampleModel sample, ModelSettings settings, TimeProvider time) =>
        ModelLoader.Open(sample.Entry, sample.Onnx, settings, time: time);
}
