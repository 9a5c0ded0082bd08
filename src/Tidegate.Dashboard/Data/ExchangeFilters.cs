using Tidegate.Control.Admin;
using Tidegate.Control.Store.Segments;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Data;

/// <summary>What the URL of the exchanges' page asks for.</summary>
internal static class ExchangeFilters
{
    /// <summary>On one page.</summary>
    public const int PageSize = 100;

    /// <summary>The parameters, as in the admin API.</summary>
    public static readonly IReadOnlyList<string> Names = ["direction", "api", "endpoint", "method", "status", "outcome", "code", "consumer", "tenant", "environment", "destination", "region", "credential", "host", "path", "min_ms"];

    // What an exchange need not have.
    private static readonly string[] Nameable = ["api", "endpoint", "tenant", "environment", "destination", "region", "credential", "code"];

    /// <summary>The search, and what is wrong with a parameter; null when nothing is.</summary>
    public static (ExchangeSearch Search, string? Problem) Read(View view, DateTimeOffset now)
    {
        var search = new ExchangeSearch { From = view.Range.From(now), To = view.Range.To(now), Limit = PageSize };
        foreach (var name in Names.Append("after"))
        {
            if (view[name] is not { Length: > 0 } value)
            {
                continue;
            }

            (search, var problem) = PastExchanges.Set(search, name, value == View.Unlisted && Nameable.Contains(name) ? "" : value);
            if (problem is not null)
            {
                return (search, problem + ".");
            }
        }

        return (search, null);
    }
}
