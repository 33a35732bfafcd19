using MlOps.Inference.Predictions;

namespace MlOps.Inference.Batching;

/// <summary>A request that stands in line for a run; completed with what the run was.</summary>
/// <param name="workspace">Its checked inputs; takes the outputs.</param>
/// <param name="tier">Whose request it is.</param>
/// <param name="arrivedAt">Timestamp.</param>
/// <param name="deadline">Timestamp after which nobody wants the answer.</param>
internal sealed class BatchMember(Workspace workspace, CallTier tier, long arrivedAt, long deadline)
    : TaskCompletionSource<SharedRun>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public Workspace Workspace => workspace;

    public int Rows => workspace.Rows;

    public CallTier Tier => tier;

    public long ArrivedAt => arrivedAt;

    public long Deadline => deadline;
}
