using System.CommandLine;
using System.Text;
using Tidegate.Configuration;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Forwarding;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate explain METHOD URL [-H FIELD]</c>: offline, what the gateway would do with a request: API, route, every policy's decision, upstream.</summary>
internal static class ExplainCommand
{
    public static Command Create()
    {
        var method = new Argument<string>("method") { Description = "For example GET." };
        var url = new Argument<string>("url") { Description = "The URL that the caller means, for example https://api.stripe.com/v1/charges." };
        var fields = new Option<string[]>("--header", "-H") { Description = "A field of the request, as 'Name: value'.", DefaultValueFactory = _ => [] };
        var config = new Option<string>("--config") { Description = "The configuration file.", DefaultValueFactory = _ => "tidegate.yaml" };
        var direction = new Option<Direction?>("--direction") { Description = "egress or ingress. Default: egress when an egress API has the host, else ingress." };
        var command = new Command("explain", "Say what would happen to a request, without sending it.") { method, url, fields, config, direction };
        command.SetAction((parsed, _) => RunAsync(
            parsed.GetRequiredValue(config),
            new Question(parsed.GetRequiredValue(method), parsed.GetRequiredValue(url), parsed.GetRequiredValue(fields), parsed.GetValue(direction)),
            parsed.InvocationConfiguration));
        return command;
    }

    private static async Task<int> RunAsync(string file, Question question, InvocationConfiguration console)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var (compiled, problems) = SnapshotCompiler.Compile(ConfigurationLoader.Load(file), new CompilerServices(forwarder, TimeProvider.System));
        foreach (var problem in problems.Where(problem => compiled is null))
        {
            await console.Error.WriteLineAsync(problem.ToString());
        }

        if (compiled is null)
        {
            return ExitCode.Configuration;
        }

        var target = CanonicalTarget.ParseAbsolute(Encoding.UTF8.GetBytes(question.Url), question.Direction == Direction.Ingress, question.Method == "OPTIONS");
        if (!target.IsTarget)
        {
            await console.Error.WriteLineAsync($"{target.Rejection.Code}: {target.Rejection.Detail}");
            return ExitCode.Configuration;
        }

        await console.Output.WriteAsync(Explanation.Write(compiled.Snapshot, Explanation.Ask(question.Method, target.Target, question.Fields, question.Direction, compiled.Snapshot)));
        return ExitCode.Success;
    }

    private sealed record Question(string Method, string Url, string[] Fields, Direction? Direction);
}
