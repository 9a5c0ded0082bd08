using Tidegate.Control.Store.Queries;
using Tidegate.Dashboard.Views;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Dashboard.Charts;

/// <summary>Who called what, and what came of it: groups of sums as a sankey. The largest names have a node of their own, the rest share one.</summary>
internal static class FlowMap
{
    // More cannot be told apart at a glance.
    private const int NodesInColumn = 8;
    private const string Rest = "others";

    /// <summary>Of groups by consumer, API, outcome, status and reason.</summary>
    public static ChartSpec Egress(SeriesResult sums, View view)
    {
        var flows = sums.Groups.Select(group => (From: Caller(group.Key[0]), Via: Api(group.Key[1]), To: Outcome(group.Key[2], group.Key[3], group.Key[4]), group.Total.Cell.Count)).Concat(Beyond(sums)).ToList();
        return Build(
            flows,
            caller => (caller, "soft", caller == Rest ? "" : view.LinkTo("/consumers", caller == "no key" ? Consumer.Anonymous.Name : caller)),
            api => (api, "0", api == Rest ? "" : view.LinkToApi("egress", api == "unlisted hosts" ? "" : api)),
            outcome => (outcome, ColourOf(outcome), ""));
    }

    /// <summary>Of groups by API, endpoint, destination, outcome, status and reason.</summary>
    public static ChartSpec Ingress(SeriesResult sums, View view)
    {
        var flows = sums.Groups.Select(group => (From: Route(group.Key[0], group.Key[1]), Via: Destination(group.Key[2], group.Key[3]), To: Outcome(group.Key[3], group.Key[4], group.Key[5]), group.Total.Cell.Count)).Concat(Beyond(sums)).ToList();
        return Build(
            flows,
            route => (route, "0", route == Rest ? "" : view.LinkToApi("ingress", route == "no route" ? "" : route.Split(' ')[0])),
            destination => (destination, "soft", ""),
            outcome => (outcome, ColourOf(outcome), ""));
    }

    /// <summary>What came of exchanges, in a word.</summary>
    public static string Outcome(string outcome, string status, string reason) => outcome switch
    {
        "failed" when ErrorRule.IsClientFailure(Exchanges.Outcome.Failed, reason) => "client left",
        "rejected" => "refused",
        "failed" => "failed",
        "served_from_cache" => "from cache",
        "served_from_fallback" => "from fallback",
        _ => status.Length == 3 ? status[0] + "xx" : "no answer",
    };

    /// <summary>The colour of such a word.</summary>
    public static string ColourOf(string outcome) => outcome switch
    {
        "refused" => "refused",
        "failed" or "5xx" or "no answer" => "bad",
        "4xx" or "from fallback" => "warn",
        "from cache" => "cache",
        "client left" or Rest => "soft",
        _ => "good",
    };

    // Of the groups that are not told apart only the number is known.
    private static IEnumerable<(string From, string Via, string To, long Count)> Beyond(SeriesResult sums) => sums.OmittedGroups > 0 ? [(Rest, Rest, Rest, sums.Others.Cell.Count)] : [];

    private static string Caller(string consumer) => consumer == Consumer.Anonymous.Name ? "no key" : consumer;

    private static string Api(string api) => api.Length == 0 ? "unlisted hosts" : api;

    private static string Route(string api, string endpoint) => api.Length == 0 ? "no route" : endpoint.Length == 0 ? api : $"{api} {endpoint}";

    private static string Destination(string destination, string outcome) => destination.Length > 0 ? destination
        : outcome == ExchangeWords.Of(Exchanges.Outcome.ServedFromCache) ? "cache" : "no destination";

    private static ChartSpec Build(
        IReadOnlyList<(string From, string Via, string To, long Count)> flows,
        Func<string, (string Label, string Colour, string Path)> from,
        Func<string, (string Label, string Colour, string Path)> via,
        Func<string, (string Label, string Colour, string Path)> to)
    {
        var froms = Largest(flows.Select(flow => (flow.From, flow.Count)));
        var vias = Largest(flows.Select(flow => (flow.Via, flow.Count)));
        var links = new Dictionary<(string Source, string Target, string Colour), long>();
        var nodes = new Dictionary<string, ChartNode>();
        foreach (var flow in flows)
        {
            var first = froms.Contains(flow.From) ? flow.From : Rest;
            var second = vias.Contains(flow.Via) ? flow.Via : Rest;
            Note(nodes, "0 " + first, 0, from(first));
            Note(nodes, "1 " + second, 1, via(second));
            Note(nodes, "2 " + flow.To, 2, to(flow.To));
            Count(links, ("0 " + first, "1 " + second, "0"), flow.Count);
            Count(links, ("1 " + second, "2 " + flow.To, ColourOf(flow.To)), flow.Count);
        }

        return new ChartSpec
        {
            Kind = "sankey",
            Nodes = [.. nodes.Values.OrderBy(node => node.Id, StringComparer.Ordinal)],
            Links = [.. links.OrderBy(link => link.Key.Source, StringComparer.Ordinal).ThenBy(link => link.Key.Target, StringComparer.Ordinal).Select(link => new ChartLink(link.Key.Source, link.Key.Target, link.Value, link.Key.Colour))],
        };
    }

    private static HashSet<string> Largest(IEnumerable<(string Name, long Count)> flows) =>
        [.. flows.GroupBy(flow => flow.Name, flow => flow.Count, (name, counts) => (Name: name, Count: counts.Sum())).OrderByDescending(flow => flow.Count).Take(NodesInColumn).Select(flow => flow.Name)];

    private static void Note(Dictionary<string, ChartNode> nodes, string id, int column, (string Label, string Colour, string Path) shown) =>
        nodes.TryAdd(id, new ChartNode(id, shown.Label, column, shown.Colour, shown.Path));

    private static void Count<TKey>(Dictionary<TKey, long> counts, TKey key, long count)
        where TKey : notnull => counts[key] = counts.GetValueOrDefault(key) + count;
}
