using System.CommandLine;
using Tidegate.Configuration;
using Tidegate.Configuration.Comparison;
using Tidegate.Forwarding;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate diff OLD NEW</c>: what another configuration changes and what that means. Exit code 0 without a difference, 1 on errors in a file, 2 with differences.</summary>
internal static class DiffCommand
{
    public static Command Create()
    {
        var old = new Argument<string>("old") { Description = "The configuration as it is." };
        var @new = new Argument<string>("new") { Description = "The configuration as it would be." };
        var command = new Command("diff", "Say what a new configuration changes. Exit code 0: nothing, 1: errors in a file, 2: something.") { old, @new };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(old), parsed.GetRequiredValue(@new), parsed.InvocationConfiguration));
        return command;
    }

    private static async Task<int> RunAsync(string oldFile, string newFile, InvocationConfiguration console)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var old = await CheckAsync(oldFile, forwarder, console.Error);
        var @new = await CheckAsync(newFile, forwarder, console.Error);
        if (old.Compiled is null || @new.Compiled is null)
        {
            return ExitCode.Configuration;
        }

        var differences = ConfigComparison.Compare(old.Loaded, @new.Loaded);
        foreach (var difference in differences)
        {
            await console.Output.WriteLineAsync(difference.ToString());
            foreach (var consequence in difference.Consequences)
            {
                await console.Output.WriteLineAsync("    " + consequence);
            }

            if (difference.NeedsRestart)
            {
                await console.Output.WriteLineAsync("    Needs a restart: a reload leaves it as it was.");
            }
        }

        var routes = RouteComparison.Compare(old.Compiled.Snapshot, @new.Compiled.Snapshot);
        foreach (var route in routes)
        {
            await console.Output.WriteLineAsync("> " + route);
        }

        await console.Output.WriteLineAsync(Sum(differences, routes.Count));
        return differences.Count == 0 ? ExitCode.Success : ExitCode.Differences;
    }

    private static async Task<(LoadedConfiguration Loaded, CompiledConfiguration? Compiled)> CheckAsync(string file, Forwarder forwarder, TextWriter error)
    {
        var loaded = ConfigurationLoader.Load(file);
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, new CompilerServices(forwarder, TimeProvider.System));
        foreach (var problem in problems.Where(problem => compiled is null || problem.Severity == ConfigSeverity.Error))
        {
            await error.WriteLineAsync(problem.ToString());
        }

        return (loaded, compiled);
    }

    private static string Sum(IReadOnlyList<ConfigDifference> differences, int routes)
    {
        if (differences.Count == 0)
        {
            return "No difference.";
        }

        var restarts = differences.Count(difference => difference.NeedsRestart);
        return $"{differences.Count} difference{(differences.Count == 1 ? "" : "s")}"
            + (routes == 0 ? "" : $", {routes} request{(routes == 1 ? "" : "s")} (>) answered by another API or endpoint")
            + (restarts == 0 ? "; a reload is enough." : $"; {restarts} need{(restarts == 1 ? "s" : "")} a restart.");
    }
}
