using Tidegate.Exchanges;
using Tidegate.Routing;

namespace Tidegate.Configuration;

/// <summary>Compiles which calls a limit is for, where it is not for all: by path, as endpoints are found, and by method.</summary>
internal sealed class LimitTargets(ConfigPositions positions, List<ConfigProblem> problems)
{
    private static readonly object Found = new();

    /// <summary>Behind the amount, in refusals and in <c>explain</c>; empty when the limit is for all.</summary>
    public static string Text(LimitConfig config) =>
        string.Concat(
            config.Methods.Count > 0 || config.Path.Count > 0 ? " for" : "",
            config.Methods.Count > 0 ? " " + string.Join(", ", config.Methods) : "",
            config.Path.Count > 0 ? " " + string.Join(", ", config.Path) : "",
            config.ExceptPath.Count > 0 ? " except " + string.Join(", ", config.ExceptPath) : "");

    /// <returns>Null when it is for all calls, or when something was wrong, and that was said.</returns>
    public Func<Exchange, bool>? Compile(LimitConfig config, bool allowsEncodedSlash)
    {
        var isRight = new MethodChecks(positions, problems).Check(config, config.Methods);
        isRight &= Paths(config, "path", config.Path, allowsEncodedSlash) & Paths(config, "except_path", config.ExceptPath, allowsEncodedSlash);
        if (!isRight || config is { Path.Count: 0, ExceptPath.Count: 0, Methods.Count: 0 })
        {
            return null;
        }

        var meant = Tree(config.Path.Count > 0 ? config.Path : ["/**"], config.Methods);
        if (config.ExceptPath.Count == 0)
        {
            return exchange => meant.Find(exchange.Target.Path, exchange.Method) is not null;
        }

        var others = Tree(config.ExceptPath, []);
        return exchange => meant.Find(exchange.Target.Path, exchange.Method) is not null && others.Find(exchange.Target.Path, exchange.Method) is null;
    }

    private static SegmentTree<object> Tree(IReadOnlyList<string> paths, IReadOnlyList<string> methods) => new(paths.Select(path => (PathPattern.OfEndpoint(path), methods, Found)));

    private bool Paths(LimitConfig config, string key, IReadOnlyList<string> paths, bool allowsEncodedSlash)
    {
        var before = problems.Count;
        for (var i = 0; i < paths.Count; i++)
        {
            if (PathChecks.OfPattern(paths[i], allowsEncodedSlash) is { } problem)
            {
                problems.Add(new ConfigProblem(positions.Of(config, key, i), ConfigSeverity.Error, problem));
            }
        }

        return problems.Count == before;
    }
}
