using System.CommandLine;
using Tidegate.Configuration;
using Tidegate.Forwarding;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate check FILE</c>: every problem at once; exit code 1 on any error.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The configuration file." };
        var command = new Command("check", "Find every problem of a configuration.") { file };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(file), parsed.InvocationConfiguration.Output));
        return command;
    }

    private static async Task<int> RunAsync(string file, TextWriter output)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var (compiled, problems) = SnapshotCompiler.Compile(ConfigurationLoader.Load(file), new CompilerServices(forwarder, TimeProvider.System));
        foreach (var problem in problems.OrderBy(problem => problem.Position.File).ThenBy(problem => problem.Position.Line).ThenBy(problem => problem.Position.Column))
        {
            await output.WriteLineAsync(problem.ToString());
        }

        if (compiled is not null)
        {
            await output.WriteLineAsync($"{file} is good: {Count(compiled.Config.Apis.Count, "API")}, {Count(compiled.Config.Consumers.Count, "consumer")}, {Count(compiled.Listeners.Count, "listener")}.");
        }

        return compiled is null ? ExitCode.Configuration : ExitCode.Success;
    }

    private static string Count(int count, string what) => $"{count} {what}{(count == 1 ? "" : "s")}";
}
