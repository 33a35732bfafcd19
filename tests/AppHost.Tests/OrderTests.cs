using Aspire.Hosting;
using MlOps.TestServers;

namespace MlOps.AppHost.Tests;

public sealed class OrderTests
{
    private const string TellWhenStopped = """trap 'echo NAME >> stopped; exit 0' TERM; echo NAME >> started; while :; do sleep 0.05; done""";

    [Fact]
    public async Task Resources_stop_after_those_that_need_them()
    {
        await using var model = new Model();
        var first = model.Script("first", TellWhenStopped.Replace("NAME", "first", StringComparison.Ordinal));
        var second = model.Script("second", TellWhenStopped.Replace("NAME", "second", StringComparison.Ordinal), first);
        model.Script("third", TellWhenStopped.Replace("NAME", "third", StringComparison.Ordinal), second);

        _ = model.RunAsync();
        await model.UntilAsync(() => model.Read("started").Contains("third", StringComparison.Ordinal));
        await model.StopAsync();

        Assert.Equal("third\nsecond\nfirst\n", model.Read("stopped"));
    }

    [Fact]
    public async Task A_resource_starts_once_what_it_needs_is_healthy()
    {
        await using var model = new Model();
        var needed = model.Script("needed", "exec sleep 600");
        model.Watch(needed, isHealthy: false);
        model.Script("waiting", "touch here; exec sleep 600", needed);

        _ = model.RunAsync();
        await model.UntilAsync(() => model.Screen.Contains("needed        starting", StringComparison.Ordinal));
        Assert.DoesNotContain("waiting", model.Screen, StringComparison.Ordinal);
        model.Health["needed"] = true;

        await model.UntilAsync(() => File.Exists(Path.Combine(model.Folder, "here")));
        Assert.Contains("needed        healthy after", model.Screen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_does_not_stop_in_time_is_killed_with_its_children()
    {
        await using var model = new Model { Patience = TimeSpan.FromMilliseconds(100) };
        model.Script("stubborn", "trap '' TERM; sleep 600 & echo $! > grandchild; while :; do sleep 1; done");

        _ = model.RunAsync();
        await model.UntilAsync(() => model.Read("grandchild").EndsWith('\n'));
        await model.StopAsync();

        Assert.Contains("stubborn      did not stop by itself: killed", model.Screen, StringComparison.Ordinal);
        var grandchild = int.Parse(model.Read("grandchild"), System.Globalization.CultureInfo.InvariantCulture);
        await Eventually.Async(() => !Processes.IsAlive(grandchild), Model.Deadline);
    }

    [Fact]
    public async Task A_circle_of_waits_is_refused()
    {
        await using var model = new Model();
        var first = model.Script("first", "exit 0");
        var second = model.Script("second", "exit 0", first);
        first.Awaited.Add(second);

        var refusal = await Assert.ThrowsAsync<DistributedApplicationException>(model.RunAsync);

        Assert.Contains("first > second > first", refusal.Message, StringComparison.Ordinal);
    }
}
