using System.Globalization;
using MlOps.Training.Datasets;

namespace MlOps.Training.Trainers.Xgboost;

/// <summary>
/// Gradient-boosted trees (Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", 2016) by the native library, on
/// one thread: trials run in parallel instead.
/// </summary>
internal sealed class XgboostTrainer(XgboostLibrary library) : ITrainer
{
    private const string Rounds = "rounds";
    private const string EarlyStopping = "early_stopping_rounds";

    public string Name => "xgboost";

    public bool IsAvailable => library.IsAvailable;

    public string Note => library.Note;

    public bool NeedsCompleteInputs => false;

    public IReadOnlyList<TrainerParameter> Parameters { get; } =
    [
        TrainerParameter.Integer(Rounds, 500, 1, 10_000, "num_round", "num_boost_round", "n_estimators"),
        TrainerParameter.Integer(EarlyStopping, 20, 0, 10_000),
        TrainerParameter.Number("eta", 0.1, 0, 1, isOpen: true, "learning_rate"),
        TrainerParameter.Integer("max_depth", 6, 1, 20),
        TrainerParameter.Integer("max_leaves", 0, 0, 65_536),
        TrainerParameter.Number("min_child_weight", 1, 0, double.MaxValue),
        TrainerParameter.Number("gamma", 0, 0, double.MaxValue, isOpen: false, "min_split_loss"),
        TrainerParameter.Number("lambda", 1, 0, double.MaxValue, isOpen: false, "reg_lambda"),
        TrainerParameter.Number("alpha", 0, 0, double.MaxValue, isOpen: false, "reg_alpha"),
        TrainerParameter.Number("max_delta_step", 0, 0, double.MaxValue),
        TrainerParameter.Number("subsample", 1, 0, 1, isOpen: true),
        TrainerParameter.Number("colsample_bytree", 1, 0, 1, isOpen: true),
        TrainerParameter.Number("colsample_bylevel", 1, 0, 1, isOpen: true),
        TrainerParameter.Number("colsample_bynode", 1, 0, 1, isOpen: true),
        TrainerParameter.Integer("max_bin", 256, 2, 65_536),
        TrainerParameter.Choice("grow_policy", "depthwise", "lossguide"),
        TrainerParameter.Choice("objective", "reg:squarederror", "reg:pseudohubererror"),
    ];

    public ITrainedModel Train(
        DesignMatrix train, DesignMatrix validation, TrainerSettings settings, Action<RoundScore> onRound, CancellationToken ct)
    {
        using var trainMatrix = new Booster.Matrix(train);
        using var validationMatrix = new Booster.Matrix(validation);
        using var booster = Booster.Create(NativeParameters(train, settings), trainMatrix, validationMatrix);
        var rounds = settings.Integer(Rounds);
        var patience = settings.Integer(EarlyStopping);
        var best = new RoundScore(0, double.NaN, double.PositiveInfinity);
        for (var round = 1; round <= rounds; round++)
        {
            ct.ThrowIfCancellationRequested();
            booster.Update(round - 1, trainMatrix);
            var (trainRmse, validationRmse) = booster.Evaluate(round - 1, trainMatrix, validationMatrix);
            var score = new RoundScore(round, trainRmse, validationRmse);
            onRound(score);
            if (score.ValidationRmse < best.ValidationRmse) best = score;
            if (patience > 0 && round - best.Round >= patience) break;
        }
        if (best.Round == 0) throw new TrainerException("The error on the validation part was never a number.");
        // Sliced before it is saved, so that the file, the graph and the predictions agree.
        return new XgboostModel(booster.Slice(patience > 0 ? best.Round : rounds));
    }

    public ITrainedModel Load(ReadOnlySpan<byte> model) => new XgboostModel(Booster.Load(model));

    private static Dictionary<string, string> NativeParameters(DesignMatrix train, TrainerSettings settings)
    {
        var parameters = settings.Values.Where(p => p.Key is not (Rounds or EarlyStopping)).ToDictionary();
        parameters["booster"] = "gbtree";
        parameters["tree_method"] = "hist";
        parameters["eval_metric"] = "rmse";
        parameters["nthread"] = "1";
        parameters["verbosity"] = "0";
        // The library reads a signed 32-bit seed.
        parameters["seed"] = (settings.Seed & int.MaxValue).ToString(CultureInfo.InvariantCulture);
        // Not estimated by the library: without it the first trees spend themselves on the mean.
        parameters["base_score"] = ((float)train.Labels.Average(label => (double)label)).ToString("R", CultureInfo.InvariantCulture);
        return parameters;
    }
}
