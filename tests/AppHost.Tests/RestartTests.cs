using Aspire.Hosting.Local;

namespace MlOps.AppHost.Tests;

public sealed class RestartTests
{
    [Fact]
    public async Task What_died_is_started_again_and_the_screen_says_so()
    {
        await using var model = new Model();
        model.Script("flaky", """
            echo start >> starts
            [ "$(wc -l < starts)" -ge 3 ] || { echo "out of luck"; exit 7; }
            exec sleep 600
            """);

        _ = model.RunAsync();

        await model.UntilAsync(() => model.Read("starts").Split('\n').Length > 3);
        Assert.Contains("died (exit 7), restarting in 0.1 s", model.Screen, StringComparison.Ordinal);
        Assert.Contains("died (exit 7), restarting in 0.2 s", model.Screen, StringComparison.Ordinal);
        Assert.Contains("| out of luck", model.Screen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_killed_process_counts_as_dead_with_the_signal_in_its_exit_code()
    {
        await using var model = new Model();
        model.Script("victim", "[ -e once ] && exec sleep 600; touch once; kill -9 $$");

        _ = model.RunAsync();

        await model.UntilAsync(() => model.Screen.Contains("died (exit 137)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_was_never_healthy_is_given_up_after_five_deaths_and_ends_the_run()
    {
        await using var model = new Model();
        var hopeless = model.Script("hopeless", "echo start >> starts; exit 1");
        model.Watch(hopeless, isHealthy: false);
        model.Script("other", "exec sleep 600");

        Assert.False(await model.RunAsync());

        Assert.Equal(5, model.Read("starts").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains("other         stopped", model.Screen, StringComparison.Ordinal);
    }

    [Fact]
    public void Pauses_double_up_to_half_a_minute()
    {
        var settings = new RunSettings("", null!, null!, null!, null!, TimeProvider.System, null);

        Assert.Equal(
            [1, 2, 4, 8, 16, 30, 30],
            Enumerable.Range(1, 7).Select(deaths => settings.PauseAfter(deaths).TotalSeconds));
        Assert.Equal(30, settings.PauseAfter(1000).TotalSeconds);
    }
}
