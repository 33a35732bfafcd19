using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Inference.Responses;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

public sealed class ResponseCacheTests
{
    private readonly ManualTimeProvider _time = new();

    [Theory]
    [InlineData("trees export")]
    [InlineData("an end of its own")]
    [InlineData("rows of integers and doubles")]
    public void The_same_inputs_get_the_answer_that_was_kept_and_others_do_not(string name)
    {
        using var model = SampleModels.Named(name).Open();
        var cache = Cache(1 << 20);
        using var asked = Asked(model, seed: 1, from: 0, to: 3);
        model.Backend.Run(asked.Inputs, asked.Outputs);
        Assert.False(cache.TryAnswer(asked));
        cache.Keep(asked);

        using var same = Asked(model, seed: 1, from: 0, to: 3);
        Assert.True(cache.TryAnswer(same));
        for (var i = 0; i < model.Outputs.Length; i++) Assert.True(same.Outputs[i].HasBitsOf(asked.Outputs[i]));
        using var fewer = Asked(model, seed: 1, from: 0, to: 2);
        using var other = Asked(model, seed: 2, from: 0, to: 3);
        Assert.False(cache.TryAnswer(fewer));
        Assert.False(cache.TryAnswer(other));
    }

    [Fact]
    public void Texts_with_the_same_letters_but_other_ends_are_other_inputs()
    {
        var sample = new SampleModel("texts", Graphs.Echo(8), Graphs.EchoSignature("BYTES"));
        using var model = sample.Open();
        var cache = Cache(1 << 20);
        // Both have the hash of "ATLORD", so only the comparison tells them apart.
        using var asked = Texts(model, "ATL", "ORD");
        using var other = Texts(model, "ATLO", "RD");
        model.Backend.Run(asked.Inputs, asked.Outputs);
        cache.Keep(asked);

        Assert.False(cache.TryAnswer(other));
        using var same = Texts(model, "ATL", "ORD");
        Assert.True(cache.TryAnswer(same));
        Assert.True(same.Outputs[0].HasBitsOf(asked.Outputs[0]));
    }

    [Fact]
    public void An_answer_goes_when_its_time_is_over()
    {
        using var model = SampleModels.Named("plain rows").Open();
        var cache = Cache(1 << 20);
        using var asked = Asked(model, 1, 0, 1);
        model.Backend.Run(asked.Inputs, asked.Outputs);
        cache.Keep(asked);

        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(cache.TryAnswer(asked));
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.False(cache.TryAnswer(asked));
        Assert.Equal(0, cache.Bytes);
    }

    [Fact]
    public void Beyond_its_bytes_the_longest_unused_go_and_no_answer_takes_a_large_part()
    {
        using var model = SampleModels.Named("plain rows").Open();
        const int Most = 16 << 10;
        var cache = Cache(Most);
        using var first = Asked(model, 1, 0, 1);
        using var second = Asked(model, 1, 1, 2);
        foreach (var workspace in (Workspace[])[first, second])
        {
            model.Backend.Run(workspace.Inputs, workspace.Outputs);
            cache.Keep(workspace);
        }

        for (var row = 2; row < 200; row++)
        {
            using var another = Asked(model, 1, row, row + 1);
            model.Backend.Run(another.Inputs, another.Outputs);
            cache.Keep(another);
            Assert.InRange(cache.Bytes, 1, Most);
            Assert.True(cache.TryAnswer(first), $"the first was used before row {row}");
        }

        Assert.False(cache.TryAnswer(second));
        using var large = Asked(model, 1, 0, 100);
        model.Backend.Run(large.Inputs, large.Outputs);
        cache.Keep(large);
        Assert.False(cache.TryAnswer(large));
        Assert.True(cache.TryAnswer(first));
    }

    [Fact]
    public void Without_bytes_there_is_no_cache()
    {
        using var model = SampleModels.Named("plain rows").Open();

        Assert.Null(model.Cache);
    }

    private ResponseCache Cache(long bytes) => new(new CacheSettings { MaxBytes = bytes }, _time);

    private static Workspace Asked(LoadedModel model, int seed, int from, int to)
    {
        var workspace = model.RentWorkspace(0);
        SampleModel.Fill(workspace, seed, from, to);
        return workspace;
    }

    private static Workspace Texts(LoadedModel model, params string[] texts)
    {
        var workspace = model.RentWorkspace(0);
        var violations = new ServiceDefaults.Violations();
        workspace.Inputs[0].TryBegin(violations);
        workspace.Inputs[0].TryShape("BYTES", [1, 2], violations);
        foreach (var text in texts) workspace.Inputs[0].TryAppendText(System.Text.Encoding.UTF8.GetBytes(text));
        workspace.Check(violations);
        return workspace;
    }
}
