using MlOps.Training.Runs;

namespace MlOps.Training.Tests.Runs;

public sealed class RegistryRunIdsTests
{
    [Fact]
    public void Ids_are_the_same_for_ever_and_differ_by_what_they_stand_for()
    {
        var run = Guid.Parse("0195a000-0000-7000-8000-000000000001");
        string[] ids = [RegistryRunIds.ForTrainingRun(run), RegistryRunIds.ForTrial(run, 1), RegistryRunIds.ForTrial(run, 11),
            RegistryRunIds.ForBaseline(run, "mean"), RegistryRunIds.ForBaseline(run, "linear"), RegistryRunIds.ForTrial(Guid.Empty, 1)];

        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}$", id));
        Assert.Equal(ids[1], RegistryRunIds.ForTrial(run, 1));
    }
}
