using MlOps.Numerics.Bandits;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Bandits;

public class InversePropensityTests
{
    [Fact]
    public void Worked_by_hand()
    {
        // 10 requests, 4 of them to the arm at 1/2: 1, 0, 1, 1; then 20, 3 of them at 1/4: 1, 1, 0.
        PropensityBatch[] batches = [new(10, 0.5, 4, 3, 3), new(20, 0.25, 3, 2, 2)];
        // (3/0.5 + 2/0.25)/30 and (3/0.5 + 2/0.25)/(4/0.5 + 3/0.25).
        Reference.Close(14 / 30.0, InversePropensity.HorvitzThompson(batches).Estimate, 1e-12);
        Reference.Close(14 / 20.0, InversePropensity.Hajek(batches).Estimate, 1e-12);
        // Σz² = 3·4 + 2·16 = 44; √(44 − 30·(14/30)²)/30.
        Reference.Close(Math.Sqrt(44 - 196 / 30.0) / 30, InversePropensity.HorvitzThompson(batches).StandardError, 1e-12);
        // Residuals 0.3 and −0.7: 4·(3·0.09 + 0.49) + 16·(2·0.09 + 0.49); over 20.
        Reference.Close(Math.Sqrt(4 * 0.76 + 16 * 0.67) / 20, InversePropensity.Hajek(batches).StandardError, 1e-12);
    }

    [Fact]
    public void A_split_that_follows_the_rewards_biases_the_plain_mean_and_not_the_weighted_one()
    {
        const double Rate = 0.3;
        var (plain, weighted, hajek, squares, claimed) = (0.0, 0.0, 0.0, 0.0, 0.0);
        const int Runs = 4_000;
        for (var seed = 0; seed < Runs; seed++)
        {
            var random = new Random(seed);
            long[] count = new long[2], sum = new long[2];
            var batches = new List<PropensityBatch>();
            var share = 0.5;
            for (var epoch = 0; epoch < 10; epoch++)
            {
                long answered = 0, rewards = 0;
                for (var i = 0; i < 20; i++)
                {
                    var arm = random.NextDouble() < share ? 0 : 1;
                    var reward = random.NextDouble() < Rate ? 1 : 0;
                    count[arm]++;
                    sum[arm] += reward;
                    if (arm == 0) (answered, rewards) = (answered + 1, rewards + reward);
                }

                batches.Add(new PropensityBatch(20, share, answered, rewards, rewards));
                var best = NormalDistribution.Cumulative((Mean(0) - Mean(1)) / Math.Sqrt(1 / (count[0] + 1.0) + 1 / (count[1] + 1.0)) * 2);
                share = ThompsonSampling.Weights([best, 1 - best], 0.1)[0];
            }

            double Mean(int arm) => count[arm] == 0 ? 0 : sum[arm] / (double)count[arm];
            var (estimate, error) = InversePropensity.HorvitzThompson([.. batches]);
            plain += Mean(0) / Runs;
            weighted += estimate / Runs;
            hajek += InversePropensity.Hajek([.. batches]).Estimate / Runs;
            squares += (estimate - Rate) * (estimate - Rate) / Runs;
            claimed += error * error / Runs;
        }

        Assert.True(plain < Rate - 0.01, $"The plain mean is {plain:R}: no bias to undo.");
        Reference.Close(Rate, weighted, 0, 0.004);
        Assert.True(Math.Abs(hajek - Rate) < Math.Abs(plain - Rate));
        Reference.Close(squares, claimed, 0.15); // the error claimed is the error made
    }

    [Fact]
    public void With_all_the_traffic_it_is_the_plain_mean()
    {
        PropensityBatch[] all = [new(50, 1, 50, 20, 30)];
        Reference.Close(0.4, InversePropensity.HorvitzThompson(all).Estimate, 1e-12);
        Reference.Close(Math.Sqrt(30 - 8) / 50, InversePropensity.HorvitzThompson(all).StandardError, 1e-12);
        Assert.Equal(InversePropensity.Hajek(all), InversePropensity.HorvitzThompson(all));
        Assert.Throws<ArgumentException>(() => InversePropensity.Hajek([new(1, 0, 0, 0, 0)]));
    }
}
