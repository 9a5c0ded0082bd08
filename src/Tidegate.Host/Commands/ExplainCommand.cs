using System.CommandLine;
using System.Text;
using Tidegate.Configuration;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Policies.Cache;

namespace Tidegate.Host.Commands;

/// <summary>
/// <c>tidegate explain METHOD URL [-H FIELD]</c>: offline, what the gateway would do with a request: API, route, every policy's decision, upstream. With <c>--live</c> a
/// running gateway says what it has stored for it.
/// </summary>
internal static class ExplainCommand
{
    private const string ExplainPath = "/api/v1/cache/explain";

    public static Command Create()
    {
        var method = new Argument<string>("method") { Description = "For example GET." };
        var url = new Argument<string>("url") { Description = "The URL that the caller means, for example https://api.stripe.com/v1/charges." };
        var fields = new Option<string[]>("--header", "-H") { Description = "A field of the request, as 'Name: value'.", DefaultValueFactory = _ => [] };
        var config = new Option<string>("--config") { Description = "The configuration file.", DefaultValueFactory = _ => "tidegate.yaml" };
        var direction = new Option<Direction?>("--direction") { Description = "egress or ingress. Default: egress when an egress API has the host, else ingress." };
        var live = new Option<bool>("--live") { Description = "Ask a running gateway what it has stored for the request, and whether it would use that. It needs no configuration file." };
        var consumer = new Option<string?>("--consumer") { Description = "With --live: the consumer that calls. Default: anonymous." };
        var data = new Option<string?>("--data", "-d") { Description = "With --live: the request's content. Where it is a part of the key, it tells answers apart." };
        var dataFile = new Option<string?>("--data-file") { Description = "With --live: a file with the request's content, byte for byte." };
        var (admin, token) = AdminClient.Options();
        var command = new Command("explain", "Say what would happen to a request, without sending it.") { method, url, fields, config, direction, live, consumer, data, dataFile, admin, token };
        command.SetAction((parsed, cancellationToken) =>
        {
            var question = new Question(parsed.GetRequiredValue(method), parsed.GetRequiredValue(url), parsed.GetRequiredValue(fields), parsed.GetValue(direction));
            return parsed.GetValue(live)
                ? AskAsync(parsed.GetRequiredValue(admin), parsed.GetValue(token), question, parsed.GetValue(consumer), parsed.GetValue(data), parsed.GetValue(dataFile), parsed.InvocationConfiguration, cancellationToken)
                : RunAsync(parsed.GetRequiredValue(config), question, parsed.InvocationConfiguration);
        });
        return command;
    }

    /// <summary>What a running gateway has stored.</summary>
    private static async Task<int> AskAsync(string admin, string? tokenName, Question question, string? consumer, string? data, string? dataFile, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        byte[]? content;
        try
        {
            content = dataFile is not null ? await File.ReadAllBytesAsync(dataFile, cancellationToken) : data is not null ? Encoding.UTF8.GetBytes(data) : null;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            await console.Error.WriteLineAsync($"{dataFile} cannot be read: {unreadable.Message}");
            return ExitCode.Configuration;
        }

        using var client = AdminClient.Of(admin, tokenName, out var problem);
        if (client is not null)
        {
            var path = new StringBuilder($"{ExplainPath}?url={Uri.EscapeDataString(question.Url)}&method={Uri.EscapeDataString(question.Method)}");
            path.Append(question.Direction is { } direction ? $"&direction={direction.ToString().ToLowerInvariant()}" : "");
            path.Append(consumer is null ? "" : $"&consumer={Uri.EscapeDataString(consumer)}");
            foreach (var field in question.Fields)
            {
                path.Append($"&header={Uri.EscapeDataString(field)}");
            }

            (var answer, problem) = await client.SendAsync(content is null ? HttpMethod.Get : HttpMethod.Post, path.ToString(), content is null ? null : new ByteArrayContent(content), cancellationToken);
            using (answer)
            {
                if (answer is not null && problem.Length == 0)
                {
                    foreach (var property in answer.RootElement.EnumerateObject().Where(static property => property.Value.ToString().Length > 0))
                    {
                        await console.Output.WriteLineAsync($"{property.Name,-9}  {property.Value}");
                    }

                    return ExitCode.Success;
                }
            }
        }

        await console.Error.WriteLineAsync(problem);
        return ExitCode.Configuration;
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
        if (compiled.Snapshot.Plans.SelectMany(static plan => plan.Pipeline.Policies).OfType<CachePolicy>().Any())
        {
            await console.Output.WriteLineAsync("stored     with --live a running gateway says what it has of it");
        }

        return ExitCode.Success;
    }

    private sealed record Question(string Method, string Url, string[] Fields, Direction? Direction);
}
