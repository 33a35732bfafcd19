using MlOps.Numerics.Onnx;
using MlOps.Training.Datasets;
using MlOps.Training.Evaluation;
using MlOps.Training.Trainers;
using MlOps.Training.Trainers.Xgboost;

namespace MlOps.Training.Tests.Trainers;

public sealed class XgboostTests
{
    private static readonly XgboostTrainer Trainer = new(new XgboostLibrary());
    private static readonly PreparedDataset Data = Prepare(3000);

    [Fact]
    public void The_library_is_there_and_tells_its_version()
    {
        Assert.True(Trainer.IsAvailable, Trainer.Note);
        Assert.Matches(@"^\d+\.\d+\.\d+$", Trainer.Note);
    }

    [Fact]
    public void A_library_that_is_absent_names_the_command_that_brings_it()
    {
        var absent = new XgboostTrainer(new XgboostLibrary("libxgboost-absent.so.0"));

        Assert.False(absent.IsAvailable);
        Assert.Contains("apt-get install -y libxgboost0", absent.Note);
        var refused = Assert.Throws<ServiceDefaults.ConflictException>(() => new TrainerCatalogue([absent]).Get("xgboost"));
        Assert.Equal("TRAINER_UNAVAILABLE", refused.Code);
        Assert.Contains("apt-get install", refused.Message);
    }

    [Fact]
    public void Trainer_numerics_and_onnx_runtime_agree_to_the_bit_at_every_batch_size()
    {
        using var model = Train(("rounds", "80"), ("max_depth", "5"));
        using var check = new OnnxCheck(TabularModel.Export(new TabularPipeline(Data.Inputs, model.Predictor)));
        var columns = WithMissingAndUnseen(Data.TestColumns);
        var encoded = new TabularEncoder(Data.Inputs).Encode(columns);
        var matrix = new DesignMatrix(encoded, Data.Test.Rows, Data.Test.Columns, []);

        var native = model.Predict(matrix);
        var scalar = Enumerable.Range(0, matrix.Rows).Select(row => model.Predictor.Predict(matrix.Row(row))).ToArray();

        Assert.Equal(Bits(native), Bits(scalar));
        Assert.Equal(Bits(native), Bits(check.Predict(columns, batchRows: 1)));
        Assert.Equal(Bits(native), Bits(check.Predict(columns, batchRows: 1000)));
    }

    [Fact]
    public void A_saved_model_predicts_as_before_and_the_same_seed_makes_the_same_bytes()
    {
        using var model = Train(("subsample", "0.7"), ("rounds", "40"));
        using var again = Train(("subsample", "0.7"), ("rounds", "40"));
        using var loaded = Trainer.Load(model.Save());

        Assert.Equal(Bits(model.Predict(Data.Test)), Bits(loaded.Predict(Data.Test)));
        Assert.Equal(model.BestRound, loaded.BestRound);
        Assert.Equal(model.Save(), again.Save());
    }

    [Fact]
    public void Early_stopping_keeps_the_best_round_only()
    {
        var scores = new List<RoundScore>();
        var settings = TrainerSettings.Of(
            Trainer, [new("eta", "0.5"), new("rounds", "500"), new("early_stopping_rounds", "5"), new("max_depth", "8")], 1);
        using var model = Trainer.Train(Data.Train, Data.Validation, settings, scores.Add, CancellationToken.None);

        var best = scores.MinBy(score => score.ValidationRmse);
        Assert.Equal(best.Round, model.BestRound);
        Assert.Equal(best.Round + 5, scores.Count);
    }

    [Fact]
    public void Training_stops_between_rounds_when_asked()
    {
        using var stop = new CancellationTokenSource();
        var seen = 0;

        Assert.Throws<OperationCanceledException>(() => Trainer.Train(
            Data.Train, Data.Validation, TrainerSettings.Of(Trainer, [], 1),
            score =>
            {
                seen = score.Round;
                if (score.Round == 3) stop.Cancel();
            },
            stop.Token));
        Assert.Equal(3, seen);
    }

    [Fact]
    public void What_the_library_refuses_is_told_without_its_stack_trace()
    {
        var bad = Data.Train with { Values = [.. Data.Train.Values.Select((value, i) => i == 0 ? float.PositiveInfinity : value)] };

        var refused = Assert.Throws<TrainerException>(() =>
            Trainer.Train(bad, Data.Validation, TrainerSettings.Of(Trainer, [], 1), _ => { }, CancellationToken.None));
        Assert.StartsWith("XGBoost:", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Stack trace", refused.Message);
    }

    internal static PreparedDataset Prepare(int rows, bool isComplete = false)
    {
        var pipeline = SyntheticRows.Pipeline();
        return PrepareDataset.Of(Snapshot.Of([SyntheticRows.Table(rows)], pipeline), pipeline, isComplete);
    }

    internal static IReadOnlyList<RawColumn> WithMissingAndUnseen(IReadOnlyList<RawColumn> columns) =>
    [
        .. columns.Select(column => column switch
        {
            NumericColumn numbers => numbers with { Values = [.. numbers.Values.Select((value, i) => i % 7 == 0 ? float.NaN : value)] },
            TextColumn texts => (RawColumn)(texts with
            {
                Values = [.. texts.Values.Select((value, i) => i % 5 == 0 ? "never seen" : i % 11 == 0 ? null : value)],
            }),
            _ => column,
        }),
    ];

    private static ITrainedModel Train(params (string Name, string Value)[] parameters) => Trainer.Train(
        Data.Train, Data.Validation,
        TrainerSettings.Of(Trainer, parameters.Select(p => KeyValuePair.Create(p.Name, p.Value)), 42), _ => { }, CancellationToken.None);

    private static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);
}
