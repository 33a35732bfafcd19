using MlOps.Numerics;
using MlOps.Numerics.Trees;
using MlOps.Training.Datasets;

namespace MlOps.Training.Trainers.Xgboost;

/// <summary>A booster that has been cut at its best round.</summary>
internal sealed class XgboostModel(Booster booster) : ITrainedModel
{
    public int BestRound => booster.Rounds;

    public IPredictor Predictor => TreeEnsemble.FromXgboostJson(booster.Save());

    public float[] Predict(DesignMatrix features) => booster.Predict(features);

    public byte[] Save() => booster.Save();

    public void Dispose() => booster.Dispose();
}
