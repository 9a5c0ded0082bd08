using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Inventory;

/// <summary>One method of one path of a host, as traffic showed it. Not thread-safe.</summary>
internal sealed class FoundEndpoint
{
    /// <summary>Callers that are named; the others are counted as more.</summary>
    public const int MaxCallers = 20;

    private readonly List<string> _callers = [];

    public required string Method { get; init; }

    /// <summary>The API and endpoint of the configuration that it belonged to last; both empty for none.</summary>
    public string Api { get; set; } = "";

    public string Endpoint { get; set; } = "";

    public DateTimeOffset FirstSeen { get; set; }

    public DateTimeOffset LastSeen { get; set; }

    public long Calls { get; set; }

    /// <summary>Failed, or answered with 500 or more.</summary>
    public long Errors { get; set; }

    /// <summary>Answered with 400 to 499.</summary>
    public long ClientErrors { get; set; }

    public AuthFields Auth { get; set; }

    /// <summary>A parameter of the query is called like a key.</summary>
    public bool HasKeyInQuery { get; set; }

    /// <summary>By name, in the order in which they came.</summary>
    public IReadOnlyList<string> Callers => _callers;

    /// <summary>Some callers found no room.</summary>
    public bool HasMoreCallers { get; set; }

    public void Add(in ExchangeRecord record)
    {
        Api = record.Api;
        Endpoint = record.Endpoint;
        FirstSeen = Calls == 0 || record.Started < FirstSeen ? record.Started : FirstSeen;
        LastSeen = record.Started > LastSeen ? record.Started : LastSeen;
        Calls++;
        Errors += record.Outcome == Outcome.Failed || (record.Status >= 500 && record.Outcome != Outcome.Rejected) ? 1 : 0;
        ClientErrors += record.Status is >= 400 and < 500 ? 1 : 0;
        Auth |= record.Auth;
        HasKeyInQuery |= record.Query is { Length: > 0 } query && NamesKey(query);
        AddCaller(record.Consumer.Name);
    }

    public void AddCaller(string name)
    {
        if (_callers.Contains(name))
        {
            return;
        }

        if (_callers.Count < MaxCallers)
        {
            _callers.Add(name);
        }
        else
        {
            HasMoreCallers = true;
        }
    }

    /// <summary>It turned out to be the same as another, which has all of it.</summary>
    public bool IsMerged { get; private set; }

    /// <summary>Another that turned out to be the same.</summary>
    public void Add(FoundEndpoint other)
    {
        other.IsMerged = true;
        (Api, Endpoint) = other.LastSeen > LastSeen ? (other.Api, other.Endpoint) : (Api, Endpoint);
        FirstSeen = other.FirstSeen < FirstSeen ? other.FirstSeen : FirstSeen;
        LastSeen = other.LastSeen > LastSeen ? other.LastSeen : LastSeen;
        Calls += other.Calls;
        Errors += other.Errors;
        ClientErrors += other.ClientErrors;
        Auth |= other.Auth;
        HasKeyInQuery |= other.HasKeyInQuery;
        HasMoreCallers |= other.HasMoreCallers;
        other._callers.ForEach(AddCaller);
    }

    /// <summary>Whether a query whose values are masked has a parameter that carries a key: key, api_key, access_token and the like.</summary>
    private static bool NamesKey(ReadOnlySpan<char> query)
    {
        foreach (var part in query.Split('&'))
        {
            var parameter = query[part];
            var equals = parameter.IndexOf('=');
            var name = equals < 0 ? parameter : parameter[..equals];
            if (name.EndsWith("key", StringComparison.OrdinalIgnoreCase) || name.EndsWith("token", StringComparison.OrdinalIgnoreCase) || name.EndsWith("signature", StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
